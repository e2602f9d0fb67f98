package asm_test

import (
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
)

func TestRead(t *testing.T) {
	src, want := make([]uint64, 256), make([]uint64, 8)
	for i := range src {
		src[i] = uint64(i) * 0x9e3779b97f4a7c15
		want[i%8] ^= src[i]
	}
	testKernels(t, asm.ReadKernels[:], func(t *testing.T, i int, _ asm.Kernel) {
		got := make([]uint64, 8)
		asm.Read(i).Call(&asm.ArgsRead{Dst: &got[0], Src: &src[0], N: int64(len(src))})
		if !slices.Equal(got, want) {
			t.Errorf("got %x, want %x", got, want)
		}
	})
}
