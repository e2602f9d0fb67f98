package backend

import (
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// Transpose writes the transpose of src, rows rows of n elements that are lds apart, to dst: n rows of rows elements, ldd
// apart.
func Transpose[T int32 | float32](k *Kernels, dst []T, ldd int, src []T, lds, rows, n int) {
	if rows == 0 || n == 0 {
		return
	}
	need(len(src) >= extent(rows, n, lds), "source", len(src), extent(rows, n, lds))
	need(len(dst) >= extent(n, rows, ldd), "result", len(dst), extent(n, rows, ldd))
	n8, rows8 := n&^7, rows&^7
	step := max(8, transposeChunk/max(n, 1)&^7)
	for r := 0; n8 > 0 && r < rows8; r += step {
		a := asm.ArgsTranspose{Dst: (*float32)(unsafe.Pointer(&dst[r])), LDD: int64(4 * ldd), Src: (*float32)(unsafe.Pointer(&src[r*lds])),
			LDS: int64(4 * lds), K: int64(n8), Cols: int64(min(step, rows8-r))}
		k.transposeCall(&a)
	}
	for r := range rows {
		from := n8
		if r >= rows8 {
			from = 0
		}
		for i, v := range src[r*lds+from : r*lds+n] {
			dst[(from+i)*ldd+r] = v
		}
	}
}

// transposeChunk is the number of elements that a call of the kernel takes, to be short.
const transposeChunk = 1 << 14

//go:noinline
func (k *Kernels) transposeCall(a *asm.ArgsTranspose) { k.transpose.Call(a) }
