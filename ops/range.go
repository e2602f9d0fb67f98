package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func ranges(l lib) []graph.Def {
	return []graph.Def{
		{Op: "Range", Since: 11, New: newRange, Types: dtypes{tensor.Float32, tensor.Float64, tensor.Int16, tensor.Int32, tensor.Int64}},
	}
}

// sequenceOf is start, start+delta, ... before limit; all three are inputs.
type sequenceOf struct{}

func newRange(*graph.Attrs) (graph.Op, error) { return sequenceOf{}, nil }

func (sequenceOf) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 3, 3); err != nil {
		return err
	}
	d, err := sameType(c, 0, 1, 2)
	if err != nil {
		return err
	}
	if err := checkType("inputs", d, dtypes{tensor.Float32, tensor.Float64, tensor.Int16, tensor.Int32, tensor.Int64}); err != nil {
		return err
	}
	for i, name := range []string{"start", "limit", "delta"} {
		if n := knownLen(c, i); n >= 0 && n != 1 || c.In(i).Rank() > 1 {
			return fmt.Errorf("%s is %v, want a scalar", name, c.In(i))
		}
	}
	var size tensor.Dim
	if a, b, s := c.Const(0), c.Const(1), c.Const(2); a != nil && b != nil && s != nil {
		n, err := rangeLen(a, b, s)
		if err != nil {
			return err
		}
		size = tensor.Fixed(n)
	} else if size, err = rangeDim(c); err != nil {
		return err
	}
	if size.Known() {
		if err := checkSize(d, []int{size.Size}); err != nil {
			return err
		}
	}
	c.Out(0, tensor.Ranked(d, []tensor.Dim{size}))
	if start, ok := constInts(c, 0); ok && size.Known() && size.Size <= maxKnown && d.IsInteger() {
		if delta, ok := constInts(c, 2); ok {
			vals := make([]int64, size.Size)
			for i := range vals {
				vals[i] = start[0] + int64(i)*delta[0]
			}
			outVals(c, 0, d, vals, len(vals))
		}
	}
	return nil
}

// rangeDim is the length where the inputs are known as dimensions: from 0 to a symbol by 1 it is the symbol.
func rangeDim(c *graph.InferCtx) (tensor.Dim, error) {
	start, ok1 := constInts(c, 0)
	limit, ok2 := c.Ints(1)
	delta, ok3 := constInts(c, 2)
	if !ok1 || !ok2 || !ok3 || len(start) != 1 || len(limit) != 1 || len(delta) != 1 {
		return tensor.AnyDim, nil
	}
	if limit, ok := constInts(c, 1); ok {
		n, err := rangeLen(tensor.Scalar(start[0]), tensor.Scalar(limit[0]), tensor.Scalar(delta[0]))
		return tensor.Fixed(n), err
	}
	if start[0] == 0 && delta[0] == 1 {
		return limit[0], nil
	}
	return tensor.AnyDim, nil
}

// rangeLen is max(0, ceil((limit-start)/delta)).
func rangeLen(start, limit, delta *tensor.Tensor) (int, error) {
	var n float64
	if a, ok := graph.ConstInts(start); ok {
		b, s := runInts(limit)[0], runInts(delta)[0]
		if s == 0 {
			return 0, fmt.Errorf("delta is 0")
		}
		if (b > a[0]) != (s > 0) || a[0] == b {
			return 0, nil
		}
		span, step := uint64(b)-uint64(a[0]), uint64(s)
		if s < 0 {
			span, step = -span, -step
		}
		n = float64((span-1)/step + 1)
	} else {
		a, b, s := number64(start), number64(limit), number64(delta)
		if s == 0 || math.IsNaN(a+b+s) {
			return 0, fmt.Errorf("start %v, limit %v and delta %v make no range", a, b, s)
		}
		n = max(0, math.Ceil((b-a)/s))
	}
	if n > float64(maxTensorBytes) {
		return 0, fmt.Errorf("range of %g elements is too large", n)
	}
	return int(n), nil
}

// number64 is the one element of a float32 or float64 tensor.
func number64(t *tensor.Tensor) float64 {
	if t.DType() == tensor.Float64 {
		return tensor.View[float64](t)[0]
	}
	return float64(tensor.View[float32](t)[0])
}

func (sequenceOf) Run(c *graph.RunCtx) error {
	start, limit, delta := c.In[0], c.In[1], c.In[2]
	if c.Out[0] == nil {
		n, err := rangeLen(start, limit, delta)
		if err != nil {
			return err
		}
		if _, err := output(c, 0, start.DType(), n); err != nil {
			return err
		}
	}
	switch y := c.Out[0]; y.DType() {
	case tensor.Float32:
		fillRange(tensor.View[float32](y), start, delta)
	case tensor.Float64:
		fillRange(tensor.View[float64](y), start, delta)
	case tensor.Int16:
		fillRange(tensor.View[int16](y), start, delta)
	case tensor.Int32:
		fillRange(tensor.View[int32](y), start, delta)
	case tensor.Int64:
		fillRange(tensor.View[int64](y), start, delta)
	}
	return nil
}

func fillRange[T interface {
	number
	tensor.Element
}](y []T, start, delta *tensor.Tensor) {
	a, s := tensor.View[T](start)[0], tensor.View[T](delta)[0]
	for i := range y {
		y[i] = a + T(T(i)*s)
	}
}
