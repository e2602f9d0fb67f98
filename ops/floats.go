package ops

import (
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// Operators that are rare or whose arithmetic is the small part of a model compute in float64 whatever the type of their
// tensors. These functions bring elements there and back.

// toFloats returns the elements of a tensor of numbers or bools.
func toFloats(t *tensor.Tensor) ([]float64, error) {
	switch t.DType() {
	case tensor.Float32:
		return loadAs[float32](t), nil
	case tensor.Float64:
		return loadAs[float64](t), nil
	case tensor.Int8:
		return loadAs[int8](t), nil
	case tensor.Int16:
		return loadAs[int16](t), nil
	case tensor.Int32:
		return loadAs[int32](t), nil
	case tensor.Int64:
		return loadAs[int64](t), nil
	case tensor.Uint8, tensor.Bool:
		return loadAs[uint8](t), nil
	case tensor.Uint16:
		return loadAs[uint16](t), nil
	case tensor.Uint32:
		return loadAs[uint32](t), nil
	case tensor.Uint64:
		return loadAs[uint64](t), nil
	}
	f := make([]float64, t.Len())
	switch t.DType() {
	case tensor.Float16:
		for i, v := range tensor.View[tensor.F16](t) {
			f[i] = float64(v.Float32())
		}
	case tensor.BFloat16:
		for i, v := range tensor.View[tensor.BF16](t) {
			f[i] = float64(v.Float32())
		}
	default:
		return nil, graph.UnsupportedType("elements", t.DType())
	}
	return f, nil
}

func loadAs[T interface {
	number
	tensor.Element
}](t *tensor.Tensor) []float64 {
	f := make([]float64, t.Len())
	for i, v := range tensor.View[T](t) {
		f[i] = float64(v)
	}
	return f
}

// fromFloats sets the elements of a tensor of numbers: floats are rounded to nearest, integers cut.
func fromFloats(t *tensor.Tensor, f []float64) error {
	switch t.DType() {
	case tensor.Float32:
		storeAs[float32](t, f)
	case tensor.Float64:
		storeAs[float64](t, f)
	case tensor.Int8:
		storeAs[int8](t, f)
	case tensor.Int16:
		storeAs[int16](t, f)
	case tensor.Int32:
		storeAs[int32](t, f)
	case tensor.Int64:
		storeAs[int64](t, f)
	case tensor.Uint8:
		storeAs[uint8](t, f)
	case tensor.Uint16:
		storeAs[uint16](t, f)
	case tensor.Uint32:
		storeAs[uint32](t, f)
	case tensor.Uint64:
		storeAs[uint64](t, f)
	case tensor.Bool:
		b := t.Bytes()
		for i, v := range f {
			if b[i] = 0; v != 0 {
				b[i] = 1
			}
		}
	case tensor.Float16:
		h := tensor.View[tensor.F16](t)
		for i, v := range f {
			h[i] = tensor.ToF16(float32(v))
		}
	case tensor.BFloat16:
		h := tensor.View[tensor.BF16](t)
		for i, v := range f {
			h[i] = tensor.ToBF16(float32(v))
		}
	default:
		return graph.UnsupportedType("elements", t.DType())
	}
	return nil
}

func storeAs[T interface {
	number
	tensor.Element
}](t *tensor.Tensor, f []float64) {
	y := tensor.View[T](t)
	for i, v := range f {
		y[i] = T(v)
	}
}

// floatTensor makes a tensor of numbers.
func floatTensor(d tensor.DType, f []float64, shape ...int) (*tensor.Tensor, error) {
	t, err := tensor.New(d, shape...)
	if err != nil {
		return nil, err
	}
	return t, fromFloats(t, f)
}
