package ops

import (
	"fmt"
	"slices"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func pRelus(l lib) []graph.Def {
	types := slices.Concat(floatTypes, dtypes{tensor.Int32, tensor.Int64, tensor.Uint32, tensor.Uint64})
	mk := func(a *graph.Attrs) (graph.Op, error) {
		ignoreConsumed(a)
		return pRelu{l, a.Opset < 7, types}, nil
	}
	return []graph.Def{{Op: "PRelu", Since: 1, Types: types, New: mk}, {Op: "PRelu", Since: 7, Types: types, New: mk}}
}

// pRelu is y = x where x >= 0, else slope*x; the slope broadcasts to x. Before opset 7 a slope of one dimension belongs
// to the channels, dimension 1.
type pRelu struct {
	lib
	channels bool
	types    dtypes
}

func (pRelu) InPlace() []int { return []int{0} }

// tail is the number of dimensions of size 1 to append to the shape of the slope.
func (o pRelu) tail(rankX, rankSlope int) int {
	if o.channels && rankSlope == 1 && rankX > 2 {
		return rankX - 2
	}
	return 0
}

func (o pRelu) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 2, 2); err != nil {
		return err
	}
	d, err := sameType(c, 0, 1)
	if err != nil {
		return err
	}
	if err := checkType("input", d, o.types); err != nil {
		return err
	}
	x, slope := c.In(0), c.In(1)
	c.Out(0, x)
	if x.Ranked && slope.Ranked && !(o.channels && len(slope.Dims) == 1 && slope.Dims[0].Size == 1) {
		slope.Dims = slices.Clone(slope.Dims)
		for range o.tail(len(x.Dims), len(slope.Dims)) {
			slope.Dims = append(slope.Dims, tensor.Fixed(1))
		}
	}
	if err := broadcastsInto("slope", slope, x); err != nil {
		return fmt.Errorf("slope is %v, which does not broadcast to %v", c.In(1), x)
	}
	return nil
}

func (o pRelu) Run(c *graph.RunCtx) error {
	x, slope := c.In[0], c.In[1]
	shape := slope.Shape()
	if n := o.tail(x.Rank(), slope.Rank()); n > 0 && slope.Len() > 1 {
		shape = slices.Clone(shape)
		for range n {
			shape = append(shape, 1)
		}
	}
	switch d := x.DType(); d {
	case tensor.Float32:
		return runBinary(c, c.Out[0], x, slope, shape, grainCheap, func() (func(x, s float32) float32, func(dst, a, b []float32)) {
			return nil, o.row
		})
	case tensor.Float64:
		return runPRelu[float64](c, shape)
	case tensor.Float16, tensor.BFloat16:
		return o.asFloat32(c, o.Run)
	case tensor.Int32:
		return runPRelu[int32](c, shape)
	case tensor.Int64:
		return runPRelu[int64](c, shape)
	case tensor.Uint32:
		return runPRelu[uint32](c, shape)
	case tensor.Uint64:
		return runPRelu[uint64](c, shape)
	default:
		return graph.UnsupportedType("input", d)
	}
}

func (o pRelu) row(dst, x, slope []float32) {
	if len(slope) == 1 && len(x) == len(dst) {
		o.k.Unary(backend.LeakyRelu, dst, x, slope[0], 0)
		return
	}
	sx := step(x)
	for i, s := range slope {
		v := x[i*sx]
		if v < 0 {
			v *= s
		}
		dst[i] = v
	}
}

func runPRelu[T interface {
	number
	tensor.Element
}](c *graph.RunCtx, shape []int) error {
	return runBinary(c, c.Out[0], c.In[0], c.In[1], shape, grainCheap, func() (func(x, s T) T, func(dst, a, b []T)) {
		return func(x, s T) T {
			if x < 0 {
				return x * s
			}
			return x
		}, nil
	})
}
