package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func reshapes(l lib) []graph.Def {
	return []graph.Def{
		{Op: "Reshape", Since: 1, New: newReshape, Types: everyType()},
	}
}

// reshape gives its input the shape of an attribute (to opset 4) or of input 1. There -1 stands for the size that
// follows from the others, and 0 for the input's size on the same axis or, with allowzero, for zero.
type reshape struct {
	view
	shape     []int64
	hasShape  bool
	allowZero bool
}

func newReshape(a *graph.Attrs) (graph.Op, error) {
	o := reshape{hasShape: a.Has("shape"), allowZero: a.Bool("allowzero", false)}
	o.shape = a.Ints("shape")
	a.Ignore("consumed_inputs")
	if !o.hasShape && a.NumIn < 2 {
		return nil, fmt.Errorf("neither an attribute nor an input gives the shape")
	}
	return o, nil
}

func (o reshape) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 2-b2i(o.hasShape), 2); err != nil {
		return err
	}
	x := c.In(0)
	want, literal, ok := o.target(c)
	if !ok {
		if n := knownLen(c, 1); n >= 0 {
			c.Out(0, tensor.Ranked(x.DType, anyDims(n)))
		} else {
			c.Out(0, tensor.Unranked(x.DType))
		}
		return wantIndex(c, 1, "shape")
	}
	dims, err := o.resolve(x, want, literal)
	if err != nil {
		return err
	}
	return inferView(c, dims)
}

// target is the wanted shape; literal says that negative sizes are the model's and not unknown ones.
func (o reshape) target(c *graph.InferCtx) (want []tensor.Dim, literal, ok bool) {
	vals, ok := o.shape, o.hasShape
	if !ok {
		vals, ok = constInts(c, 1)
	}
	if ok {
		return intDims(vals), true, true
	}
	want, ok = c.Ints(1)
	return want, false, ok
}

func intDims(vals []int64) []tensor.Dim {
	dims := make([]tensor.Dim, len(vals))
	for i, v := range vals {
		dims[i].Size = int(v)
	}
	return dims
}

// resolve replaces 0 and -1. One unknown size is found like a -1, which it may be.
func (o reshape) resolve(x tensor.Spec, want []tensor.Dim, literal bool) ([]tensor.Dim, error) {
	fail := func() error { return fmt.Errorf("cannot reshape %v to %v", x, want) }
	dims := make([]tensor.Dim, len(want))
	free, frees := -1, 0
	rest := append([]tensor.Dim{}, x.Dims...) // what the sizes of want must multiply to
	divide := []tensor.Dim{}
	for i, d := range want {
		dims[i] = d
		switch {
		case d.Size == 0 && !o.allowZero:
			if dims[i] = tensor.AnyDim; !x.Ranked {
				continue
			}
			if i >= len(x.Dims) {
				return nil, fmt.Errorf("shape %v copies axis %d of %v", want, i, x)
			}
			dims[i], rest[i] = x.Dims[i], tensor.Fixed(1)
		case d.Size < -1 && literal:
			return nil, fail()
		case d.Size < 0 && d.Name == "":
			free = i
			frees++
		default:
			divide = append(divide, d)
		}
	}
	if frees > 1 && literal {
		return nil, fmt.Errorf("shape %v has more than one -1", want)
	}
	if !x.Ranked {
		if free >= 0 {
			dims[free] = tensor.AnyDim
		}
		return dims, nil
	}
	q, exact := quotient(rest, divide)
	switch {
	case !exact:
		return nil, fail()
	case frees == 1:
		dims[free] = q
	case frees == 0 && q.Known() && q.Size != 1 && !emptyBoth(rest, divide):
		return nil, fail()
	}
	return dims, nil
}

// quotient divides products of dimensions, cancelling equal symbols. It is not exact when the known sizes show that it
// cannot be.
func quotient(num, den []tensor.Dim) (q tensor.Dim, exact bool) {
	num = append([]tensor.Dim{}, num...)
	n, d, symbols := 1, 1, 0
	for _, y := range den {
		if y.Known() {
			d *= y.Size
			continue
		}
		found := false
		for i, x := range num {
			if !x.Known() && sameDim(x, y) {
				num[i], found = tensor.Fixed(1), true
				break
			}
		}
		if !found {
			symbols++
		}
	}
	symbol := tensor.AnyDim
	left := 0
	for _, x := range num {
		if x.Known() {
			n *= x.Size
			continue
		}
		symbol = x
		left++
	}
	switch {
	case symbols > 0 || left > 1:
		return tensor.AnyDim, true
	case left == 1 && n == d:
		return symbol, true
	case left == 1:
		return tensor.AnyDim, true
	case d == 0:
		return tensor.Fixed(0), n == 0
	}
	return tensor.Fixed(n / d), n%d == 0
}

func emptyBoth(a, b []tensor.Dim) bool {
	return productDim(a) == tensor.Fixed(0) && productDim(b) == tensor.Fixed(0)
}

func (o reshape) Run(c *graph.RunCtx) error {
	if c.Out[0] != nil {
		return o.set(c, nil)
	}
	vals := o.shape
	if !o.hasShape {
		vals = runInts(c.In[1])
	}
	dims, err := o.resolve(c.In[0].Spec(), intDims(vals), true)
	if err != nil {
		return err
	}
	return o.set(c, sizes(dims))
}
