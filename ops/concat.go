package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func concats(l lib) []graph.Def {
	all := everyType()
	return []graph.Def{
		{Op: "Concat", Since: 1, New: newConcat1, Types: all},
		{Op: "Concat", Since: 4, New: newConcat, Types: all},
	}
}

// concat joins tensors along an axis.
type concat struct{ axis int64 }

func newConcat(a *graph.Attrs) (graph.Op, error) {
	a.Require("axis")
	return concat{a.Int("axis", 0)}, nil
}

// newConcat1 has a default for the axis.
func newConcat1(a *graph.Attrs) (graph.Op, error) { return concat{a.Int("axis", 1)}, nil }

func (o concat) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, c.NumIn(), c.NumIn()); err != nil {
		return err
	}
	if c.NumIn() == 0 {
		return fmt.Errorf("no inputs")
	}
	d := tensor.Undefined
	var dims []tensor.Dim
	axis, ranked := 0, true
	for i := range c.NumIn() {
		x := c.In(i)
		if d == tensor.Undefined {
			d = x.DType
		}
		if x.DType != tensor.Undefined && x.DType != d {
			return fmt.Errorf("input %d is of type %v, the ones before of type %v", i, x.DType, d)
		}
		if !x.Ranked {
			ranked = false
			continue
		}
		if dims == nil {
			dims = append([]tensor.Dim{}, x.Dims...)
			var err error
			if axis, err = axisOf(o.axis, len(dims)); err != nil {
				return err
			}
			dims[axis] = tensor.Fixed(0)
		}
		if len(x.Dims) != len(dims) {
			return fmt.Errorf("input %d is %v, want %d dimensions", i, x, len(dims))
		}
		for k, n := range x.Dims {
			if k == axis {
				dims[k] = addDim(dims[k], n)
				continue
			}
			u, ok := unifyDim(dims[k], n)
			if !ok {
				return fmt.Errorf("input %d is %v, want size %v on axis %d", i, x, dims[k], k)
			}
			dims[k] = u
		}
	}
	if dims == nil {
		c.Out(0, tensor.Unranked(d))
		return nil
	}
	if !ranked {
		dims[axis] = tensor.AnyDim
	}
	c.Out(0, tensor.Ranked(d, dims))
	o.contents(c, d, dims)
	return nil
}

// contents joins the contents of one-dimensional integer inputs.
func (o concat) contents(c *graph.InferCtx, d tensor.DType, dims []tensor.Dim) {
	if len(dims) != 1 || d != tensor.Int64 && d != tensor.Int32 {
		return
	}
	var vals []int64
	var ints []tensor.Dim
	exact := true
	for i := range c.NumIn() {
		if v, ok := constInts(c, i); ok {
			vals = append(vals, v...)
		} else {
			exact = false
		}
		v, ok := c.Ints(i)
		if !ok {
			return
		}
		ints = append(ints, v...)
	}
	if exact {
		outVals(c, 0, d, vals, len(vals))
	} else {
		c.OutInts(0, ints)
	}
}

// addDim is the size of two joined axes.
func addDim(a, b tensor.Dim) tensor.Dim {
	switch {
	case a.Known() && b.Known():
		return tensor.Fixed(a.Size + b.Size)
	case a == tensor.Fixed(0):
		return b
	case b.Size == 0:
		return a
	}
	return tensor.AnyDim
}

func (o concat) Run(c *graph.RunCtx) error {
	shape := c.In[0].Shape()
	axis, err := axisOf(o.axis, len(shape))
	if err != nil {
		return err
	}
	if c.Out[0] == nil {
		if err := o.alloc(c, axis); err != nil {
			return err
		}
	}
	y := c.Out[0]
	j := graph.State[boxJob](c)
	outer := elemCount(shape[:axis])
	inner := elemCount(shape[axis+1:])
	row, at := y.Shape()[axis]*inner, 0
	for _, x := range c.In {
		n := x.Shape()[axis] * inner
		j.reset()
		j.dstAt = at
		j.axis(outer, row, n)
		j.axis(n, 1, 1)
		if err := j.copy(c, y, x); err != nil {
			return err
		}
		at += n
	}
	return nil
}

func (o concat) alloc(c *graph.RunCtx, axis int) error {
	dims := append([]int{}, c.In[0].Shape()...)
	for _, x := range c.In[1:] {
		dims[axis] += x.Shape()[axis]
	}
	_, err := output(c, 0, c.In[0].DType(), dims...)
	return err
}
