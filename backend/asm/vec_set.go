package asm

// Unary names an elementwise float32 function.
type Unary uint8

// Elementwise functions with up to two parameters.
const (
	UnaryRelu Unary = iota
	UnaryClip
	UnaryLeakyRelu
	UnaryHardSigmoid
	UnaryHardSwish
	UnaryAbs
	UnaryNeg
	UnarySqrt
	UnaryReciprocal
	UnaryExp
	UnaryLog
	UnaryErf
	UnaryTanh
	UnarySigmoid
	UnaryGelu
	UnaryGeluTanh
	UnarySilu
	UnaryQuickGelu
	UnaryElu
	UnarySoftplus
	UnaryFloor
	UnaryCeil
	UnaryRound
	UnaryMulAdd
	NumUnary
)

// Binary names an elementwise float32 function of two operands.
type Binary uint8

// Elementwise functions of two operands.
const (
	BinaryAdd Binary = iota
	BinarySub
	BinaryMul
	BinaryDiv
	BinaryMax
	BinaryMin
	NumBinary
)

// VectorSet holds the vector kernels of one tier; a nil entry falls to the next tier. All slices of a call have the
// length of the first unless stated; the kernels check nothing. Every entry is defined bit for bit by the one of
// [VectorScalar]; only the bits of a NaN are free.
type VectorSet struct {
	Unary  [NumUnary]func(dst, src []float32, p0, p1 float32)
	Binary [NumBinary]func(dst, a, b []float32)
	// BinaryVS has a scalar right operand, BinarySV a scalar left one.
	BinaryVS [NumBinary]func(dst, a []float32, b float32)
	BinarySV [NumBinary]func(dst []float32, a float32, b []float32)

	Axpy       func(dst, src []float32, s float32)
	Sum        func(src []float32) float32
	SumSquares func(src []float32) float32
	Dot        func(a, b []float32) float32
	MaxOf      func(src []float32) float32
	MinMax     func(src []float32) (mn, mx float32, finite bool)

	Softmax    func(dst, src, mask []float32, scale float32)
	LogSoftmax func(dst, src []float32)
	// LayerNorm normalizes one row of x = src + add + bias; add, bias, sum, gamma and beta may be nil. x is also
	// stored in sum.
	LayerNorm func(dst, sum, src, add, bias, gamma, beta []float32, eps float32) (mean, invStd float32)
	RMSNorm   func(dst, src, gamma []float32, eps float32) (invRMS float32)

	QuantizeU8   func(dst []uint8, src []float32, scale float32, zero uint8) (sum int32)
	DequantizeU8 func(dst []float32, src []uint8, scale float32, zero int32)
	DequantizeI8 func(dst []float32, src []int8, scale float32, zero int32)
	HalfToFloat  func(dst []float32, src []uint16)
	FloatToHalf  func(dst []uint16, src []float32)
	IntToFloat   func(dst []float32, src []int32)
}

// VectorScalar is the Go reference of the vector kernels and the kernels of the scalar tier.
func VectorScalar() VectorSet {
	s := VectorSet{
		Axpy:         axpy,
		Sum:          sum,
		SumSquares:   sumSquares,
		Dot:          dot,
		MaxOf:        maxOf,
		MinMax:       minMax,
		Softmax:      softmax,
		LogSoftmax:   logSoftmax,
		LayerNorm:    layerNorm,
		RMSNorm:      rmsNorm,
		QuantizeU8:   quantizeU8,
		DequantizeU8: dequantize[uint8],
		DequantizeI8: dequantize[int8],
		HalfToFloat:  halfToFloat,
		FloatToHalf:  floatToHalf,
		IntToFloat:   intToFloat,
	}
	s.fillUnary()
	s.fillBinary()
	return s
}
