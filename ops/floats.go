package ops

import (
	"unsafe"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// Operators that are rare or whose arithmetic is the small part of a model compute in float64 whatever the type of their
// tensors. These functions bring elements there and back.

// toFloats returns the elements of a tensor of numbers or bools.
func toFloats(t *tensor.Tensor) ([]float64, error) {
	f := make([]float64, t.Len())
	return f, putFloats(f, t)
}

// scratchFloats is toFloats in temporary memory.
func scratchFloats(c *graph.RunCtx, t *tensor.Tensor) ([]float64, error) {
	f := doubleScratch(c, t.Len())
	return f, putFloats(f, t)
}

// putFloats sets f to the elements of a tensor of as many numbers or bools.
func putFloats(f []float64, t *tensor.Tensor) error {
	switch t.DType() {
	case tensor.Float32:
		loadAs[float32](f, t)
	case tensor.Float64:
		loadAs[float64](f, t)
	case tensor.Int8:
		loadAs[int8](f, t)
	case tensor.Int16:
		loadAs[int16](f, t)
	case tensor.Int32:
		loadAs[int32](f, t)
	case tensor.Int64:
		loadAs[int64](f, t)
	case tensor.Uint8, tensor.Bool:
		loadAs[uint8](f, t)
	case tensor.Uint16:
		loadAs[uint16](f, t)
	case tensor.Uint32:
		loadAs[uint32](f, t)
	case tensor.Uint64:
		loadAs[uint64](f, t)
	case tensor.Float16:
		for i, v := range tensor.View[tensor.F16](t) {
			f[i] = float64(v.Float32())
		}
	case tensor.BFloat16:
		for i, v := range tensor.View[tensor.BF16](t) {
			f[i] = float64(v.Float32())
		}
	default:
		return graph.UnsupportedType("elements", t.DType())
	}
	return nil
}

func loadAs[T interface {
	number
	tensor.Element
}](f []float64, t *tensor.Tensor) {
	for i, v := range tensor.View[T](t) {
		f[i] = float64(v)
	}
}

// doubleScratch is temporary memory for n float64.
func doubleScratch(c *graph.RunCtx, n int) []float64 {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(c.Scratch(8*n)))), n)
}

// complexScratch is temporary memory for n complex128.
func complexScratch(c *graph.RunCtx, n int) []complex128 {
	return unsafe.Slice((*complex128)(unsafe.Pointer(unsafe.SliceData(c.Scratch(16*n)))), n)
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
