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

// The reductions, in the order of their kernels.
const (
	reduceSum = iota
	reduceSumSquares
	reduceDot
	reduceMax
	reduceMinMax
	numReduce
)

// Vector is the vector kernels of one instruction set. Its methods check nothing: every slice of a call has the length
// of the first one unless stated, and a destination may be a source of the same element size. All sets give the same
// bits, but for those of a NaN. The zero value is all Go, which defines the others.
type Vector struct {
	// Each is the number of the set's first kernel in its family, 0 for Go.
	unary    VecUnary
	binary   VecBinary
	reduce   VecReduce
	row      VecRow
	quantize VecQuantize
	convert  VecConvert
}

// NewVector returns the kernels for an instruction set, or what it builds on.
func NewVector(isa ISA) *Vector {
	switch isa {
	case AVXVNNI:
		isa = AVX2
	case AVX512VNNI, AMX:
		isa = AVX512
	case NEONDOT, NEONI8MM:
		isa = NEON
	}
	return &Vector{
		unary:    VecUnary(first(VecUnaryKernels[:], isa)),
		binary:   VecBinary(first(VecBinaryKernels[:], isa)),
		reduce:   VecReduce(first(VecReduceKernels[:], isa)),
		row:      VecRow(first(VecRowKernels[:], isa)),
		quantize: VecQuantize(first(VecQuantizeKernels[:], isa)),
		convert:  VecConvert(first(VecConvertKernels[:], isa)),
	}
}

// first is the number of the first kernel for the instruction set.
func first(kernels []Kernel, isa ISA) int {
	for i, k := range kernels {
		if k.ISA == isa {
			return i
		}
	}
	return 0
}

// vecChunk is the number of elements that one call of a kernel gets at most, a multiple of 16: assembly cannot be
// preempted, so a call must be short, and is made by a function that can.
const vecChunk = 8 << 10
