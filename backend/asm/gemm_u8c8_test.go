package asm_test

import (
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
	"github.com/qrun-onnx/qrun/backend/asm/asmtest"
)

func TestRest(t *testing.T) {
	testKernels(t, asm.RestKernels[:], func(t *testing.T, i int, d asm.Kernel) {
		rows := d.M
		if rows == 0 {
			rows = asm.RestRows
		}
		for _, size := range [][3]int{{1, 1, 0}, {1, 1, 3}, {9, 6, 20}, {16383, 16, 70}} {
			a, terms := asmtest.Rest(rows, size[0], 7, size[1], max(size[2], 1))
			got, want := random32(size[1]*rows), make([]int32, size[1]*rows)
			args := asm.ArgsRest{Dst: &want[0], A: &a[0], Terms: &terms[0], N: int64(size[2]), Skip: int64(7 * 4 * rows), Cols: int64(size[1]), Rows: int64(rows)}
			asm.RestScalar.Call(&args)
			args = asm.ArgsRest{Dst: &got[0], A: &a[0], Terms: &terms[0], N: int64(size[2]), Skip: int64(7 * 4 * rows), Cols: int64(size[1]), Rows: int64(rows)}
			asm.Rest(i).Call(&args)
			if !slices.Equal(got, want) {
				t.Fatalf("%v: got %v, want %v", size, got, want)
			}
		}
	})
}

// random32 are numbers that a kernel must not read.
func random32(n int) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = int32(i*12345 + 678)
	}
	return s
}

// TestColumns also says in other words than the kernel's what Columns does.
func TestColumns(t *testing.T) {
	testKernels(t, asm.ColumnsKernels[:], func(t *testing.T, i int, d asm.Kernel) {
		const n = 5
		for _, rows := range []int{asm.RestFew, asm.RestRows} {
			if d.M != 0 && d.M != rows {
				continue
			}
			src := asmtest.Columns(rows, n)
			got := make([]uint8, len(src))
			asm.Columns(i).Call(&asm.ArgsColumns{Dst: &got[0], Src: &src[0], N: n, Rows: int64(rows)})
			for k := range 4 * n {
				for r := range rows {
					place := r
					if rows == asm.RestRows {
						place = asm.RowPlace(r)
					}
					if g, w := got[k*rows+place], src[k/4*4*rows+4*r+k%4]; g != w {
						t.Fatalf("column %d row %d is %d, want %d", k, r, g, w)
					}
				}
			}
		}
	})
}
