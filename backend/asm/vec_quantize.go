package asm

import "math"

// quantizeU8 clamps before it rounds, which is the same since the bounds are integers. NaN becomes 0.
func quantizeU8(dst []uint8, src []float32, scale float32, zero uint8) (sum int32) {
	z := float32(zero)
	for i, x := range src {
		t := minNaN(maxNaN(x/scale, -z), 255-z)
		q := uint8(int32(math.RoundToEven(float64(t))) + int32(zero))
		dst[i] = q
		sum += int32(q)
	}
	return sum
}

// dequantize is float32(q-zero)*scale.
func dequantize[T int8 | uint8](dst []float32, src []T, scale float32, zero int32) {
	for i, q := range src {
		dst[i] = float32(int32(q)-zero) * scale
	}
}

// QuantizeU8 computes dst[i] = clamp(rne(src[i]/scale)+zero, 0, 255), NaN as 0, and returns the sum of dst.
func (v *Vector) QuantizeU8(dst []uint8, src []float32, scale float32, zero uint8) (sum int32) {
	return quantizeU8(dst, src, scale, zero)
}

// DequantizeU8 computes dst[i] = float32(src[i]-zero)*scale.
func (v *Vector) DequantizeU8(dst []float32, src []uint8, scale float32, zero int32) {
	dequantize(dst, src, scale, zero)
}

// DequantizeI8 computes dst[i] = float32(src[i]-zero)*scale.
func (v *Vector) DequantizeI8(dst []float32, src []int8, scale float32, zero int32) {
	dequantize(dst, src, scale, zero)
}

// HalfToFloat widens float16 bits; a signalling NaN becomes quiet.
func (v *Vector) HalfToFloat(dst []float32, src []uint16) { halfToFloat(dst, src) }

// FloatToHalf rounds to nearest even.
func (v *Vector) FloatToHalf(dst []uint16, src []float32) { floatToHalf(dst, src) }

// IntToFloat rounds to nearest even.
func (v *Vector) IntToFloat(dst []float32, src []int32) { intToFloat(dst, src) }
