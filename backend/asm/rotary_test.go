package asm_test

import (
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
)

func TestRotary(t *testing.T) {
	testKernels(t, asm.RotaryKernels[:], func(t *testing.T, i int, _ asm.Kernel) {
		for _, n := range []int{1, 7, 16, 32, 45} {
			const rows, gap = 3, 5
			step := 2*n + gap
			x, cos, sin := make([]float32, rows*step), make([]float32, 2*n), make([]float32, 2*n)
			for i := range x {
				x[i] = float32(i*7919%4001)/2000 - 1
			}
			for i := range cos {
				cos[i], sin[i] = float32(i*31%17)/8-1, float32(i*13%19)/9-1
			}
			call := func(k asm.Rotary) []float32 {
				dst := make([]float32, rows*step)
				k.Call(&asm.ArgsRotary{Dst: &dst[0], Dst1: &dst[n], X: &x[0], X1: &x[n], Cos: &cos[0], Cos1: &cos[n], Sin: &sin[0], Sin1: &sin[n],
					N: int64(n), Rows: rows, DstStep: int64(4 * step), XStep: int64(4 * step)})
				return dst
			}
			want := make([]float32, rows*step)
			for r := range rows {
				for i := range n {
					a, b := x[r*step+i], x[r*step+n+i]
					want[r*step+i] = float32(a*cos[i]) - float32(b*sin[i])
					want[r*step+n+i] = float32(b*cos[n+i]) + float32(a*sin[n+i])
				}
			}
			if got := call(asm.Rotary(i)); !slices.Equal(got, want) {
				t.Errorf("halves of %d: got %v, want %v", n, got, want)
			}
		}
	})
}
