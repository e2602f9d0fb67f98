package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func pads(l lib) []graph.Def {
	all := everyType()
	return []graph.Def{
		{Op: "Pad", Since: 1, New: newPad1, Types: all},
		{Op: "Pad", Since: 2, New: newPad2, Types: all},
		{Op: "Pad", Since: 11, New: newPad, Types: all},
	}
}

// pad adds elements at the ends of axes, or takes them away where a number is negative: a constant, the edge, the
// elements mirrored in the edge (reflect), or those of the other end (wrap). The numbers are an attribute (to opset 10)
// or input 1, first the starts of all axes, then the ends; input 3 may name the axes that they are for.
type pad struct {
	mode  string
	pads  []int64
	fixed bool // numbers and value by attributes
	value float32
}

func newPad1(a *graph.Attrs) (graph.Op, error) {
	a.Require("paddings")
	return pad{mode: a.OneOf("mode", "constant", "reflect", "edge"), pads: a.Ints("paddings"), value: a.Float("value", 0), fixed: true}, nil
}

func newPad2(a *graph.Attrs) (graph.Op, error) {
	a.Require("pads")
	return pad{mode: a.OneOf("mode", "constant", "reflect", "edge"), pads: a.Ints("pads"), value: a.Float("value", 0), fixed: true}, nil
}

func newPad(a *graph.Attrs) (graph.Op, error) {
	return pad{mode: a.OneOf("mode", "constant", "reflect", "edge", "wrap")}, nil
}

func (o pad) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 2-b2i(o.fixed), 4); err != nil {
		return err
	}
	x := c.In(0)
	if o.fixed {
		if err := checkType("input", x.DType, floatTypes); err != nil {
			return err
		}
	}
	if !x.Ranked {
		c.Out(0, tensor.Unranked(x.DType))
		return nil
	}
	if c.Has(2) && c.In(2).DType != x.DType {
		return fmt.Errorf("constant_value is of type %v, the input of type %v", c.In(2).DType, x.DType)
	}
	if err := wantIndex(c, 3, "axes"); err != nil {
		return err
	}
	pads, ok := o.pads, o.fixed
	var axes []int64
	if !o.fixed {
		if err := wantType(c, 1, "pads", tensor.Int64); err != nil {
			return err
		}
		pads, ok = constInts(c, 1)
		if c.Has(3) {
			known := false
			axes, known = constInts(c, 3)
			ok = ok && known
		}
	}
	if !ok {
		c.Out(0, tensor.Ranked(x.DType, anyDims(len(x.Dims))))
		return nil
	}
	var p padding
	if err := p.set(pads, axes, c.Has(3), len(x.Dims)); err != nil {
		return err
	}
	begin, end := p.begin, p.end
	dims := make([]tensor.Dim, len(x.Dims))
	for i, d := range x.Dims {
		switch {
		case begin[i] == 0 && end[i] == 0:
			dims[i] = d
		case !d.Known():
			dims[i] = tensor.AnyDim
		default:
			if err := o.check(i, d.Size, begin[i], end[i]); err != nil {
				return err
			}
			dims[i] = tensor.Fixed(d.Size + begin[i] + end[i])
		}
	}
	if err := checkDims(x.DType, dims); err != nil {
		return err
	}
	c.Out(0, tensor.Ranked(x.DType, dims))
	return nil
}

// padding are the numbers of elements to add per axis.
type padding struct{ begin, end []int }

// set brings the numbers of the listed axes to one per axis and end.
func (p *padding) set(pads, axes []int64, hasAxes bool, rank int) error {
	p.begin, p.end = p.begin[:0], p.end[:0]
	for range rank {
		p.begin, p.end = append(p.begin, 0), append(p.end, 0)
	}
	n := rank
	var list []int
	if hasAxes {
		n = len(axes)
		var err error
		if list, err = axesOf(axes, rank); err != nil {
			return err
		}
	}
	if len(pads) != 2*n {
		return fmt.Errorf("pads %v, want %d numbers", pads, 2*n)
	}
	for _, v := range pads {
		if v > maxTensorBytes || v < -maxTensorBytes {
			return fmt.Errorf("pads %v have a number out of range", pads)
		}
	}
	for i := range n {
		a := i
		if hasAxes {
			a = list[i]
		}
		p.begin[a], p.end[a] = int(pads[i]), int(pads[i+n])
	}
	return nil
}

// padState is the memory of a Pad between runs.
type padState struct {
	padding
	remap
}

// check fails where an axis of size n cannot be padded so.
func (o pad) check(axis, n, begin, end int) error {
	switch {
	case n+begin+end < 0 || n+min(begin, 0)+min(end, 0) < 0:
		return fmt.Errorf("pads %d and %d take more than axis %d of size %d has", begin, end, axis, n)
	case o.mode != "constant" && n+min(begin, 0)+min(end, 0) == 0 && max(begin, end) > 0:
		return fmt.Errorf("mode %s cannot pad axis %d, of which nothing is left", o.mode, axis)
	}
	return nil
}

// source is the position on an axis of size n from which position i of the output comes, -1 for the constant. What
// negative numbers take away is gone before the rest is padded; several reflections and wraps follow each other where the
// pads are longer than the axis.
func (o pad) source(i, n, begin, end int) int {
	lo := max(-begin, 0)
	m := n + min(end, 0) - lo
	i -= begin + lo
	switch {
	case i >= 0 && i < m:
	case o.mode == "edge":
		i = min(max(i, 0), m-1)
	case o.mode == "wrap":
		i = ((i % m) + m) % m
	case o.mode == "reflect" && m == 1:
		i = 0
	case o.mode == "reflect":
		period := 2 * (m - 1)
		i = ((i % period) + period) % period
		i = min(i, period-i)
	default:
		return -1
	}
	return lo + i
}

func (o pad) Run(c *graph.RunCtx) error {
	x := c.In[0]
	if isPacked(x.DType()) {
		return unpackedRun(c, o.Run)
	}
	shape := x.Shape()
	pads, axes, hasAxes := o.pads, []int64(nil), false
	if !o.fixed {
		pads = runInts(c.In[1])
		if hasAxes = len(c.In) > 3 && c.In[3] != nil; hasAxes {
			axes = runInts(c.In[3])
		}
	}
	j := graph.State[padState](c)
	if err := j.set(pads, axes, hasAxes, len(shape)); err != nil {
		return err
	}
	begin, end := j.begin, j.end
	if c.Out[0] == nil {
		dims := make([]int, len(shape))
		for i, n := range shape {
			if err := o.check(i, n, begin[i], end[i]); err != nil {
				return err
			}
			dims[i] = n + begin[i] + end[i]
		}
		if _, err := output(c, 0, x.DType(), dims...); err != nil {
			return err
		}
	}
	y := c.Out[0]
	if y.Len() == 0 {
		return nil
	}
	value, err := o.constant(c)
	if err != nil {
		return err
	}
	o.plan(&j.remap, x.Shape(), begin, end)
	return j.run(c, y, x, value)
}

// plan sets the source positions of every axis. Axes at the end that are not padded are one with the axis before them.
func (o pad) plan(j *remap, shape, begin, end []int) {
	j.reset()
	rank, inner := len(shape), 1
	for rank > 0 && begin[rank-1] == 0 && end[rank-1] == 0 {
		rank--
		inner *= shape[rank]
	}
	for a := range rank {
		list := j.axis(shape[a], shape[a]+begin[a]+end[a])
		for i := range list {
			list[i] = o.source(i, shape[a], begin[a], end[a])
		}
	}
	if inner > 1 || rank == 0 {
		j.whole(inner)
		return
	}
	n, head := shape[rank-1], max(begin[rank-1], 0)
	j.contiguous(head, max(0, min(n+min(begin[rank-1], 0), n+begin[rank-1]+end[rank-1]-head)))
}

// constant is the value to pad with, nil for zero.
func (o pad) constant(c *graph.RunCtx) (*tensor.Tensor, error) {
	if !o.fixed {
		if len(c.In) > 2 && c.In[2] != nil {
			if c.In[2].Len() != 1 {
				return nil, fmt.Errorf("constant_value is %v, want one element", c.In[2])
			}
			return c.In[2], nil
		}
		return nil, nil
	}
	if o.value == 0 {
		return nil, nil
	}
	t, err := floatTensor(c.In[0].DType(), []float64{float64(o.value)})
	return t, err
}
