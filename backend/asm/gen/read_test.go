package main

import (
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
)

func TestRead(t *testing.T) {
	for _, k := range readFamily().Kernels {
		src, want, got := make([]uint64, 192), make([]uint64, 8), make([]uint64, 8)
		for i := range src {
			src[i] = uint64(i) * 0x9e3779b97f4a7c15
		}
		asm.ReadScalar.Call(&asm.ArgsRead{Dst: &want[0], Src: &src[0], N: 192})
		run(t, k, map[string]any{"Dst": rw(got), "Src": ro(src), "N": len(src)})
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %x, want %x", k.Name, got, want)
		}
	}
}
