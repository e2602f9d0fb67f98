package asm_test

import (
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
)

func TestWeave(t *testing.T) {
	testKernels(t, asm.WeaveKernels[:], func(t *testing.T, i int, _ asm.Kernel) {
		for _, size := range [][2]int{{1, 8}, {3, 11}, {2, 24}, {2, 33}} {
			rows, cols := size[0], size[1]
			lds, ldd := cols+3, 2*cols+5
			src, dst := make([]float32, 2*rows*lds), make([]float32, (rows-1)*ldd+2*cols)
			for j := range src {
				src[j] = float32(j + 1)
			}
			b := src[rows*lds:]
			asm.Weave(i).Call(&asm.ArgsWeave{Dst: &dst[0], LDD: int64(4 * ldd), A: &src[0], B: &b[0], LDS: int64(4 * lds), Rows: int64(rows), Cols: int64(cols)})
			for at, got := range dst {
				want := float32(0)
				if r, c := at/ldd, at%ldd; c < 2*cols {
					want = src[(c%2*rows+r)*lds+c/2]
				}
				if got != want {
					t.Fatalf("%v: element %d is %v, want %v", size, at, got, want)
				}
			}
		}
	})
}
