package backend

import (
	"math"
	"strconv"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// activationUnary are the functions that activations are.
var activationUnary = [...]Unary{ActRelu: Relu, ActGelu: Gelu, ActGeluTanh: GeluTanh, ActSilu: Silu, ActSigmoid: Sigmoid, ActTanh: Tanh,
	ActClip: Clip, ActLeakyRelu: LeakyRelu, ActHardSwish: HardSwish, ActHardSigmoid: HardSigmoid, ActQuickGelu: QuickGelu}

// inKernel says whether kernels apply the activation themselves.
func (a Activation) inKernel() bool { return a == ActNone || a == ActRelu || a == ActClip }

// check panics unless the epilogue fits a result of m rows and n columns.
func (e *Epilogue) check(m, n int) {
	need(e.Bias == nil || len(e.Bias) >= n, "bias", len(e.Bias), n)
	need(e.BiasRow == nil || len(e.BiasRow) >= m, "row bias", len(e.BiasRow), m)
	if e.Residual != nil {
		need(e.LDR >= n && len(e.Residual) >= extent(m, n, e.LDR), "residual", len(e.Residual), extent(m, n, e.LDR))
	}
}

// set hands to a kernel what it applies itself, for results from row and column on.
func (e *Epilogue) set(a *asm.ArgsGemm, row, col int) {
	if e.Bias != nil {
		a.Bias = &e.Bias[col]
	}
	if e.BiasRow != nil {
		a.BiasRow = &e.BiasRow[row]
	}
	switch e.Act {
	case ActNone:
	case ActRelu:
		a.Flags |= asm.GemmClip
		a.Lo, a.Hi = 0, float32(math.Inf(1))
	case ActClip:
		a.Flags |= asm.GemmClip
		a.Lo, a.Hi = e.P0, e.P1
	default:
		return // finish does the rest
	}
	if e.Residual != nil {
		a.Residual, a.LDR = &e.Residual[row*e.LDR+col], int64(4*e.LDR)
	}
}

// finish applies what kernels do not, to the results of rows and columns that they have just written.
func (e *Epilogue) finish(k *Kernels, c []float32, ldc, row0, row1, col0, col1 int) {
	if e.Act.inKernel() {
		return
	}
	for r := row0; r < row1; r++ {
		y := c[r*ldc+col0 : r*ldc+col1]
		k.Unary(activationUnary[e.Act], y, y, e.P0, e.P1)
		if e.Residual != nil {
			k.Binary(Add, y, y, e.Residual[r*e.LDR+col0:r*e.LDR+col1])
		}
	}
}

// need panics with what a size is and has to be: a product given wrong sizes would read or write outside its slices.
func need(ok bool, what string, got, want int) {
	if !ok {
		panic("backend: matrix product: " + what + " has length " + strconv.Itoa(got) + ", needs " + strconv.Itoa(want))
	}
}

// needTier panics unless a matrix was packed for the kernels that are to multiply it.
func needTier(packed, kernels asm.ISA) {
	if packed != kernels {
		panic("backend: matrix product: B was packed for another tier")
	}
}

// extent is the length of a slice that holds m rows of n elements, ld apart.
func extent(m, n, ld int) int {
	if m == 0 || n == 0 {
		return 0
	}
	return (m-1)*ld + n
}

// address is that of element i, or of the slice when it has no such element and so nothing will be read.
func address[T any](s []T, i int) unsafe.Pointer {
	if i >= len(s) {
		return pointer(s)
	}
	return unsafe.Pointer(&s[i])
}

func pointer[T any](s []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(s)) }
