package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func splits(l lib) []graph.Def {
	all := everyType()
	return []graph.Def{
		{Op: "Split", Since: 1, New: newSplit, Types: all},
		{Op: "Split", Since: 18, New: newSplit18, Types: all},
	}
}

// split cuts a tensor along an axis into parts of the sizes that an attribute (to opset 12) or input 1 lists, or into
// equal ones; where uneven is set the last of those may be smaller.
type split struct {
	axis     int64
	sizes    []int64
	hasSizes bool
	parts    int
	uneven   bool
}

func newSplit(a *graph.Attrs) (graph.Op, error) {
	o := split{axis: a.Int("axis", 0), hasSizes: a.Has("split"), parts: a.NumOut}
	o.sizes = a.Ints("split")
	return o, nil
}

func newSplit18(a *graph.Attrs) (graph.Op, error) {
	o := split{axis: a.Int("axis", 0), parts: int(a.Int("num_outputs", int64(a.NumOut))), uneven: true}
	if o.parts != a.NumOut {
		return nil, fmt.Errorf("attribute num_outputs=%d, but the node has %d outputs", o.parts, a.NumOut)
	}
	return o, nil
}

func (o split) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 2); err != nil {
		return err
	}
	x := c.In(0)
	if !x.Ranked {
		for i := range c.NumOut() {
			c.Out(i, tensor.Unranked(x.DType))
		}
		return nil
	}
	axis, err := axisOf(o.axis, len(x.Dims))
	if err != nil {
		return err
	}
	vals, known := o.sizes, o.hasSizes
	if c.Has(1) {
		if err := wantIndex(c, 1, "split"); err != nil {
			return err
		}
		vals, known = constInts(c, 1)
	} else if !o.hasSizes && x.Dims[axis].Known() {
		if vals, err = o.equal(x.Dims[axis].Size); err != nil {
			return err
		}
		known = true
	}
	if known {
		if err := o.check(vals, x.Dims[axis]); err != nil {
			return err
		}
	}
	ints, hasInts := c.Ints(0)
	at := 0
	for i := range c.NumOut() {
		dims := append([]tensor.Dim{}, x.Dims...)
		dims[axis] = tensor.AnyDim
		if known {
			dims[axis] = tensor.Fixed(int(vals[i]))
		}
		c.Out(i, tensor.Ranked(x.DType, dims))
		if known && hasInts && len(dims) == 1 && at+int(vals[i]) <= len(ints) {
			part := ints[at : at+int(vals[i])]
			if v, ok := constInts(c, 0); ok {
				outVals(c, i, x.DType, v[at:at+len(part)], len(part))
			} else {
				c.OutInts(i, part)
			}
			at += len(part)
		}
	}
	return nil
}

// equal are the sizes of equal parts.
func (o split) equal(n int) ([]int64, error) {
	if o.parts == 0 {
		return nil, nil
	}
	size := (n + o.parts - 1) / o.parts
	if !o.uneven && n%o.parts != 0 {
		return nil, fmt.Errorf("axis of size %d does not split into %d equal parts", n, o.parts)
	}
	vals := make([]int64, o.parts)
	for i := range vals {
		vals[i] = int64(min(size, max(0, n-i*size)))
	}
	return vals, nil
}

func (o split) check(vals []int64, axis tensor.Dim) error {
	if len(vals) != o.parts {
		return fmt.Errorf("split %v has %d sizes for %d outputs", vals, len(vals), o.parts)
	}
	sum := int64(0)
	for _, v := range vals {
		if v < 0 || v > maxTensorBytes {
			return fmt.Errorf("split %v has a size out of range", vals)
		}
		sum += v
	}
	if axis.Known() && sum != int64(axis.Size) {
		return fmt.Errorf("split %v adds up to %d, the axis has size %d", vals, sum, axis.Size)
	}
	return nil
}

func (o split) Run(c *graph.RunCtx) error {
	x := c.In[0]
	shape := x.Shape()
	axis, err := axisOf(o.axis, len(shape))
	if err != nil {
		return err
	}
	if err := o.alloc(c, axis); err != nil {
		return err
	}
	j := graph.State[boxJob](c)
	outer := elemCount(shape[:axis])
	inner := elemCount(shape[axis+1:])
	vals := o.sizes
	if len(c.In) > 1 && c.In[1] != nil {
		vals = runInts(c.In[1])
	}
	at := 0
	for i := range o.parts {
		size := (shape[axis] + o.parts - 1) / o.parts
		if vals != nil {
			size = int(vals[i])
		}
		size = min(size, shape[axis]-at)
		if y := c.Out[i]; y != nil {
			j.reset()
			j.srcAt = at * inner
			j.axis(outer, size*inner, shape[axis]*inner)
			j.axis(size*inner, 1, 1)
			if err := j.copy(c, y, x); err != nil {
				return err
			}
		}
		at += size
	}
	return nil
}

// alloc makes the wanted outputs that Infer could not know.
func (o split) alloc(c *graph.RunCtx, axis int) error {
	missing := false
	for i := range o.parts {
		missing = missing || c.Out[i] == nil && c.Wants(i)
	}
	if !missing {
		return nil
	}
	x := c.In[0]
	vals, err := o.sizes, error(nil)
	if len(c.In) > 1 && c.In[1] != nil {
		vals = runInts(c.In[1])
	} else if !o.hasSizes {
		if vals, err = o.equal(x.Shape()[axis]); err != nil {
			return err
		}
	}
	if err := o.check(vals, tensor.Fixed(x.Shape()[axis])); err != nil {
		return err
	}
	for i, v := range vals {
		if c.Out[i] != nil || !c.Wants(i) {
			continue
		}
		dims := append([]int{}, x.Shape()...)
		dims[axis] = int(v)
		if _, err := c.Alloc(i, x.DType(), dims...); err != nil {
			return err
		}
	}
	return nil
}
