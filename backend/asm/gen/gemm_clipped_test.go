package main

import (
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
	"github.com/qrun-onnx/qrun/backend/asm/asmtest"
)

func TestRest(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {9, 6}, {16383, 5}} {
		a, terms, counts := asmtest.Rest(size[0], size[1])
		got, want := make([]int32, size[1]*restRows), make([]int32, size[1]*restRows)
		asm.RestScalar.Call(&asm.ArgsRest{Dst: &want[0], A: &a[0], Terms: &terms[0], Counts: &counts[0], Cols: int64(size[1])})
		run(t, restFamily().Kernels[0], map[string]any{"Dst": rw(got), "A": ro(a), "Terms": ro(terms), "Counts": ro(counts), "Cols": size[1]})
		if !slices.Equal(got, want) {
			t.Fatalf("%v: got %v, want %v", size, got, want)
		}
	}
}

func TestColumns(t *testing.T) {
	for _, n := range []int{1, 5} {
		src := asmtest.Columns(n)
		got, want := make([]uint8, len(src)), make([]uint8, len(src))
		asm.ColumnsScalar.Call(&asm.ArgsColumns{Dst: &want[0], Src: &src[0], N: int64(n)})
		run(t, columnsFamily().Kernels[0], map[string]any{"Dst": rw(got), "Src": ro(src), "N": n})
		if !slices.Equal(got, want) {
			t.Fatalf("%d groups: got %v, want %v", n, got, want)
		}
	}
}
