package asm

import (
	"math"

	"github.com/qrun-onnx/qrun/backend/asm/coef"
)

// UnaryOf is f of one value: the definition of the vector kernels.
func UnaryOf(f Unary, x, p0, p1 float32) float32 {
	switch f {
	case UnaryRelu:
		return maxNaN(0, x)
	case UnaryClip:
		return minNaN(p1, maxNaN(p0, x))
	case UnaryLeakyRelu:
		if x < 0 {
			return x * p0
		}
		return x
	case UnaryHardSigmoid:
		return hardSigmoid(x, p0, p1)
	case UnaryHardSwish:
		return x * hardSigmoid(x, coef.OneSixth, 0.5)
	case UnaryAbs:
		return abs32(x)
	case UnaryNeg:
		return -x
	case UnarySqrt:
		return float32(math.Sqrt(float64(x)))
	case UnaryReciprocal:
		return 1 / x
	case UnaryExp:
		return Exp(x)
	case UnaryLog:
		return Log(x)
	case UnaryErf:
		return Erf(x)
	case UnaryTanh:
		return Tanh(x)
	case UnarySigmoid:
		return Sigmoid(x)
	case UnaryGelu:
		return gelu(x)
	case UnaryGeluTanh:
		return geluTanh(x)
	case UnarySilu:
		return x * Sigmoid(x)
	case UnaryQuickGelu:
		return x * Sigmoid(x*p0)
	case UnaryElu:
		if x < 0 {
			return p0 * expm1Neg(maxNaN(coef.Expm1Lo, x))
		}
		return x
	case UnarySoftplus:
		return softplus(x)
	case UnaryFloor:
		return float32(math.Floor(float64(x)))
	case UnaryCeil:
		return float32(math.Ceil(float64(x)))
	case UnaryRound:
		return float32(math.RoundToEven(float64(x)))
	case UnaryMulAdd:
		return float32(x*p0) + p1
	}
	return x
}

// maxOp is the larger operand, a NaN if one is; of zeros, b.
func maxOp(a, b float32) float32 {
	if a > b || a != a {
		return a
	}
	return b
}

// minOp is the smaller operand, a NaN if one is; of zeros, b.
func minOp(a, b float32) float32 {
	if a < b || a != a {
		return a
	}
	return b
}

// BinaryOf is f of two values.
func BinaryOf(f Binary, a, b float32) float32 {
	switch f {
	case BinaryAdd:
		return a + b
	case BinarySub:
		return a - b
	case BinaryMul:
		return a * b
	case BinaryDiv:
		return a / b
	case BinaryMax:
		return maxOp(a, b)
	}
	return minOp(a, b)
}
