package asm_test

import (
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
	"github.com/qrun-onnx/qrun/backend/asm/asmtest"
)

func TestDepthwisePlanes(t *testing.T) {
	testPlanes(t, asm.DepthwisePlanesKernels[:], func(i int, a *asm.ArgsPlanes) { asm.DepthwisePlanes(i).Call(a) })
}

func TestPoolPlanes(t *testing.T) {
	testPlanes(t, asm.PoolPlanesKernels[:], func(i int, a *asm.ArgsPlanes) { asm.PoolPlanes(i).Call(a) })
}

func testPlanes(t *testing.T, kernels []asm.Kernel, call func(i int, a *asm.ArgsPlanes)) {
	testKernels(t, kernels, func(t *testing.T, i int, d asm.Kernel) {
		for _, g := range asmtest.PlanesCases(d) {
			a := g.Planes
			call(0, &a)
			want := g.Take()
			a = g.Planes
			call(i, &a)
			if err := g.Diff(g.Take(), want); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestPlanesBlocks counts what a row's loads and stores touch.
func TestPlanesBlocks(t *testing.T) {
	var b asm.PlanesBlocks
	b.Set(8, 3, 1, 1, 20, 20)
	if b.Lead != 1 || b.Inner != 1 || b.Trail != 1 || len(b.Masks) != 2*4*8 {
		t.Errorf("%+v", b)
	}
	if b.Masks[0] != 0 || b.Masks[1] != -1 || b.Masks[8] != -1 || b.Masks[32+3] != -1 || b.Masks[32+4+8] != 0 {
		t.Errorf("masks %v", b.Masks)
	}
	b.Set(16, 2, 2, 0, 64, 32)
	if b.Lead != 0 || b.Inner != 2 || b.Trail != 0 || len(b.Masks) != 0 {
		t.Errorf("%+v", b)
	}
	b.Set(16, 3, 2, 0, 66, 32) // the last window's vector ends at column 66
	if b.Inner != 2 {
		t.Errorf("%+v", b)
	}
}

func TestPatches(t *testing.T) {
	testKernels(t, asm.PatchesKernels[:], func(t *testing.T, i int, d asm.Kernel) {
		for _, g := range asmtest.PatchesCases(d) {
			a := g.Patches
			asm.PatchesScalar.Call(&a)
			want := g.Take()
			a = g.Patches
			asm.Patches(i).Call(&a)
			if err := g.Diff(g.Take(), want); err != nil {
				t.Fatal(err)
			}
		}
	})
}
