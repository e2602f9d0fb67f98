package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) pads() []graph.Def {
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
	begin, end, err := padding(pads, axes, c.Has(3), len(x.Dims))
	if err != nil {
		return err
	}
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

// padding brings the numbers to one per axis and end.
func padding(pads, axes []int64, hasAxes bool, rank int) (begin, end []int, err error) {
	begin, end = make([]int, rank), make([]int, rank)
	n := rank
	if hasAxes {
		n = len(axes)
	}
	if len(pads) != 2*n {
		return nil, nil, fmt.Errorf("pads %v, want %d numbers", pads, 2*n)
	}
	for i := range n {
		a := i
		if hasAxes {
			list, err := axesOf(axes, rank)
			if err != nil {
				return nil, nil, err
			}
			a = list[i]
		}
		for _, v := range []int64{pads[i], pads[i+n]} {
			if v > maxTensorBytes || v < -maxTensorBytes {
				return nil, nil, fmt.Errorf("pads %v have a number out of range", pads)
			}
		}
		begin[a], end[a] = int(pads[i]), int(pads[i+n])
	}
	return begin, end, nil
}

// check fails where an axis of size n cannot be padded so.
func (o pad) check(axis, n, begin, end int) error {
	switch {
	case n+begin+end < 0 || n+min(begin, 0)+min(end, 0) < 0:
		return fmt.Errorf("pads %d and %d take more than axis %d of size %d has", begin, end, axis, n)
	case o.mode != "constant" && n == 0 && begin+end > 0:
		return fmt.Errorf("mode %s cannot pad axis %d of size 0", o.mode, axis)
	}
	return nil
}

// source is the position on an axis of size n from which position i of the output comes, -1 for the constant. Several
// reflections and wraps follow each other where the pads are longer than the axis.
func (o pad) source(i, n, begin int) int {
	i -= begin
	if i >= 0 && i < n {
		return i
	}
	switch o.mode {
	case "edge":
		return min(max(i, 0), n-1)
	case "wrap":
		return ((i % n) + n) % n
	case "reflect":
		if n == 1 {
			return 0
		}
		period := 2 * (n - 1)
		i = ((i % period) + period) % period
		return min(i, period-i)
	}
	return -1
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
	begin, end, err := padding(pads, axes, hasAxes, len(shape))
	if err != nil {
		return err
	}
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
	j := graph.State[padFill](c)
	j.set(o, y, x, begin, end)
	defer func() { j.dst, j.src, j.value = nil, nil, nil }()
	j.value = value
	row := j.out[len(j.out)-1] * max(x.DType().Size(), 1)
	return c.For(y.Len()/j.out[len(j.out)-1], max(1, boxGrain/row), j)
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

// padFill fills rows of the output. Axes at the end that are not padded are one with the axis before them.
type padFill struct {
	dst, src, value *tensor.Tensor
	in, out         []int   // sizes of the joined axes
	from            [][]int // per axis, positions in the source
	head, body      int     // the last axis: positions before the contiguous copy, and in it
}

func (j *padFill) set(o pad, y, x *tensor.Tensor, begin, end []int) {
	j.dst, j.src = y, x
	rank := x.Rank()
	inner := 1
	for rank > 1 && begin[rank-1] == 0 && end[rank-1] == 0 {
		rank--
		inner *= x.Shape()[rank]
	}
	j.in, j.out = j.in[:0], j.out[:0]
	for len(j.from) < rank+2 {
		j.from = append(j.from, nil)
	}
	add := func(n, begin, end int) {
		k := len(j.in)
		m := n + begin + end
		j.in, j.out = append(j.in, n), append(j.out, m)
		list := j.from[k][:0]
		for i := range m {
			list = append(list, o.source(i, n, begin))
		}
		j.from[k] = list
		j.head = max(begin, 0)
		j.body = max(0, min(n+min(begin, 0), m-j.head))
	}
	for a := range rank {
		add(x.Shape()[a], begin[a], end[a])
	}
	if inner > 1 || rank == 0 {
		add(inner, 0, 0)
	}
}

// Do fills the rows lo <= r < hi.
func (j *padFill) Do(lo, hi int) {
	if j.dst.DType() == tensor.String {
		padRows(j, tensor.View[string](j.dst), tensor.View[string](j.src), valueOf[string](j.value), lo, hi)
		return
	}
	switch j.dst.DType().Size() {
	case 1:
		padRows(j, tensor.View[uint8](j.dst), tensor.View[uint8](j.src), valueOf[uint8](j.value), lo, hi)
	case 2:
		padRows(j, tensor.View[uint16](j.dst), tensor.View[uint16](j.src), valueOf[uint16](j.value), lo, hi)
	case 4:
		padRows(j, tensor.View[uint32](j.dst), tensor.View[uint32](j.src), valueOf[uint32](j.value), lo, hi)
	case 8:
		padRows(j, tensor.View[uint64](j.dst), tensor.View[uint64](j.src), valueOf[uint64](j.value), lo, hi)
	case 16:
		padRows(j, tensor.View[complex128](j.dst), tensor.View[complex128](j.src), valueOf[complex128](j.value), lo, hi)
	}
}

func valueOf[T tensor.Element](t *tensor.Tensor) (v T) {
	if t != nil {
		v = tensor.View[T](t)[0]
	}
	return v
}

func padRows[T any](j *padFill, dst, src []T, value T, lo, hi int) {
	last := len(j.out) - 1
	n, m := j.in[last], j.out[last]
	from := j.from[last]
	for r := lo; r < hi; r++ {
		row := dst[r*m : (r+1)*m]
		at, outer, stride := 0, r, n
		for a := last - 1; a >= 0 && at >= 0; a-- {
			k := j.from[a][outer%j.out[a]]
			outer /= j.out[a]
			if k < 0 {
				at = -1
				break
			}
			at += k * stride
			stride *= j.in[a]
		}
		if at < 0 {
			for i := range row {
				row[i] = value
			}
			continue
		}
		padEnds(row[:j.head], src, from[:j.head], at, value)
		if j.body > 0 {
			k := at + from[j.head]
			copy(row[j.head:j.head+j.body], src[k:k+j.body])
		}
		padEnds(row[j.head+j.body:], src, from[j.head+j.body:], at, value)
	}
}

func padEnds[T any](row, src []T, from []int, at int, value T) {
	for i, k := range from {
		if k < 0 {
			row[i] = value
		} else {
			row[i] = src[at+k]
		}
	}
}
