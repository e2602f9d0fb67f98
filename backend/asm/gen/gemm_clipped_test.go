package main

import (
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
	"github.com/qrun-onnx/qrun/backend/asm/asmtest"
)

func TestRest(t *testing.T) {
	for _, k := range restFamily().Kernels {
		for _, size := range [][3]int{{1, 1, 0}, {9, 6, 20}, {16383, 5, 9}} {
			a, terms := asmtest.Rest(k.M, size[0], 7, size[1], max(size[2], 1))
			got, want := make([]int32, size[1]*k.M), make([]int32, size[1]*k.M)
			asm.RestScalar.Call(&asm.ArgsRest{Dst: &want[0], A: &a[0], Terms: &terms[0], N: int64(size[2]), Skip: int64(7 * 4 * k.M), Cols: int64(size[1]), Rows: int64(k.M)})
			run(t, k, map[string]any{"Dst": rw(got), "A": ro(a), "Terms": ro(terms), "N": size[2], "Skip": 7 * 4 * k.M, "Cols": size[1]})
			if !slices.Equal(got, want) {
				t.Fatalf("%v: got %v, want %v", size, got, want)
			}
		}
	}
}

func TestColumns(t *testing.T) {
	for _, k := range columnsFamily().Kernels {
		for _, n := range []int{1, 5} {
			src := asmtest.Columns(k.M, n)
			got, want := make([]uint8, len(src)), make([]uint8, len(src))
			asm.ColumnsScalar.Call(&asm.ArgsColumns{Dst: &want[0], Src: &src[0], N: int64(n), Rows: int64(k.M)})
			run(t, k, map[string]any{"Dst": rw(got), "Src": ro(src), "N": n})
			if !slices.Equal(got, want) {
				t.Fatalf("%d groups: got %v, want %v", n, got, want)
			}
		}
	}
}
