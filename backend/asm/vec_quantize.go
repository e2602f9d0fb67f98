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
