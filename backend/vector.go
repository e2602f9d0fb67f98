package backend

import "math"

// Unary is an elementwise float32 function.
type Unary uint8

// Elementwise functions. P0 and P1 are the parameters of Kernels.Unary.
const (
	Relu        Unary = iota
	Clip              // to [P0, P1]
	LeakyRelu         // x*P0 where x < 0
	HardSigmoid       // max(0, min(1, P0*x+P1))
	HardSwish
	Abs
	Neg
	Sqrt
	Reciprocal
	Exp
	Log
	Erf
	Tanh
	Sigmoid
	Gelu     // x/2*(1+erf(x/sqrt 2))
	GeluTanh // tanh approximation
	Silu
	QuickGelu // x*sigmoid(P0*x)
	Elu       // P0*(exp(x)-1) where x < 0
	Softplus
	Floor
	Ceil
	Round  // half to even
	MulAdd // P0*x+P1, two roundings
)

// Binary is an elementwise float32 function of two operands.
type Binary uint8

// Elementwise functions of two operands. Max and Min propagate NaN.
const (
	Add Binary = iota
	Sub
	Mul
	Div
	Max
	Min
)

// Unary computes dst[i] = f(src[i]). dst may be src. len(dst) == len(src).
func (k *Kernels) Unary(f Unary, dst, src []float32, p0, p1 float32) {
	panic("backend: no kernels yet")
}

// Binary computes dst[i] = f(a[i], b[i]); an operand of length 1 is used for every i. dst may be a or b.
func (k *Kernels) Binary(f Binary, dst, a, b []float32) { panic("backend: no kernels yet") }

// Axpy computes dst[i] = fma(s, src[i], dst[i]).
func (k *Kernels) Axpy(dst, src []float32, s float32) { panic("backend: no kernels yet") }

// Sum, Max and the other reductions use 16 virtual lanes: lane i takes elements i, i+16, i+32, ... in order, then one
// fixed tree (lane i with i+8, then i+4, i+2, i+1), so that their bits depend on no tier.
func (k *Kernels) Sum(src []float32) float32 { panic("backend: no kernels yet") }

// SumSquares is the sum of squares, a fused multiply-add per element.
func (k *Kernels) SumSquares(src []float32) float32 { panic("backend: no kernels yet") }

// Dot is the scalar product, a fused multiply-add per element.
func (k *Kernels) Dot(a, b []float32) float32 { panic("backend: no kernels yet") }

// MaxOf is the largest element (NaN if one is NaN), -Inf of nothing.
func (k *Kernels) MaxOf(src []float32) float32 { panic("backend: no kernels yet") }

// MinMax returns the smallest and largest element. finite is false when one is NaN or infinite; then min and max are
// over the others. Of nothing: 0, 0, true.
func (k *Kernels) MinMax(src []float32) (mn, mx float32, finite bool) {
	panic("backend: no kernels yet")
}

// Softmax writes the softmax of one row: exp(x-max)/sum. scale multiplies src first (1 for none) and mask, when not
// nil, is added after that. A row whose maximum is -Inf becomes NaN, as in ONNX Runtime.
func (k *Kernels) Softmax(dst, src, mask []float32, scale float32) { panic("backend: no kernels yet") }

// LayerNorm normalizes one row: (x-mean)/sqrt(var+eps)*gamma+beta, two passes; gamma and beta may be nil. It returns
// the mean and the inverse standard deviation.
func (k *Kernels) LayerNorm(dst, src, gamma, beta []float32, eps float32) (mean, invStd float32) {
	panic("backend: no kernels yet")
}

// RMSNorm normalizes one row: x/sqrt(mean(x*x)+eps)*gamma.
func (k *Kernels) RMSNorm(dst, src, gamma []float32, eps float32) (invRMS float32) {
	panic("backend: no kernels yet")
}

// QuantizeU8 computes dst[i] = clamp(rne(src[i]/scale)+zero, 0, 255), NaN as 0, and returns the sum of dst.
func (k *Kernels) QuantizeU8(dst []uint8, src []float32, scale float32, zero uint8) (sum int32) {
	panic("backend: no kernels yet")
}

// HalfToFloat widens float16 bits; exact.
func (k *Kernels) HalfToFloat(dst []float32, src []uint16) { panic("backend: no kernels yet") }

// FloatToHalf rounds to nearest even.
func (k *Kernels) FloatToHalf(dst []uint16, src []float32) { panic("backend: no kernels yet") }

// fma32 is the float32 fused multiply-add: a*b+c rounded once.
func fma32(a, b, c float32) float32 {
	p := float64(a) * float64(b) // exact: 48 bits
	s := p + float64(c)
	if r := float32(s); math.Float64bits(s)&0x1fffffff != 0x10000000 {
		return r // not a tie of the second rounding: rounding twice is rounding once
	}
	t := s - p
	e := (p - (s - t)) + (float64(c) - t)
	if e != 0 && !math.IsInf(s, 0) && !math.IsNaN(s) {
		if (e > 0) == (s > 0) {
			s = math.Float64frombits(math.Float64bits(s) | 1)
		} else {
			s = math.Float64frombits(math.Float64bits(s) - 1)
		}
	}
	return float32(s)
}

func (e *Epilogue) apply(y float32, m, n int) float32 {
	if e.Bias != nil {
		y += e.Bias[n]
	}
	if e.BiasRow != nil {
		y += e.BiasRow[m]
	}
	if e.Act != ActNone {
		panic("backend: no kernels yet")
	}
	if e.Residual != nil {
		y += e.Residual[m*e.LDR+n]
	}
	return y
}
