package main

import (
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
)

func TestNBits(t *testing.T) {
	const blocks, chunks = 3, 2
	a, scale, zero := vecValues(32*blocks*chunks, 1), vecValues(blocks, 2), []float32{8, 0, 3.5}
	codes := make([]uint8, 16*blocks*chunks)
	for i := range codes {
		codes[i] = uint8(i*89 + i/7)
	}
	for _, k := range interpreted(nbitsFamily()) {
		for _, step := range []int{0, 4} {
			want, got := vecValues(16, 3), vecValues(16, 3)
			asm.NBitsScalar.Call(&asm.ArgsNBits{Acc: &want[0], A: &a[0], Codes: &codes[0], Scale: &scale[0], Zero: &zero[0], Blocks: blocks, Chunks: chunks, ZeroStep: int64(step)})
			run(t, k, map[string]any{"Acc": rw(got), "A": ro(a), "Codes": ro(codes), "Scale": ro(scale), "Zero": ro(zero), "Blocks": blocks, "Chunks": chunks, "ZeroStep": step})
			checkVec(t, k.Name, got, want)
		}
	}
	for _, k := range interpreted(widenNBitsFamily()) {
		want, got := make([]float32, len(a)), make([]float32, len(a))
		asm.WidenNBitsScalar.Call(&asm.ArgsWidenNBits{Dst: &want[0], Codes: &codes[0], Scale: &scale[0], Zero: &zero[0], Blocks: blocks, Chunks: chunks, ZeroStep: 4})
		run(t, k, map[string]any{"Dst": rw(got), "Codes": ro(codes), "Scale": ro(scale), "Zero": ro(zero), "Blocks": blocks, "Chunks": chunks, "ZeroStep": 4})
		checkVec(t, k.Name, got, want)
	}
}
