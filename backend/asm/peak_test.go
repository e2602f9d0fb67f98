package asm_test

import (
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// TestPeak runs every loop: this CPU knows their instructions.
func TestPeak(t *testing.T) {
	testKernels(t, asm.PeakKernels[:], func(t *testing.T, i int, d asm.Kernel) {
		config := asm.TileConfig(16, 16)
		a := asm.ArgsPeak{N: 3, Config: &config[0]}
		asm.Peak(i).Call(&a)
		if d.ISA == asm.Scalar && a.N != 0 {
			t.Errorf("%d rounds are left", a.N)
		}
	})
}
