package dynquant

import (
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// rowParams are numbers of the rows of a left operand of this shape: one, or one per row of all its matrices.
func rowParams[T int32 | float32](c *graph.RunCtx, p []T, shape, a []int) []T {
	if len(p) == 1 {
		return p
	}
	lead, m, _ := matrixOf(a, false)
	if len(shape) == 1 {
		if len(lead) == 0 {
			return p
		}
		shape = []int{m, 1}
	}
	target := append(append(make([]int, 0, 8), lead...), m, 1)
	all := scratch[T](c, count(target))
	broadcastTo(all, target, p, shape)
	return all
}

// columnParams are numbers of the columns of a right operand of shape b as packing wants them: one, one per column, or
// one per column of every matrix.
func columnParams[T int32 | float32](p []T, shape, b []int) []T {
	lead, _, n := matrixOf(b, true)
	if len(p) <= 1 || len(shape) == 1 {
		return p
	}
	if shape[len(shape)-1] == n && (len(p) == n || len(p) == n*count(lead)) {
		return p
	}
	target := append(append(make([]int, 0, 8), lead...), 1, n)
	all := make([]T, count(target))
	broadcastTo(all, target, p, shape)
	return all
}

// rowZeros are the zero points of the rows of A as numbers of uint8: those of int8 plus 128. nil is 0.
func rowZeros(c *graph.RunCtx, zero, a *tensor.Tensor) []int32 {
	offset := int32(0)
	if a.DType() == tensor.Int8 {
		offset = 128
	}
	if zero == nil {
		z := scratch[int32](c, 1)
		z[0] = offset
		return z
	}
	z := scratch[int32](c, zero.Len())
	if zero.DType() == tensor.Int8 {
		for i, v := range tensor.View[int8](zero) {
			z[i] = int32(v) + offset
		}
	} else {
		for i, v := range tensor.View[uint8](zero) {
			z[i] = int32(v) + offset
		}
	}
	return rowParams(c, z, zero.Shape(), a.Shape())
}

// floatParams are the elements of a scale as float32.
func floatParams(c *graph.RunCtx, t *tensor.Tensor) []float32 {
	if t.DType() == tensor.Float32 {
		return tensor.View[float32](t)
	}
	wide := scratch[float64](c, t.Len())
	decode(wide, t, 0)
	f := scratch[float32](c, t.Len())
	for i, v := range wide {
		f[i] = float32(v)
	}
	return f
}
