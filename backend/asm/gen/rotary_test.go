package main

import (
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
)

func TestRotary(t *testing.T) {
	for _, k := range interpreted(rotaryFamily()) {
		for _, n := range []int{1, 16, 20, 32} {
			const rows = 3
			x, cos, sin := vecValues(rows*2*n, 1), vecValues(2*n, 2), vecValues(2*n, 3)
			want, got := make([]float32, len(x)), make([]float32, len(x))
			asm.RotaryScalar.Call(&asm.ArgsRotary{Dst: &want[0], Dst1: &want[n], X: &x[0], X1: &x[n], Cos: &cos[0], Cos1: &cos[n], Sin: &sin[0], Sin1: &sin[n], N: int64(n), Rows: rows,
				DstStep: int64(8 * n), XStep: int64(8 * n)})
			// The halves are slices of their own, one row after the other.
			x0, x1, g0, g1 := make([]float32, rows*n), make([]float32, rows*n), make([]float32, rows*n), make([]float32, rows*n)
			for r := range rows {
				copy(x0[r*n:(r+1)*n], x[2*r*n:])
				copy(x1[r*n:(r+1)*n], x[(2*r+1)*n:])
			}
			run(t, k, map[string]any{"Dst": rw(g0), "Dst1": rw(g1), "X": ro(x0), "X1": ro(x1), "Cos": ro(cos[:n]), "Cos1": ro(cos[n:]), "Sin": ro(sin[:n]), "Sin1": ro(sin[n:]), "N": n,
				"Rows": rows, "DstStep": 4 * n, "XStep": 4 * n})
			for r := range rows {
				copy(got[2*r*n:], g0[r*n:(r+1)*n])
				copy(got[(2*r+1)*n:], g1[r*n:(r+1)*n])
			}
			checkVec(t, k.Name, got, want)
		}
	}
}
