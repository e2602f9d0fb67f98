package onnx

import (
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// fromFields makes a tensor of n elements out of the typed fields of p: the form of old and of hand-made files.
func fromFields(p *TensorProto, d tensor.DType, shape []int, n int) (*tensor.Tensor, error) {
	f := fields{d, shape}
	switch d {
	case tensor.Float32:
		return same(f, "float_data", p.FloatData, n)
	case tensor.Float64:
		return same(f, "double_data", p.DoubleData, n)
	case tensor.Int64:
		return same(f, "int64_data", p.Int64Data, n)
	case tensor.Uint64:
		return same(f, "uint64_data", p.Uint64Data, n)
	case tensor.Int32:
		return same(f, "int32_data", p.Int32Data, n)
	case tensor.Complex64:
		return pairs(f, "float_data", p.FloatData, n, func(re, im float32) complex64 { return complex(re, im) })
	case tensor.Complex128:
		return pairs(f, "double_data", p.DoubleData, n, func(re, im float64) complex128 { return complex(re, im) })
	case tensor.Uint32:
		return narrow[uint32](f, "uint64_data", p.Uint64Data, n)
	case tensor.Uint16, tensor.Float16, tensor.BFloat16:
		return narrow[uint16](f, "int32_data", p.Int32Data, n)
	case tensor.Int16:
		return narrow[int16](f, "int32_data", p.Int32Data, n)
	case tensor.Int8:
		return narrow[int8](f, "int32_data", p.Int32Data, n)
	case tensor.Bool:
		if i := slices.IndexFunc(p.Int32Data, func(v int32) bool { return v>>1 != 0 }); i >= 0 {
			return nil, formatErr("value %d of bool%v is %d, want 0 or 1", i, shape, p.Int32Data[i])
		}
	}
	// uint8, bool and the float formats of 8 bits: one element a value; types of 4 and 2 bits: one byte of elements.
	return narrow[uint8](f, "int32_data", p.Int32Data, d.ByteLen(n))
}

// fields is the type and shape of a tensor whose typed fields are read.
type fields struct {
	dtype tensor.DType
	shape []int
}

func (f fields) count(field string, got, want int) error {
	if got != want {
		return formatErr("%v%v takes %d values in %s, got %d", f.dtype, f.shape, want, field, got)
	}
	return nil
}

// same shares the field's memory.
func same[T tensor.Element](f fields, field string, data []T, n int) (*tensor.Tensor, error) {
	if err := f.count(field, len(data), n); err != nil {
		return nil, err
	}
	return tensor.Of(data, f.shape...)
}

func pairs[P float32 | float64, C tensor.Element](f fields, field string, data []P, n int, join func(re, im P) C) (*tensor.Tensor, error) {
	if err := f.count(field, len(data), 2*n); err != nil {
		return nil, err
	}
	c := make([]C, n)
	for i := range c {
		c[i] = join(data[2*i], data[2*i+1])
	}
	return tensor.Of(c, f.shape...)
}

// narrow stores n values of a wider field in units of D's size. It fails for a value that does not fit.
func narrow[D uint8 | int8 | uint16 | int16 | uint32, S int32 | uint64](f fields, field string, src []S, n int) (*tensor.Tensor, error) {
	if err := f.count(field, len(src), n); err != nil {
		return nil, err
	}
	units, err := tensor.New(tensor.DTypeOf[D](), n)
	if err != nil {
		return nil, err
	}
	for i := range tensor.View[D](units) {
		v := D(src[i])
		if S(v) != src[i] {
			return nil, formatErr("value %d of %v%v is %d, which does not fit", i, f.dtype, f.shape, src[i])
		}
		tensor.View[D](units)[i] = v
	}
	return tensor.FromBytes(f.dtype, units.Bytes(), f.shape...)
}
