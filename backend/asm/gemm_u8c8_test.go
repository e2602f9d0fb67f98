package asm_test

import (
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
	"github.com/qrun-onnx/qrun/backend/asm/asmtest"
)

func TestRest(t *testing.T) {
	testKernels(t, asm.RestKernels[:], func(t *testing.T, i int, _ asm.Kernel) {
		for _, size := range [][2]int{{1, 1}, {9, 6}, {16383, 16}} {
			a, terms, counts := asmtest.Rest(size[0], size[1])
			got, want := make([]int32, size[1]*asm.RestRows), make([]int32, size[1]*asm.RestRows)
			args := asm.ArgsRest{Dst: &want[0], A: &a[0], Terms: &terms[0], Counts: &counts[0], Cols: int64(size[1])}
			asm.RestScalar.Call(&args)
			args = asm.ArgsRest{Dst: &got[0], A: &a[0], Terms: &terms[0], Counts: &counts[0], Cols: int64(size[1])}
			asm.Rest(i).Call(&args)
			if !slices.Equal(got, want) {
				t.Fatalf("%v: got %v, want %v", size, got, want)
			}
		}
	})
}

// TestColumns also says in other words than the kernel's what Columns does.
func TestColumns(t *testing.T) {
	testKernels(t, asm.ColumnsKernels[:], func(t *testing.T, i int, _ asm.Kernel) {
		const n = 5
		src := asmtest.Columns(n)
		got := make([]uint8, len(src))
		asm.Columns(i).Call(&asm.ArgsColumns{Dst: &got[0], Src: &src[0], N: n})
		for k := range 4 * n {
			for r := range asm.RestRows {
				if g, w := got[k*asm.RestRows+asm.RowPlace(r)], src[k/4*4*asm.RestRows+4*r+k%4]; g != w {
					t.Fatalf("column %d row %d is %d, want %d", k, r, g, w)
				}
			}
		}
	})
}
