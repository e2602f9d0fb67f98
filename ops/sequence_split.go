package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func sequenceTensors(l lib) []graph.Def {
	all := everyType()
	return []graph.Def{
		{Op: "ConcatFromSequence", Since: 11, New: newConcatFromSequence, Types: all},
		{Op: "SplitToSequence", Since: 11, New: newSplitToSequence, Types: all},
	}
}

// concatFromSequence joins the elements of a sequence along an axis, or along a new one.
type concatFromSequence struct {
	axis  int64
	fresh bool
}

func newConcatFromSequence(a *graph.Attrs) (graph.Op, error) {
	a.Require("axis")
	return concatFromSequence{a.Int("axis", 0), a.Bool("new_axis", false)}, nil
}

func (o concatFromSequence) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 1, 1); err != nil {
		return err
	}
	elem, err := wantSequence(c, 0)
	if err != nil {
		return err
	}
	out := tensor.Unranked(elem.DType)
	if elem.Ranked {
		axis, err := o.place(len(elem.Dims))
		if err != nil {
			return err
		}
		if !o.fresh {
			elem = dropAxis(elem, axis)
		}
		out = insertAxis(elem, axis, tensor.AnyDim)
	}
	c.Out(0, out)
	return nil
}

// place is the axis of the output, for elements of a rank.
func (o concatFromSequence) place(rank int) (int, error) {
	if o.fresh {
		rank++
	}
	return axisOf(o.axis, rank)
}

func (o concatFromSequence) Run(c *graph.RunCtx) error {
	elems, err := elemsOf(c.In[0])
	if err != nil {
		return err
	}
	if len(elems) == 0 {
		return fmt.Errorf("the sequence is empty")
	}
	axis, err := o.place(elems[0].Rank())
	if err != nil {
		return err
	}
	list := make([]*tensor.Tensor, len(elems))
	for i, t := range elems {
		list[i] = t
		if o.fresh {
			s := t.Shape()
			if list[i], err = t.Reshape(append(append(append([]int{}, s[:axis]...), 1), s[axis:]...)...); err != nil {
				return err
			}
		}
		a, b := list[0].Shape(), list[i].Shape()
		same := len(a) == len(b) && list[0].DType() == t.DType()
		for k := 0; same && k < len(a); k++ {
			same = k == axis || a[k] == b[k]
		}
		if !same {
			return fmt.Errorf("element %d is %v, the first is %v", i, t, elems[0])
		}
	}
	in := c.In
	defer func() { c.In = in }()
	c.In = list
	return concat{int64(axis)}.Run(c)
}

// splitToSequence cuts a tensor along an axis: into parts of the sizes in input 1, of the one size where that is a
// scalar, or into single positions, which lose the axis unless keep is set.
type splitToSequence struct {
	axis int64
	keep bool
}

func newSplitToSequence(a *graph.Attrs) (graph.Op, error) {
	return splitToSequence{a.Int("axis", 0), a.Bool("keepdims", true)}, nil
}

func (o splitToSequence) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 2); err != nil {
		return err
	}
	x := c.In(0)
	if err := wantIndex(c, 1, "split"); err != nil {
		return err
	}
	if !x.Ranked {
		c.Out(0, sequenceSpec(tensor.Unranked(x.DType)))
		return nil
	}
	axis, err := axisOf(o.axis, len(x.Dims))
	if err != nil {
		return err
	}
	elem := dropAxis(x, axis)
	switch {
	case c.Has(1):
		elem = insertAxis(elem, axis, tensor.AnyDim)
	case o.keep:
		elem = insertAxis(elem, axis, tensor.Fixed(1))
	}
	c.Out(0, sequenceSpec(elem))
	return nil
}

// parts are the sizes for an axis of n positions.
func (o splitToSequence) parts(by *tensor.Tensor, n int) ([]int, error) {
	var parts []int
	if by == nil || by.Rank() == 0 {
		size := int64(1)
		if by != nil {
			size = runInts(by)[0]
		}
		if size < 1 {
			return nil, fmt.Errorf("split is %d, want a positive size", size)
		}
		for at := int64(0); at < int64(n); at += size {
			parts = append(parts, int(min(size, int64(n)-at)))
		}
		return parts, nil
	}
	left := int64(n)
	for _, v := range runInts(by) {
		if v < 0 || v > left {
			return nil, fmt.Errorf("split %v does not fit an axis of size %d", runInts(by), n)
		}
		parts = append(parts, int(v))
		left -= v
	}
	if left != 0 {
		return nil, fmt.Errorf("split %v does not add up to %d", runInts(by), n)
	}
	return parts, nil
}

func (o splitToSequence) Run(c *graph.RunCtx) error {
	x := c.In[0]
	shape := x.Shape()
	axis, err := axisOf(o.axis, len(shape))
	if err != nil {
		return err
	}
	var by *tensor.Tensor
	if len(c.In) > 1 {
		by = c.In[1]
	}
	parts, err := o.parts(by, shape[axis])
	if err != nil {
		return err
	}
	outer, inner := elemCount(shape[:axis]), elemCount(shape[axis+1:])
	j := graph.State[boxJob](c)
	at := 0
	elems := make([]*tensor.Tensor, len(parts))
	for i, n := range parts {
		dims := append([]int{}, shape[:axis]...)
		if by != nil || o.keep {
			dims = append(dims, n)
		}
		if elems[i], err = tensor.New(x.DType(), append(dims, shape[axis+1:]...)...); err != nil {
			return err
		}
		j.reset()
		j.srcAt = at * inner
		j.axis(outer, n*inner, shape[axis]*inner)
		j.axis(n*inner, 1, 1)
		if err := j.copy(c, elems[i], x); err != nil {
			return err
		}
		at += n
	}
	c.Set(0, tensor.SequenceOf(elems))
	return nil
}
