package onnxgo

import (
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	qtensor "github.com/qrun-onnx/qrun/tensor"
)

var dtypes = map[tensor.Dtype]qtensor.DType{
	tensor.Bool: qtensor.Bool, tensor.Int8: qtensor.Int8, tensor.Int16: qtensor.Int16, tensor.Int32: qtensor.Int32, tensor.Int64: qtensor.Int64,
	tensor.Int: qtensor.Int64, tensor.Uint8: qtensor.Uint8, tensor.Uint16: qtensor.Uint16, tensor.Uint32: qtensor.Uint32,
	tensor.Uint64: qtensor.Uint64, tensor.Float32: qtensor.Float32, tensor.Float64: qtensor.Float64, tensor.Complex64: qtensor.Complex64,
	tensor.Complex128: qtensor.Complex128, tensor.String: qtensor.String,
}

func dtypeOf(d tensor.Dtype) qtensor.DType { return dtypes[d] }

// FromGorgonia makes a tensor over the elements of t, without a copy where t is contiguous and row-major; transposed
// tensors, parts of others and those of int are copied. It fails on masked tensors and on element types that ONNX does
// not have.
func FromGorgonia(t tensor.Tensor) (*qtensor.Tensor, error) {
	if sparse, ok := t.(*tensor.CS); ok {
		t = sparse.Dense()
	}
	d, ok := t.(*tensor.Dense)
	switch {
	case !ok:
		return nil, fmt.Errorf("a tensor of type %T, want a dense one", t)
	case d.Size() == 0:
		return qtensor.New(dtypeOf(d.Dtype()), d.Shape()...)
	case d.IsMasked():
		return nil, errors.New("a masked tensor, want one with all elements")
	}
	switch data := d.Data().(type) {
	case float32:
		return qtensor.Scalar(data), nil
	case float64:
		return qtensor.Scalar(data), nil
	case int:
		return qtensor.Scalar(int64(data)), nil
	case int8:
		return qtensor.Scalar(data), nil
	case int16:
		return qtensor.Scalar(data), nil
	case int32:
		return qtensor.Scalar(data), nil
	case int64:
		return qtensor.Scalar(data), nil
	case uint8:
		return qtensor.Scalar(data), nil
	case uint16:
		return qtensor.Scalar(data), nil
	case uint32:
		return qtensor.Scalar(data), nil
	case uint64:
		return qtensor.Scalar(data), nil
	case bool:
		return qtensor.Scalar(data), nil
	case string:
		return qtensor.Scalar(data), nil
	case complex64:
		return qtensor.Scalar(data), nil
	case complex128:
		return qtensor.Scalar(data), nil
	case []float32:
		return rowMajor(d, data)
	case []float64:
		return rowMajor(d, data)
	case []int:
		wide := make([]int64, len(data))
		for i, x := range data {
			wide[i] = int64(x)
		}
		return rowMajor(d, wide)
	case []int8:
		return rowMajor(d, data)
	case []int16:
		return rowMajor(d, data)
	case []int32:
		return rowMajor(d, data)
	case []int64:
		return rowMajor(d, data)
	case []uint8:
		return rowMajor(d, data)
	case []uint16:
		return rowMajor(d, data)
	case []uint32:
		return rowMajor(d, data)
	case []uint64:
		return rowMajor(d, data)
	case []bool:
		return rowMajor(d, data)
	case []string:
		return rowMajor(d, data)
	case []complex64:
		return rowMajor(d, data)
	case []complex128:
		return rowMajor(d, data)
	}
	return nil, fmt.Errorf("elements of type %v, which ONNX does not have", d.Dtype())
}

// rowMajor makes a tensor over data, d's elements, or over a copy in row-major order.
func rowMajor[T qtensor.Element](d *tensor.Dense, data []T) (*qtensor.Tensor, error) {
	shape, strides := []int(d.Shape()), d.Strides()
	if len(strides) != len(shape) {
		return nil, fmt.Errorf("a tensor of shape %v with strides %v", shape, strides)
	}
	n, plain := 1, true
	for i, size := range slices.Backward(shape) {
		plain = plain && (size == 1 || strides[i] == n)
		n *= size
	}
	if plain && len(data) >= n {
		return qtensor.Of(data[:n:n], shape...)
	}
	out := make([]T, 0, n)
	at := make([]int, len(shape))
	for off := 0; len(out) < n; {
		if off < 0 || off >= len(data) {
			return nil, fmt.Errorf("a tensor of shape %v with strides %v and %d elements", shape, strides, len(data))
		}
		out = append(out, data[off])
		for i := len(shape) - 1; i >= 0; i-- {
			at[i]++
			off += strides[i]
			if at[i] < shape[i] {
				break
			}
			off -= at[i] * strides[i]
			at[i] = 0
		}
	}
	return qtensor.Of(out, shape...)
}

// ToGorgonia makes a tensor over the elements of t, without a copy. It fails on sequences, on element types that
// gorgonia does not have, and on tensors without elements, which it does not have either.
func ToGorgonia(t *qtensor.Tensor) (tensor.Tensor, error) {
	if t.Kind() == qtensor.KindTensor && t.Len() == 0 {
		return nil, fmt.Errorf("%v has no elements, and gorgonia has no such tensors", t)
	}
	switch t.DType() {
	case qtensor.Float32:
		return dense[float32](t), nil
	case qtensor.Float64:
		return dense[float64](t), nil
	case qtensor.Int8:
		return dense[int8](t), nil
	case qtensor.Int16:
		return dense[int16](t), nil
	case qtensor.Int32:
		return dense[int32](t), nil
	case qtensor.Int64:
		return dense[int64](t), nil
	case qtensor.Uint8:
		return dense[uint8](t), nil
	case qtensor.Uint16:
		return dense[uint16](t), nil
	case qtensor.Uint32:
		return dense[uint32](t), nil
	case qtensor.Uint64:
		return dense[uint64](t), nil
	case qtensor.Bool:
		return dense[bool](t), nil
	case qtensor.String:
		return dense[string](t), nil
	case qtensor.Complex64:
		return dense[complex64](t), nil
	case qtensor.Complex128:
		return dense[complex128](t), nil
	}
	return nil, fmt.Errorf("gorgonia has no tensor for %v", t)
}

func dense[T qtensor.Element](t *qtensor.Tensor) tensor.Tensor {
	return tensor.New(tensor.WithShape(t.Shape()...), tensor.WithBacking(qtensor.View[T](t)))
}
