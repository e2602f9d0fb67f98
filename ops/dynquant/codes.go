package dynquant

import (
	"math"

	"github.com/qrun-onnx/qrun/tensor"
)

// intRange is the range of an integer type that quantization makes.
func intRange(d tensor.DType) (lo, hi float64, ok bool) {
	switch d {
	case tensor.Uint8, tensor.Uint16, tensor.Uint4, tensor.Uint2:
		return 0, float64(int(1)<<d.Bits() - 1), true
	case tensor.Int8, tensor.Int16, tensor.Int4, tensor.Int2:
		half := float64(int(1) << (d.Bits() - 1))
		return -half, half - 1, true
	}
	return 0, 0, false
}

func isMinifloat(d tensor.DType) bool {
	return d >= tensor.Float8E4M3FN && d <= tensor.Float8E5M2FNUZ || d == tensor.Float4E2M1
}

// decode writes the values of the elements of t from the one at index i on to dst.
func decode(dst []float64, t *tensor.Tensor, i int) {
	switch d := t.DType(); d {
	case tensor.Float32:
		widen(dst, tensor.View[float32](t)[i:])
	case tensor.Uint8:
		widen(dst, tensor.View[uint8](t)[i:])
	case tensor.Int8:
		widen(dst, tensor.View[int8](t)[i:])
	case tensor.Uint16:
		widen(dst, tensor.View[uint16](t)[i:])
	case tensor.Int16:
		widen(dst, tensor.View[int16](t)[i:])
	case tensor.Int32:
		widen(dst, tensor.View[int32](t)[i:])
	case tensor.Float16, tensor.BFloat16:
		for k, v := range tensor.View[uint16](t)[i : i+len(dst)] {
			dst[k] = float64(tensor.DecodeFloat(d, v))
		}
	default:
		bits, buf := d.Bits(), t.Bytes()
		for k := range dst {
			at := (i + k) * bits
			v := buf[at/8] >> (at % 8) & (1<<bits - 1)
			switch d {
			case tensor.Uint4, tensor.Uint2:
				dst[k] = float64(v)
			case tensor.Int4, tensor.Int2:
				dst[k] = float64(int8(v<<(8-bits)) >> (8 - bits))
			default:
				dst[k] = float64(tensor.DecodeFloat(d, uint16(v)))
			}
		}
	}
}

func widen[T float32 | uint8 | int8 | uint16 | int16 | int32](dst []float64, src []T) {
	for k := range dst {
		dst[k] = float64(src[k])
	}
}

// encode sets the elements of t from the one at index i on, which begins a byte, to numbers of its range. Floats are
// rounded.
func encode(t *tensor.Tensor, i int, src []float64, saturate bool) {
	switch d := t.DType(); d {
	case tensor.Float32:
		narrow(tensor.View[float32](t)[i:], src)
	case tensor.Uint8:
		narrow(tensor.View[uint8](t)[i:], src)
	case tensor.Int8:
		narrow(tensor.View[int8](t)[i:], src)
	case tensor.Uint16:
		narrow(tensor.View[uint16](t)[i:], src)
	case tensor.Int16:
		narrow(tensor.View[int16](t)[i:], src)
	case tensor.Float16:
		dst := tensor.View[tensor.F16](t)[i:]
		for k, v := range src {
			dst[k] = tensor.ToF16(float32(v))
		}
	case tensor.BFloat16:
		dst := tensor.View[tensor.BF16](t)[i:]
		for k, v := range src {
			dst[k] = tensor.ToBF16(float32(v))
		}
	default:
		encodeBits(t, i, src, saturate)
	}
}

func narrow[T float32 | uint8 | int8 | uint16 | int16](dst []T, src []float64) {
	for k, v := range src {
		dst[k] = T(v)
	}
}

func encodeBits(t *tensor.Tensor, i int, src []float64, saturate bool) {
	d := t.DType()
	bits := d.Bits()
	buf := t.Bytes()[i*bits/8:]
	for k, v := range src {
		var code uint8
		if isMinifloat(d) {
			code = uint8(tensor.EncodeFloat(d, float32(v), saturate))
		} else {
			code = uint8(int8(v)) & (1<<bits - 1)
		}
		at := k * bits
		if at%8 == 0 {
			buf[at/8] = 0
		}
		buf[at/8] |= code << (at % 8)
	}
}

// roundTo rounds x to a type in which a division is made; one that is not a float leaves it as it is.
func roundTo(d tensor.DType, x float64) float64 {
	switch d {
	case tensor.Float32:
		return float64(float32(x))
	case tensor.Float16:
		return float64(tensor.ToF16(float32(x)).Float32())
	case tensor.BFloat16:
		return float64(tensor.ToBF16(float32(x)).Float32())
	}
	return x
}

// roundClip rounds q to the nearest integer, ties to even, adds the zero point and clips; NaN becomes lo.
func roundClip(q, zero, lo, hi float64) float64 {
	v := math.RoundToEven(q) + zero
	if !(v > lo) {
		return lo
	}
	return min(v, hi)
}
