package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func expands(l lib) []graph.Def {
	all := everyType()
	return []graph.Def{
		{Op: "Expand", Since: 8, New: newExpand, Types: all},
		{Op: "Tile", Since: 1, New: newTile1, Types: all},
		{Op: "Tile", Since: 6, New: newTile, Types: all},
	}
}

// expand broadcasts input 0 against the shape in input 1, both ways.
type expand struct{}

func newExpand(*graph.Attrs) (graph.Op, error) { return expand{}, nil }

func (expand) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 2, 2); err != nil {
		return err
	}
	x := c.In(0)
	if err := wantType(c, 1, "shape", tensor.Int64); err != nil {
		return err
	}
	want, ok := c.Ints(1)
	if !ok {
		n := knownLen(c, 1)
		if n < 0 {
			c.Out(0, tensor.Unranked(x.DType))
			return nil
		}
		want = anyDims(n)
	}
	if vals, ok := constInts(c, 1); ok {
		for _, v := range vals {
			if v < 0 {
				return fmt.Errorf("shape %v has a negative size", vals)
			}
		}
	}
	if !x.Ranked {
		c.Out(0, tensor.Unranked(x.DType))
		return nil
	}
	dims, err := expanded(x.Dims, want)
	if err != nil {
		return err
	}
	if err := checkDims(x.DType, dims); err != nil {
		return err
	}
	c.Out(0, tensor.Ranked(x.DType, dims))
	if vals, ok := constInts(c, 0); ok && len(vals) == 1 && len(dims) == 1 && dims[0].Known() && dims[0].Size <= maxKnown {
		out := make([]int64, dims[0].Size)
		for i := range out {
			out[i] = vals[0]
		}
		outVals(c, 0, x.DType, out, len(out))
	}
	return nil
}

// maxKnown bounds the tensors whose contents inference follows.
const maxKnown = 256

func expanded(x, want []tensor.Dim) ([]tensor.Dim, error) {
	dims := make([]tensor.Dim, max(len(x), len(want)))
	for i := range dims {
		a, b := tensor.Fixed(1), tensor.Fixed(1)
		if k := i - len(dims) + len(x); k >= 0 {
			a = x[k]
		}
		if k := i - len(dims) + len(want); k >= 0 {
			b = want[k]
		}
		d, ok := broadcastDim(a, b)
		if !ok {
			return nil, fmt.Errorf("cannot expand %v to %v", x, want)
		}
		dims[i] = d
	}
	return dims, nil
}

func (expand) Run(c *graph.RunCtx) error {
	x := c.In[0]
	if c.Out[0] == nil {
		dims, err := expanded(fixedDims(x.Shape()), intDims(runInts(c.In[1])))
		if err != nil {
			return err
		}
		if _, err := output(c, 0, x.DType(), sizes(dims)...); err != nil {
			return err
		}
	}
	y := c.Out[0]
	if y.Len() == 0 {
		return nil
	}
	j := graph.State[boxJob](c)
	j.reset()
	to, from := y.Len(), x.Len()
	for i, n := range y.Shape() {
		to /= n
		k := i - y.Rank() + x.Rank()
		if k < 0 || x.Shape()[k] == 1 {
			j.axis(n, to, 0)
			continue
		}
		from /= n
		j.axis(n, to, from)
	}
	return j.copy(c, y, x)
}

// tile repeats its input along every axis as often as input 1 says.
type tile struct{}

func newTile(*graph.Attrs) (graph.Op, error) { return tile{}, nil }

func (tile) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 2, 2); err != nil {
		return err
	}
	x := c.In(0)
	if err := wantType(c, 1, "repeats", tensor.Int64); err != nil {
		return err
	}
	if !x.Ranked {
		if n := knownLen(c, 1); n >= 0 {
			c.Out(0, tensor.Ranked(x.DType, anyDims(n)))
		} else {
			c.Out(0, tensor.Unranked(x.DType))
		}
		return nil
	}
	if n := knownLen(c, 1); n >= 0 && n != len(x.Dims) {
		return fmt.Errorf("%d repeats for %v", n, x)
	}
	repeats, ok := c.Ints(1)
	exact, isExact := constInts(c, 1)
	dims := anyDims(len(x.Dims))
	for i, d := range x.Dims {
		switch {
		case !ok:
		case isExact && exact[i] < 0:
			return fmt.Errorf("repeats %v have a negative number", exact)
		case d.Known() && repeats[i].Known():
			if d.Size > 0 && int64(repeats[i].Size) > maxTensorBytes/int64(d.Size) {
				return fmt.Errorf("repeats %v of %v make a tensor that is too large", repeats, x)
			}
			dims[i] = tensor.Fixed(d.Size * repeats[i].Size)
		case repeats[i].Size == 1:
			dims[i] = d
		case d.Size == 1:
			dims[i] = repeats[i]
		}
	}
	if err := checkDims(x.DType, dims); err != nil {
		return err
	}
	c.Out(0, tensor.Ranked(x.DType, dims))
	return nil
}

func (tile) Run(c *graph.RunCtx) error {
	x := c.In[0]
	shape := x.Shape()
	if c.Out[0] == nil {
		dims := append([]int{}, shape...)
		for i, v := range runInts(c.In[1]) {
			if v < 0 || v > maxTensorBytes/int64(max(dims[i], 1)) {
				return fmt.Errorf("repeat %d of axis %d is out of range", v, i)
			}
			dims[i] *= int(v)
		}
		if _, err := output(c, 0, x.DType(), dims...); err != nil {
			return err
		}
	}
	return repeat(c, c.Out[0], x)
}

// repeat fills y with copies of x side by side, as many as fit on each axis.
func repeat(c *graph.RunCtx, y, x *tensor.Tensor) error {
	if y.Len() == 0 {
		return nil
	}
	j := graph.State[boxJob](c)
	j.reset()
	to, from := y.Len(), x.Len()
	for i, n := range x.Shape() {
		m := y.Shape()[i]
		to /= m
		from /= n
		j.axis(m/n, to*n, 0)
		j.axis(n, to, from)
	}
	return j.copy(c, y, x)
}

// tile1 repeats along one axis, both numbers being inputs.
type tile1 struct{}

func newTile1(*graph.Attrs) (graph.Op, error) { return tile1{}, nil }

func (tile1) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 3, 3); err != nil {
		return err
	}
	x := c.In(0)
	count, ok1 := constInts(c, 1)
	axis, ok2 := constInts(c, 2)
	if !x.Ranked || !ok1 || !ok2 {
		c.Out(0, tensor.Spec{DType: x.DType, Dims: anyDims(len(x.Dims)), Ranked: x.Ranked})
		return nil
	}
	dims, err := tiled1(x.Dims, count, axis)
	if err != nil {
		return err
	}
	c.Out(0, tensor.Ranked(x.DType, dims))
	return checkDims(x.DType, dims)
}

func tiled1(x []tensor.Dim, count, axis []int64) ([]tensor.Dim, error) {
	if len(count) != 1 || len(axis) != 1 {
		return nil, fmt.Errorf("tiles %v and axis %v, want a number each", count, axis)
	}
	a, err := axisOf(axis[0], len(x))
	if err != nil {
		return nil, err
	}
	dims := append([]tensor.Dim{}, x...)
	if count[0] < 0 || count[0] > maxTensorBytes/int64(max(x[a].Size, 1)) {
		return nil, fmt.Errorf("tiles %d is out of range", count[0])
	}
	if dims[a].Known() {
		dims[a] = tensor.Fixed(dims[a].Size * int(count[0]))
	} else if count[0] != 1 {
		dims[a] = tensor.AnyDim
	}
	return dims, nil
}

func (tile1) Run(c *graph.RunCtx) error {
	x := c.In[0]
	if c.Out[0] == nil {
		dims, err := tiled1(fixedDims(x.Shape()), runInts(c.In[1]), runInts(c.In[2]))
		if err != nil {
			return err
		}
		if _, err := output(c, 0, x.DType(), sizes(dims)...); err != nil {
			return err
		}
	}
	return repeat(c, c.Out[0], x)
}
