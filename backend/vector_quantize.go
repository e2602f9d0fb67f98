package backend

import "github.com/qrun-onnx/qrun/backend/asm"

// QuantizeU8 computes dst[i] = clamp(rne(src[i]/scale)+zero, 0, 255), NaN as 0, and returns the sum of dst.
func (k *Kernels) QuantizeU8(dst []uint8, src []float32, scale float32, zero uint8) (sum int32) {
	return k.vec.QuantizeU8(dst[:len(src)], src, scale, zero)
}

// Requantize computes dst[i] = rne(clamp(float32(src[i]+bias)*scale, low-zero, low+255-zero)) + zero, its low 8 bits: of
// uint8 with low 0, of int8 with low -128. NaN becomes low. zero is in the range of the results.
func (k *Kernels) Requantize(dst []uint8, src []int32, bias int32, scale float32, zero, low int32) {
	k.vec.Requantize(dst[:len(src)], src, bias, scale, zero, low)
}

// DequantizeU8 computes dst[i] = float32(src[i]-zero)*scale.
func (k *Kernels) DequantizeU8(dst []float32, src []uint8, scale float32, zero int32) {
	k.vec.DequantizeU8(dst[:len(src)], src, scale, zero)
}

// DequantizeI8 computes dst[i] = float32(src[i]-zero)*scale.
func (k *Kernels) DequantizeI8(dst []float32, src []int8, scale float32, zero int32) {
	k.vec.DequantizeI8(dst[:len(src)], src, scale, zero)
}

// QuantizationU8 returns scale and zero point of the asymmetric uint8 grid over [mn, mx], 0 included:
// scale = (mx-mn)/255 in float32, 1 when that is 0, and zero = rne(clip(0-mn/scale, 0, 255)).
func QuantizationU8(mn, mx float32) (scale float32, zero uint8) { return asm.GridU8(mn, mx) }

// QuantizeRow quantizes one row on the grid of its own range (profile row) and returns the row's scale, zero point and
// the sum of dst. A row with a NaN or an infinity gets scale NaN and all zeros, so that whatever is computed from it is
// NaN. The bytes of dst past len(src) become zero.
func (k *Kernels) QuantizeRow(dst []uint8, src []float32) (scale float32, zero, sum int32) {
	var s [1]float32
	var z, n [1]int32
	k.QuantizeRows(dst, len(dst), src, len(src), len(src), 1, s[:], z[:], n[:])
	return s[0], z[0], n[0]
}

// QuantizeRows is QuantizeRow of rows of n elements, which are dstStep and srcStep elements apart. Best, dstStep
// is a multiple of 16: StrideU8(n). Scale, zero and sum have one element for each row.
func (k *Kernels) QuantizeRows(dst []uint8, dstStep int, src []float32, srcStep, n, rows int, scale []float32, zero, sum []int32) {
	if rows == 0 {
		return
	}
	_, _, _ = dst[:rows*dstStep], dst[n:dstStep], src[(rows-1)*srcStep:][:n]
	k.vec.QuantizeRows(dst, dstStep, src, srcStep, n, rows, scale[:rows], zero[:rows], sum[:rows])
}
