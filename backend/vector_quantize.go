package backend

import "math"

// QuantizeU8 computes dst[i] = clamp(rne(src[i]/scale)+zero, 0, 255), NaN as 0, and returns the sum of dst.
func (k *Kernels) QuantizeU8(dst []uint8, src []float32, scale float32, zero uint8) (sum int32) {
	return k.vec.QuantizeU8(dst[:len(src)], src, scale, zero)
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
func QuantizationU8(mn, mx float32) (scale float32, zero uint8) {
	mn, mx = min(mn, 0), max(mx, 0)
	scale = (mx - mn) / 255
	if scale == 0 {
		scale = 1
	}
	return scale, uint8(math.RoundToEven(float64(min(max(0-mn/scale, 0), 255))))
}

// QuantizeRow quantizes one row on the grid of its own range (profile row) and returns the row's scale, zero point and
// the sum of dst. A row with a NaN or an infinity gets scale NaN and all zeros, so that whatever is computed from it is
// NaN. The bytes of dst past len(src) become zero.
func (k *Kernels) QuantizeRow(dst []uint8, src []float32) (scale float32, zero, sum int32) {
	clear(dst[len(src):])
	mn, mx, finite := k.vec.MinMax(src)
	if !finite {
		clear(dst)
		return float32(math.NaN()), 0, 0
	}
	scale, z := QuantizationU8(mn, mx)
	return scale, int32(z), k.vec.QuantizeU8(dst[:len(src)], src, scale, z)
}
