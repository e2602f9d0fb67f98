package asm_test

import (
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
	"github.com/qrun-onnx/qrun/backend/asm/asmtest"
)

func TestConvF32(t *testing.T) {
	testKernels(t, asm.ConvF32Kernels[:], func(t *testing.T, i int, d asm.Kernel) {
		for _, g := range asmtest.ConvCases(d) {
			a := g.Conv
			asm.ConvF32(i).Reference(&a)
			want := g.Take()
			a = g.Conv
			asm.ConvF32(i).Call(&a)
			if err := g.Diff(g.Take(), want); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestDepthwise(t *testing.T) {
	testKernels(t, asm.DepthwiseKernels[:], func(t *testing.T, i int, _ asm.Kernel) {
		for _, g := range asmtest.DepthwiseCases() {
			a := g.Depthwise
			asm.DepthwiseScalar.Call(&a)
			want := g.Take()
			a = g.Depthwise
			asm.Depthwise(i).Call(&a)
			if err := g.Diff(g.Take(), want); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestPixelsF32(t *testing.T) {
	testKernels(t, asm.PixelsF32Kernels[:], func(t *testing.T, i int, d asm.Kernel) {
		for _, g := range asmtest.PixelsCases(d) {
			a := g.Pixels
			asm.PixelsF32(i).Reference(&a)
			want := g.Take()
			a = g.Pixels
			asm.PixelsF32(i).Call(&a)
			if err := g.Diff(g.Take(), want); err != nil {
				t.Fatal(err)
			}
		}
	})
}
