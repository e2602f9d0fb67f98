package main

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/internal/accuracy"
	"github.com/qrun-onnx/qrun/tensor"
)

// convert changes t to another element type where that loses nothing; note says so when it did anything.
func convert(t *tensor.Tensor, want tensor.DType) (out *tensor.Tensor, note string, err error) {
	if t.DType() == want || t.Kind() != tensor.KindTensor {
		return t, "", nil
	}
	v, ok := accuracy.Floats(t)
	if !ok {
		return nil, "", fmt.Errorf("%v cannot become %v", t, want)
	}
	out, err = fromFloats(v, want, t.Shape())
	if err != nil {
		return nil, "", err
	}
	back, _ := accuracy.Floats(out)
	wide := t.DType() == tensor.Int64 || t.DType() == tensor.Uint64
	for i := range v {
		if wide && math.Abs(v[i]) > 1<<53 {
			return nil, "", fmt.Errorf("%.0f of type %v may not fit %v", v[i], t.DType(), want)
		}
		if back[i] != v[i] && v[i] == v[i] {
			return nil, "", fmt.Errorf("%v of type %v does not fit %v", v[i], t.DType(), want)
		}
	}
	return out, fmt.Sprintf("converted from %v", t.DType()), nil
}

// fromFloats makes a tensor of any numeric type.
func fromFloats(v []float64, d tensor.DType, shape []int) (*tensor.Tensor, error) {
	switch d {
	case tensor.Float32:
		return cast[float32](v, shape)
	case tensor.Float64:
		return cast[float64](v, shape)
	case tensor.Int8:
		return cast[int8](v, shape)
	case tensor.Uint8:
		return cast[uint8](v, shape)
	case tensor.Int16:
		return cast[int16](v, shape)
	case tensor.Uint16:
		return cast[uint16](v, shape)
	case tensor.Int32:
		return cast[int32](v, shape)
	case tensor.Uint32:
		return cast[uint32](v, shape)
	case tensor.Int64:
		return cast[int64](v, shape)
	case tensor.Uint64:
		return cast[uint64](v, shape)
	case tensor.Float16:
		h := make([]tensor.F16, len(v))
		for i, x := range v {
			h[i] = tensor.ToF16(float32(x))
		}
		return shaped(h, shape)
	case tensor.BFloat16:
		h := make([]tensor.BF16, len(v))
		for i, x := range v {
			h[i] = tensor.ToBF16(float32(x))
		}
		return shaped(h, shape)
	case tensor.Bool:
		b := make([]bool, len(v))
		for i, x := range v {
			b[i] = x != 0
		}
		return shaped(b, shape)
	}
	return nil, fmt.Errorf("values of type %v cannot be made from numbers; give a .pb file", d)
}

func cast[T float32 | float64 | int8 | uint8 | int16 | uint16 | int32 | uint32 | int64 | uint64](v []float64, shape []int) (*tensor.Tensor, error) {
	s := make([]T, len(v))
	for i, x := range v {
		s[i] = T(x)
	}
	return shaped(s, shape)
}

// shaped is tensor.Of for which an empty shape is a scalar and nothing else.
func shaped[T tensor.Element](s []T, shape []int) (*tensor.Tensor, error) {
	if len(shape) == 0 && len(s) != 1 {
		return nil, fmt.Errorf("a scalar has one element, got %d", len(s))
	}
	return tensor.Of(s, shape...)
}
