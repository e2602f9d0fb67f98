package asm

import (
	"math"
	"unsafe"
)

// The conversions, in the order of their kernels.
const (
	convertQuantizeU8    = iota // for scales of which there is a good reciprocal
	convertQuantizeU8Div        // for all
	convertDequantizeU8
	convertDequantizeI8
	convertHalfToFloat
	convertFloatToHalf
	convertRequantize
	convertFloatToInt
	convertIntToFloat
	convertTwice
	numConvert
)

//go:noinline
func (k VecConvert) chunk(a *ArgsVecConvert) { k.Call(a) }

// convert runs the conversion in assembly on as many elements as its kernel takes, and returns their number and the
// sum of the results of QuantizeU8.
func convert[D, S any](v *Vector, f int, dst []D, src []S, scale float32, zero int32) (done int, sum int32) {
	if v.convert == 0 {
		return 0, 0
	}
	n := len(src) &^ 15
	a := ArgsVecConvert{F: int64(f), Scale: scale, Zero: zero}
	for i := 0; i < n; i += vecChunk {
		a.Dst, a.Src, a.N = unsafe.Pointer(&dst[i]), unsafe.Pointer(&src[i]), int64(min(vecChunk, n-i))
		(v.convert + VecConvert(f)).chunk(&a)
		sum += a.Sum
	}
	return n, sum
}

// QuantizeU8 computes dst[i] = clamp(rne(src[i]/scale)+zero, 0, 255), NaN as 0, and returns the sum of dst.
func (v *Vector) QuantizeU8(dst []uint8, src []float32, scale float32, zero uint8) (sum int32) {
	f := convertQuantizeU8Div
	if 0x1p-120 < scale && scale < 0x1p120 {
		f = convertQuantizeU8
	}
	n, sum := convert(v, f, dst, src, scale, int32(zero))
	return sum + quantizeU8(dst[n:], src[n:], scale, int32(zero))
}

// Requantize computes dst[i] = rne(clamp(float32(src[i]+bias)*scale, low-zero, low+255-zero)) + zero, its low 8 bits: of
// uint8 with low 0, of int8 with low -128. NaN becomes low. zero is in the range of the results.
func (v *Vector) Requantize(dst []uint8, src []int32, bias int32, scale float32, zero, low int32) {
	n := 0
	if v.convert != 0 {
		n = len(src) &^ 15
		a := ArgsVecConvert{F: convertRequantize, Scale: scale, Zero: zero, Bias: bias, Low: low}
		for i := 0; i < n; i += vecChunk {
			a.Dst, a.Src, a.N = unsafe.Pointer(&dst[i]), unsafe.Pointer(&src[i]), int64(min(vecChunk, n-i))
			(v.convert + convertRequantize).chunk(&a)
		}
	}
	requantize(dst[n:], src[n:], bias, scale, zero, low)
}

// DequantizeU8 computes dst[i] = float32(src[i]-zero)*scale.
func (v *Vector) DequantizeU8(dst []float32, src []uint8, scale float32, zero int32) {
	n, _ := convert(v, convertDequantizeU8, dst, src, scale, zero)
	dequantize(dst[n:], src[n:], scale, zero)
}

// DequantizeI8 computes dst[i] = float32(src[i]-zero)*scale.
func (v *Vector) DequantizeI8(dst []float32, src []int8, scale float32, zero int32) {
	n, _ := convert(v, convertDequantizeI8, dst, src, scale, zero)
	dequantize(dst[n:], src[n:], scale, zero)
}

// HalfToFloat widens float16 bits; a signalling NaN becomes quiet.
func (v *Vector) HalfToFloat(dst []float32, src []uint16) {
	n, _ := convert(v, convertHalfToFloat, dst, src, 0, 0)
	halfToFloat(dst[n:], src[n:])
}

// FloatToHalf rounds to nearest even.
func (v *Vector) FloatToHalf(dst []uint16, src []float32) {
	n, _ := convert(v, convertFloatToHalf, dst, src, 0, 0)
	floatToHalf(dst[n:], src[n:])
}

// IntToFloat rounds to nearest even.
func (v *Vector) IntToFloat(dst []float32, src []int32) {
	n, _ := convert(v, convertIntToFloat, dst, src, 0, 0)
	intToFloat(dst[n:], src[n:])
}

// FloatToInt rounds to nearest even; no magnitude may be above 2^22.
func (v *Vector) FloatToInt(dst []int32, src []float32) {
	n, _ := convert(v, convertFloatToInt, dst, src, 0, 0)
	floatToInt(dst[n:], src[n:])
}

func floatToInt(dst []int32, src []float32) {
	for i, x := range src {
		dst[i] = int32(math.Float32bits(x+gridMagic)) - gridBits
	}
}

// gridBits is the bit pattern of gridMagic.
const gridBits = 0x4b400000

// dequantize is float32(q-zero)*scale.
func dequantize[T int8 | uint8](dst []float32, src []T, scale float32, zero int32) {
	for i, q := range src {
		dst[i] = float32(int32(q)-zero) * scale
	}
}

// requantize rounds by adding 1.5*2^23, which leaves no fraction bits.
func requantize(dst []uint8, src []int32, bias int32, scale float32, zero, low int32) {
	lo, hi := float32(low-zero), float32(low-zero)+255
	for i, x := range src {
		t := minNaN(maxNaN(float32(x+bias)*scale, lo), hi)
		dst[i] = uint8(int32(float32(t+gridMagic)-gridMagic) + zero)
	}
}

// gridMagic is 1.5*2^23.
const gridMagic = 3 << 22

func intToFloat(dst []float32, src []int32) {
	for i, x := range src {
		dst[i] = float32(x)
	}
}

// Twice copies each element to two.
func (v *Vector) Twice(dst [][2]uint32, src []uint32) {
	n, _ := convert(v, convertTwice, dst, src, 0, 0)
	twice(dst[n:], src[n:])
}

func twice(dst [][2]uint32, src []uint32) {
	dst = dst[:len(src)]
	for i, x := range src {
		dst[i] = [2]uint32{x, x}
	}
}

func slice[T any](p unsafe.Pointer, n int64) []T { return unsafe.Slice((*T)(p), n) }

// vecConvertScalar is the Go code of VecConvert kernels.
func vecConvertScalar(a *ArgsVecConvert) {
	floats := slice[float32]
	switch a.F {
	case convertQuantizeU8, convertQuantizeU8Div:
		a.Sum = quantizeU8(slice[uint8](a.Dst, a.N), floats(a.Src, a.N), a.Scale, a.Zero)
	case convertDequantizeU8:
		dequantize(floats(a.Dst, a.N), slice[uint8](a.Src, a.N), a.Scale, a.Zero)
	case convertDequantizeI8:
		dequantize(floats(a.Dst, a.N), slice[int8](a.Src, a.N), a.Scale, a.Zero)
	case convertHalfToFloat:
		halfToFloat(floats(a.Dst, a.N), slice[uint16](a.Src, a.N))
	case convertFloatToHalf:
		floatToHalf(slice[uint16](a.Dst, a.N), floats(a.Src, a.N))
	case convertRequantize:
		requantize(slice[uint8](a.Dst, a.N), slice[int32](a.Src, a.N), a.Bias, a.Scale, a.Zero, a.Low)
	case convertFloatToInt:
		floatToInt(slice[int32](a.Dst, a.N), floats(a.Src, a.N))
	case convertTwice:
		twice(slice[[2]uint32](a.Dst, a.N), slice[uint32](a.Src, a.N))
	case convertIntToFloat:
		intToFloat(floats(a.Dst, a.N), slice[int32](a.Src, a.N))
	}
}
