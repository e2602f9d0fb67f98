package asm_test

import (
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
	"github.com/qrun-onnx/qrun/backend/asm/asmtest"
)

func TestWinograd(t *testing.T) {
	testKernels(t, asm.WinogradKernels[:], func(t *testing.T, i int, d asm.Kernel) {
		for _, g := range asmtest.WinogradCases(d) {
			a := g.Winograd
			asm.WinogradScalar.Call(&a)
			want := g.Take()
			a = g.Winograd
			asm.Winograd(i).Call(&a)
			if err := g.Diff(g.Take(), want); err != nil {
				t.Fatal(err)
			}
		}
	})
}
