package asm

import (
	"math"

	"github.com/qrun-onnx/qrun/backend/asm/coef"
)

// Each function below is the order of operations that every tier follows. maxNaN and minNaN stand for the
// processors' instructions: they return b when a comparison with NaN is false. A product that may meet a sum, also after
// inlining, is converted to float32, since the compiler could fuse the two.

func maxNaN(a, b float32) float32 {
	if a > b {
		return a
	}
	return b
}

func minNaN(a, b float32) float32 {
	if a < b {
		return a
	}
	return b
}

func abs32(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

func copysign32(x, sign float32) float32 {
	return math.Float32frombits(math.Float32bits(x)&^(1<<31) | math.Float32bits(sign)&(1<<31))
}

// horner evaluates a polynomial given in ascending powers.
func horner(c []float32, x float32) float32 {
	y := c[len(c)-1]
	for i := len(c) - 2; i >= 0; i-- {
		y = FMA32(y, x, c[i])
	}
	return y
}

// Exp is exp(x) within 1 ulp. A result under 2^-125.5 is 0.
func Exp(x float32) float32 { return expCore(minNaN(coef.ExpHi, x)) }

// expCore is exp for x <= coef.ExpHi.
func expCore(x float32) float32 {
	x = maxNaN(coef.ExpLo, x)
	t := FMA32(x, coef.Log2E, coef.MagicExp)
	n := t - coef.MagicExp
	r := FMA32(n, -coef.Ln2Hi, x)
	r = FMA32(n, -coef.Ln2Lo, r)
	q := horner(coef.ExpQ[:], r)
	p := FMA32(FMA32(q, r, 1), r, 1)
	p += p
	return float32(p * math.Float32frombits(math.Float32bits(t)<<23))
}

// expm1Neg is exp(x)-1 for coef.Expm1Lo <= x <= 0.
func expm1Neg(x float32) float32 {
	t := FMA32(x, coef.Log2E, coef.MagicExpm1)
	n := t - coef.MagicExpm1
	r := FMA32(n, -coef.Ln2Hi, x)
	r = FMA32(n, -coef.Ln2Lo, r)
	q := horner(coef.ExpQ[:], r)
	p := FMA32(r*r, q, r)
	s := math.Float32frombits(math.Float32bits(t) << 23)
	return FMA32(s, p, s-1)
}

// Log is the natural logarithm within 1 ulp.
func Log(x float32) float32 {
	y, n := x, float32(0)
	if x < 0x1p-126 {
		y, n = x*0x1p25, -25
	}
	i := int32(math.Float32bits(y)-coef.SqrtHalfBits) >> 23
	n += float32(i)
	f := math.Float32frombits(math.Float32bits(y)-uint32(i)<<23) - 1
	f2 := f * f
	r := float32(float32(f*f2) * horner(coef.LogQ[:], f))
	r = FMA32(f2, -0.5, r)
	r = FMA32(n, coef.Ln2Lo, r)
	r = FMA32(n, coef.Ln2Hi, f+r)
	switch {
	case x == 0:
		return float32(math.Inf(-1))
	case x < 0:
		return float32(math.NaN())
	case !(x < float32(math.Inf(1))):
		return x
	}
	return r
}

// Erf is the error function within 3 ulp.
func Erf(x float32) float32 {
	t := minNaN(coef.ErfHi, abs32(x))
	w := t * horner(coef.ErfW[:], t)
	return copysign32(expm1Neg(-w), x)
}

// Tanh is within 3 ulp.
func Tanh(x float32) float32 {
	t := minNaN(coef.TanhHi, abs32(x))
	e := expm1Neg(-(t + t))
	return copysign32(e/(e+2), x)
}

// Sigmoid is 1/(1+exp(-x)) within 3 ulp.
func Sigmoid(x float32) float32 {
	e := expCore(-abs32(x))
	n := e
	if !math.Signbit(float64(x)) {
		n = 1
	}
	return n / (1 + e)
}

func gelu(x float32) float32 {
	h := x * 0.5
	return h * (1 + Erf(x*coef.RSqrt2))
}

func geluTanh(x float32) float32 {
	h := x * 0.5
	c := float32(x*x) * x
	u := x + float32(c*coef.GeluCubic)
	return h * (1 + Tanh(u*coef.Sqrt2OverPi))
}

func softplus(x float32) float32 {
	e := expCore(-abs32(x))
	z := e / (2 + e)
	return maxNaN(0, x) + float32(z*horner(coef.Log1pQ[:], z*z))
}

func hardSigmoid(x, p0, p1 float32) float32 {
	return maxNaN(0, minNaN(1, float32(x*p0)+p1))
}
