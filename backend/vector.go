package backend

import "github.com/qrun-onnx/qrun/backend/asm"

// Unary is an elementwise float32 function.
type Unary = asm.Unary

// Elementwise functions. P0 and P1 are the parameters of Kernels.Unary.
const (
	Relu        = asm.UnaryRelu
	Clip        = asm.UnaryClip      // to [P0, P1]
	LeakyRelu   = asm.UnaryLeakyRelu // x*P0 where x < 0
	HardSigmoid = asm.UnaryHardSigmoid
	HardSwish   = asm.UnaryHardSwish
	Abs         = asm.UnaryAbs
	Neg         = asm.UnaryNeg
	Sqrt        = asm.UnarySqrt
	Reciprocal  = asm.UnaryReciprocal
	Exp         = asm.UnaryExp
	Log         = asm.UnaryLog
	Erf         = asm.UnaryErf
	Tanh        = asm.UnaryTanh
	Sigmoid     = asm.UnarySigmoid
	Gelu        = asm.UnaryGelu      // x/2*(1+erf(x/sqrt 2))
	GeluTanh    = asm.UnaryGeluTanh  // tanh approximation
	Silu        = asm.UnarySilu      // x*sigmoid(x)
	QuickGelu   = asm.UnaryQuickGelu // x*sigmoid(P0*x)
	Elu         = asm.UnaryElu       // P0*(exp(x)-1) where x < 0
	Softplus    = asm.UnarySoftplus  // log(1+exp(x))
	Floor       = asm.UnaryFloor
	Ceil        = asm.UnaryCeil
	Round       = asm.UnaryRound  // half to even
	MulAdd      = asm.UnaryMulAdd // P0*x+P1, two roundings
)

// Binary is an elementwise float32 function of two operands.
type Binary = asm.Binary

// Elementwise functions of two operands. Max and Min propagate NaN.
const (
	Add = asm.BinaryAdd
	Sub = asm.BinarySub
	Mul = asm.BinaryMul
	Div = asm.BinaryDiv
	Max = asm.BinaryMax
	Min = asm.BinaryMin
)

// Unary computes dst[i] = f(src[i]). dst may be src. len(dst) == len(src).
func (k *Kernels) Unary(f Unary, dst, src []float32, p0, p1 float32) {
	k.vec.Unary(f, dst[:len(src)], src, p0, p1)
}

// Binary computes dst[i] = f(a[i], b[i]); an operand of length 1 is used for every i. dst may be a or b.
func (k *Kernels) Binary(f Binary, dst, a, b []float32) {
	n := len(dst)
	switch {
	case n == 1:
		k.vec.Binary(f, dst, a[:1], b[:1])
	case len(b) == 1:
		k.vec.BinaryVS(f, dst, a[:n], b[0])
	case len(a) == 1:
		k.vec.BinarySV(f, dst, a[0], b[:n])
	default:
		k.vec.Binary(f, dst, a[:n], b[:n])
	}
}

// Axpy computes dst[i] = fma(s, src[i], dst[i]).
func (k *Kernels) Axpy(dst, src []float32, s float32) { k.vec.Axpy(dst[:len(src)], src, s) }

// IntToFloat converts with rounding to nearest even.
func (k *Kernels) IntToFloat(dst []float32, src []int32) { k.vec.IntToFloat(dst[:len(src)], src) }

// FloatToInt rounds to nearest even; no magnitude may be above 2^22.
func (k *Kernels) FloatToInt(dst []int32, src []float32) { k.vec.FloatToInt(dst[:len(src)], src) }

// Twice copies each element of src to two of dst.
func (k *Kernels) Twice(dst [][2]uint32, src []uint32) { k.vec.Twice(dst[:len(src)], src) }

// HalfToFloat widens float16 bits; exact.
func (k *Kernels) HalfToFloat(dst []float32, src []uint16) { k.vec.HalfToFloat(dst[:len(src)], src) }

// FloatToHalf rounds to nearest even.
func (k *Kernels) FloatToHalf(dst []uint16, src []float32) { k.vec.FloatToHalf(dst[:len(src)], src) }

func (e *Epilogue) apply(y float32, m, n int) float32 {
	if e.Bias != nil {
		y += e.Bias[n]
	}
	if e.BiasRow != nil {
		y += e.BiasRow[m]
	}
	if e.Act != ActNone {
		y = e.Act.apply(y, e.P0, e.P1)
	}
	if e.Residual != nil {
		y += e.Residual[m*e.LDR+n]
	}
	return y
}
