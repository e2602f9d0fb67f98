package backend

import "github.com/qrun-onnx/qrun/backend/asm"

// Rows are rows of N elements of float32 matrices for the row functions. A matrix whose step is 0 has one row, that
// serves for all. Dst may be Src, Add or Sum.
type Rows = asm.Rows

// Softmax writes the softmax of one row: exp(x-max) times the reciprocal of its sum. scale multiplies src first (1 for
// none) and mask, when not nil, is added after that. A row whose maximum is -Inf becomes NaN, as in ONNX Runtime.
// dst may be src.
func (k *Kernels) Softmax(dst, src, mask []float32, scale float32) {
	n := len(src)
	k.vec.Softmax(&Rows{N: n, Rows: 1, Dst: dst[:n], Src: src, Add: cut(mask, n), Scale: scale})
}

// SoftmaxRows is Softmax of r.Src*r.Scale + r.Add, row by row.
func (k *Kernels) SoftmaxRows(r *Rows) { k.vec.Softmax(checked(r)) }

// LogSoftmax writes (x-max) - log(sum(exp(x-max))) of one row. dst may be src.
func (k *Kernels) LogSoftmax(dst, src []float32) {
	k.vec.LogSoftmax(&Rows{N: len(src), Rows: 1, Dst: dst[:len(src)], Src: src})
}

// LogSoftmaxRows is LogSoftmax of r.Src, row by row.
func (k *Kernels) LogSoftmaxRows(r *Rows) { k.vec.LogSoftmax(checked(r)) }

// LayerNorm normalizes one row: (x-mean)*invStd, then fma with gamma and beta (either may be nil), in two passes, with
// invStd = 1/sqrt(var+eps). It returns the mean and the inverse standard deviation. dst may be src.
func (k *Kernels) LayerNorm(dst, src, gamma, beta []float32, eps float32) (mean, invStd float32) {
	return k.AddLayerNorm(dst, nil, src, nil, nil, gamma, beta, eps)
}

// AddLayerNorm is LayerNorm of the row (src+add)+bias, which it also stores in sum. sum, add, bias, gamma and beta may
// be nil; dst and sum may be src or add.
func (k *Kernels) AddLayerNorm(dst, sum, src, add, bias, gamma, beta []float32, eps float32) (mean, invStd float32) {
	n := len(src)
	var m, s [1]float32
	k.vec.LayerNorm(&Rows{
		N: n, Rows: 1, Dst: dst[:n], Src: src, Add: cut(add, n), Bias: cut(bias, n), Sum: cut(sum, n),
		Gamma: cut(gamma, n), Beta: cut(beta, n), Eps: eps, Mean: m[:], Inv: s[:],
	})
	return m[0], s[0]
}

// LayerNormRows is LayerNorm of r.Src+r.Add+r.Bias, row by row.
func (k *Kernels) LayerNormRows(r *Rows) { k.vec.LayerNorm(checked(r)) }

// RMSNorm normalizes one row: x/sqrt(mean(x*x)+eps)*gamma; gamma may be nil. dst may be src.
func (k *Kernels) RMSNorm(dst, src, gamma []float32, eps float32) (invRMS float32) {
	n := len(src)
	var s [1]float32
	k.vec.RMSNorm(&Rows{N: n, Rows: 1, Dst: dst[:n], Src: src, Gamma: cut(gamma, n), Eps: eps, Inv: s[:]})
	return s[0]
}

// RMSNormRows is RMSNorm of r.Src+r.Add+r.Bias, row by row; r.Beta is added, too.
func (k *Kernels) RMSNormRows(r *Rows) { k.vec.RMSNorm(checked(r)) }

func cut(s []float32, n int) []float32 {
	if s == nil {
		return nil
	}
	return s[:n]
}

// checked panics if a slice of the rows is too short, before a kernel reads past its end.
func checked(r *Rows) *Rows {
	if r.N == 0 || r.Rows == 0 {
		return r
	}
	last := r.Rows - 1
	_, _ = r.Dst[last*r.DstStep:][:r.N], r.Src[last*r.SrcStep:][:r.N]
	for _, s := range []struct {
		s []float32
		n int
	}{
		{r.Add, last*r.AddStep + r.N}, {r.Sum, last*r.DstStep + r.N}, {r.Bias, r.N}, {r.Gamma, r.N}, {r.Beta, r.N},
		{r.Mean, r.Rows}, {r.Inv, r.Rows},
	} {
		if s.s != nil {
			_ = s.s[:s.n]
		}
	}
	return r
}
