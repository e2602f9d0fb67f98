package asm

import (
	"math"
	"unsafe"
)

// GridU8 returns scale and zero point of the asymmetric uint8 grid over [mn, mx], 0 included:
// scale = (mx-mn)/255 in float32, 1 when that is 0, and zero = rne(clip(0-mn/scale, 0, 255)), where NaN is clipped to 255.
func GridU8(mn, mx float32) (scale float32, zero uint8) {
	mn, mx = min(mn, 0), max(mx, 0)
	scale = (mx - mn) / 255
	if scale == 0 {
		scale = 1
	}
	z := 0 - mn/scale
	if !(z < 255) { // -Inf/Inf too, whose conversion to an integer would depend on the CPU
		z = 255
	}
	return scale, uint8(math.RoundToEven(float64(max(z, 0))))
}

// quantizeU8 clamps before it rounds, which is the same since the bounds are integers. NaN becomes 0.
func quantizeU8(dst []uint8, src []float32, scale float32, zero int32) (sum int32) {
	z := float32(zero)
	for i, x := range src {
		t := minNaN(maxNaN(x/scale, -z), 255-z)
		q := uint8(int32(math.RoundToEven(float64(t))) + zero)
		dst[i] = q
		sum += int32(q)
	}
	return sum
}

// quantizeRow quantizes a row on the grid of its own range. A row with a NaN or an infinity gets scale NaN and zeros,
// so that whatever is computed from it is NaN. The bytes of dst past the row become 0.
func (v *Vector) quantizeRow(dst []uint8, src []float32) (scale float32, zero, sum int32) {
	mn, mx, finite := v.MinMax(src)
	if !finite {
		clear(dst)
		return float32(math.NaN()), 0, 0
	}
	clear(dst[len(src):])
	scale, z := GridU8(mn, mx)
	return scale, int32(z), v.QuantizeU8(dst[:len(src)], src, scale, z)
}

// QuantizeRows quantizes each of the rows of n elements on the uint8 grid of its own range. The rows of dst are dstStep
// apart (best a multiple of 16), all of which is written: what is past a row's n bytes becomes 0. A row with a NaN or
// an infinity gets scale NaN, zero point 0 and zeros. sum is the sum of a row's bytes.
func (v *Vector) QuantizeRows(dst []uint8, dstStep int, src []float32, srcStep, n, rows int, scale []float32, zero, sum []int32) {
	if v.quantize == 0 || n == 0 || n > vecLongRow || dstStep%16 != 0 {
		for i := range rows {
			scale[i], zero[i], sum[i] = v.quantizeRow(dst[i*dstStep:(i+1)*dstStep], src[i*srcStep:i*srcStep+n])
		}
		return
	}
	step := max(1, vecRowChunk/n)
	a := ArgsVecQuantize{N: int64(n), DstStep: int64(dstStep), SrcStep: 4 * int64(srcStep)}
	for i := 0; i < rows; i += step {
		a.Rows = int64(min(step, rows-i))
		a.Dst, a.Src, a.Scale, a.Zero, a.Sum = &dst[i*dstStep], &src[i*srcStep], &scale[i], &zero[i], &sum[i]
		v.quantize.chunk(&a)
	}
}

//go:noinline
func (k VecQuantize) chunk(a *ArgsVecQuantize) { k.Call(a) }

// vecQuantizeScalar is the Go code of VecQuantize kernels.
func vecQuantizeScalar(a *ArgsVecQuantize) {
	for i := range int(a.Rows) {
		dst := unsafe.Slice((*uint8)(unsafe.Add(unsafe.Pointer(a.Dst), i*int(a.DstStep))), a.DstStep)
		scale, zero, sum := new(Vector).quantizeRow(dst, rowOf(a.Src, i, a.N, a.SrcStep))
		rowOf(a.Scale, i, 1, 4)[0] = scale
		*(*int32)(unsafe.Add(unsafe.Pointer(a.Zero), 4*i)) = zero
		*(*int32)(unsafe.Add(unsafe.Pointer(a.Sum), 4*i)) = sum
	}
}
