package backend

// Sum, Max and the other reductions use 16 virtual lanes: lane i takes elements i, i+16, i+32, ... in order, then one
// fixed tree (lane i with i+8, then i+4, i+2, i+1), so that their bits depend on no tier.
func (k *Kernels) Sum(src []float32) float32 { return k.vec.Sum(src) }

// SumSquares is the sum of squares, a fused multiply-add per element.
func (k *Kernels) SumSquares(src []float32) float32 { return k.vec.SumSquares(src) }

// Dot is the scalar product, a fused multiply-add per element.
func (k *Kernels) Dot(a, b []float32) float32 { return k.vec.Dot(a, b[:len(a)]) }

// MaxOf is the largest element (NaN if one is NaN), -Inf of nothing.
func (k *Kernels) MaxOf(src []float32) float32 { return k.vec.MaxOf(src) }

// MinMax returns the smallest and largest element. finite is false when one is NaN or infinite; then min and max are
// over the others. Of nothing: 0, 0, true.
func (k *Kernels) MinMax(src []float32) (mn, mx float32, finite bool) { return k.vec.MinMax(src) }

// Softmax writes the softmax of one row: exp(x-max) times the reciprocal of its sum. scale multiplies src first (1 for
// none) and mask, when not nil, is added after that. A row whose maximum is -Inf becomes NaN, as in ONNX Runtime.
// dst may be src.
func (k *Kernels) Softmax(dst, src, mask []float32, scale float32) {
	if mask != nil {
		mask = mask[:len(src)]
	}
	k.vec.Softmax(dst[:len(src)], src, mask, scale)
}

// LogSoftmax writes (x-max) - log(sum(exp(x-max))) of one row. dst may be src.
func (k *Kernels) LogSoftmax(dst, src []float32) { k.vec.LogSoftmax(dst[:len(src)], src) }

// LayerNorm normalizes one row: (x-mean)*invStd, then fma with gamma and beta (either may be nil), in two passes, with
// invStd = 1/sqrt(var+eps). It returns the mean and the inverse standard deviation. dst may be src.
func (k *Kernels) LayerNorm(dst, src, gamma, beta []float32, eps float32) (mean, invStd float32) {
	return k.AddLayerNorm(dst, nil, src, nil, nil, gamma, beta, eps)
}

// AddLayerNorm is LayerNorm of the row (src+add)+bias, which it also stores in sum. sum, add, bias, gamma and beta may
// be nil; dst and sum may be src or add.
func (k *Kernels) AddLayerNorm(dst, sum, src, add, bias, gamma, beta []float32, eps float32) (mean, invStd float32) {
	n := len(src)
	return k.vec.LayerNorm(dst[:n], cut(sum, n), src, cut(add, n), cut(bias, n), cut(gamma, n), cut(beta, n), eps)
}

// RMSNorm normalizes one row: x/sqrt(mean(x*x)+eps)*gamma; gamma may be nil. dst may be src.
func (k *Kernels) RMSNorm(dst, src, gamma []float32, eps float32) (invRMS float32) {
	n := len(src)
	return k.vec.RMSNorm(dst[:n], src, cut(gamma, n), eps)
}

func cut(s []float32, n int) []float32 {
	if s == nil {
		return nil
	}
	return s[:n]
}
