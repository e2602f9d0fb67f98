package ops

import (
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func shapes(l lib) []graph.Def {
	return []graph.Def{
		{Op: "Shape", Since: 1, New: newShape, Types: everyType()},
		{Op: "Size", Since: 1, New: newSize, Types: everyType()},
	}
}

// shape is the sizes of its input's axes start <= a < end as int64; both count from the back when negative and are
// clamped.
type shape struct {
	start, end int64
	hasEnd     bool
}

func newShape(a *graph.Attrs) (graph.Op, error) {
	return shape{start: a.Int("start", 0), end: a.Int("end", 0), hasEnd: a.Has("end")}, nil
}

func (o shape) bounds(rank int) (start, end int) {
	clamp := func(v int64) int {
		if v < 0 {
			v += int64(rank)
		}
		return int(min(max(v, 0), int64(rank)))
	}
	start, end = clamp(o.start), rank
	if o.hasEnd {
		end = clamp(o.end)
	}
	return start, max(start, end)
}

func (o shape) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 1); err != nil {
		return err
	}
	x := c.In(0)
	if !x.Ranked {
		c.Out(0, tensor.Ranked(tensor.Int64, anyDims(1)))
		return nil
	}
	start, end := o.bounds(len(x.Dims))
	dims := x.Dims[start:end]
	c.Out(0, tensor.SpecOf(tensor.Int64, len(dims)))
	outDims(c, 0, tensor.Int64, dims, len(dims))
	return nil
}

func (o shape) Run(c *graph.RunCtx) error {
	x := c.In[0].Shape()
	start, end := o.bounds(len(x))
	y, err := output(c, 0, tensor.Int64, end-start)
	if err != nil {
		return err
	}
	dst := tensor.View[int64](y)
	for i, n := range x[start:end] {
		dst[i] = int64(n)
	}
	return nil
}

// size is the number of elements of its input.
type size struct{}

func newSize(*graph.Attrs) (graph.Op, error) { return size{}, nil }

func (size) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 1); err != nil {
		return err
	}
	c.Out(0, tensor.SpecOf(tensor.Int64))
	if x := c.In(0); x.Ranked {
		outDims(c, 0, tensor.Int64, []tensor.Dim{productDim(x.Dims)})
	}
	return nil
}

func (size) Run(c *graph.RunCtx) error {
	y, err := output(c, 0, tensor.Int64)
	if err != nil {
		return err
	}
	tensor.View[int64](y)[0] = int64(c.In[0].Len())
	return nil
}

// outDims sets the contents of an integer output of no dimension (no shape given) or one: as a constant where all are
// known.
func outDims(c *graph.InferCtx, i int, d tensor.DType, dims []tensor.Dim, shape ...int) {
	vals := make([]int64, len(dims))
	for k, x := range dims {
		if !x.Known() {
			c.OutInts(i, dims)
			return
		}
		vals[k] = int64(x.Size)
	}
	outVals(c, i, d, vals, shape...)
}

// outVals sets the contents of an output of type int64 or int32; of another type it does nothing.
func outVals(c *graph.InferCtx, i int, d tensor.DType, vals []int64, shape ...int) {
	t, err := tensor.New(d, shape...)
	if err != nil || t.Len() != len(vals) {
		return
	}
	switch d {
	case tensor.Int64:
		copy(tensor.View[int64](t), vals)
	case tensor.Int32:
		dst := tensor.View[int32](t)
		for k, v := range vals {
			dst[k] = int32(v)
		}
	default:
		return
	}
	c.OutConst(i, t)
}

// productDim is the number of elements that dims hold, a symbol where all else is 1.
func productDim(dims []tensor.Dim) tensor.Dim {
	n, symbol, symbols := 1, tensor.AnyDim, 0
	for _, d := range dims {
		if d.Known() {
			n *= d.Size
			continue
		}
		symbol = d
		symbols++
	}
	switch {
	case symbols == 0 || n == 0:
		return tensor.Fixed(n)
	case symbols == 1 && n == 1:
		return symbol
	}
	return tensor.AnyDim
}
