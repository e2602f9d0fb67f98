// Package backend is the Go side of the kernels: packing, blocking and drivers over plain slices. It knows no tensors,
// no graph and no goroutines: a matrix product is a job of Tasks() independent parts whose Do(lo, hi) the caller
// spreads over goroutines as it likes, with the same bits however it is cut.
package backend

import (
	"sync"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// Kernels are the kernels of one CPU tier with its gaps filled from lower tiers. It is immutable.
type Kernels struct {
	name string
	vec  *asm.Vector

	u8s8, f32, f16 layout
	form           formA      // of A that integer kernels read
	scratch        *sync.Pool // of *[]int16, for A in that form
	floats         *sync.Pool // of *[]float32
	transpose      asm.Transpose
	weave          asm.Weave
	turn           [2]asm.Turn            // of 8 and of 16 rows
	requantize     [2]asm.Requantize      // by column, by row
	interleave     map[int]asm.Interleave // by the rows that they bring together
	u8c8           layout                 // of clipped int8 matrices, Scalar where there are none
	rest, restFew  asm.Rest               // of asm.RestRows and of asm.RestFew rows
	columns        asm.Columns
	columnsFew     asm.Columns
	nbits          asm.NBits
	widenNBits     asm.WidenNBits
	rotary         asm.Rotary
	packs          PackCache // nil: none
	bindRows       int       // rows up to which a product reads a float32 B in place
}

// Name is the tier: scalar, avx2, avxvnni, avx512vnni, amx, neon, neondot, neoni8mm.
func (k *Kernels) Name() string { return k.name }

// Activation is applied to a result after bias and before the residual is added.
type Activation uint8

// Activations that the epilogue of a matrix product can apply.
const (
	ActNone Activation = iota
	ActRelu
	ActGelu     // exact, with erf
	ActGeluTanh // tanh approximation
	ActSilu     // x*sigmoid(x)
	ActSigmoid
	ActTanh
	ActClip      // to [P0, P1]
	ActLeakyRelu // x*P0 where x < 0
	ActHardSwish
	ActHardSigmoid // max(0, min(1, P0*x+P1))
	ActQuickGelu   // x*sigmoid(P0*x)
)

// Epilogue is what happens to a float32 result before it is stored: y = act(y + bias) + residual.
type Epilogue struct {
	Bias     []float32 // one per column of the result, or nil
	BiasRow  []float32 // one per row of the result, or nil
	Act      Activation
	P0, P1   float32
	Residual []float32 // rows of the result's width, LDR apart, or nil
	LDR      int
}
