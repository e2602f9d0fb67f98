package main

import (
	"reflect"
	"testing"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
	"github.com/qrun-onnx/qrun/backend/asm/asmtest"
)

// TestPlanes runs the kernels over planes in the interpreter, against the reference in Go.
func TestPlanes(t *testing.T) {
	for _, f := range []struct {
		family  *Family
		kernels []asm.Kernel
		scalar  func(a *asm.ArgsPlanes)
	}{
		{depthwisePlanesFamily(), asm.DepthwisePlanesKernels[1:], asm.DepthwisePlanesScalar.Call},
		{poolPlanesFamily(), asm.PoolPlanesKernels[1:], asm.PoolPlanesScalar.Call},
	} {
		for i, k := range interpreted(f.family) {
			t.Run(k.Name, func(t *testing.T) {
				t.Parallel()
				for j, g := range asmtest.PlanesCases(f.kernels[i]) {
					if j%5 != i%5 { // natively all are run
						continue
					}
					a := g.Planes
					f.scalar(&a)
					want := g.Take()
					run(t, k, buffered(t, g.Planes, g.Buffers))
					if err := g.Diff(g.Take(), want); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

func TestPlanesArgsLayout(t *testing.T) {
	typ := reflect.TypeFor[asm.ArgsPlanes]()
	for i := range typ.NumField() {
		f := typ.Field(i)
		if unsafe.Sizeof(uintptr(0)) == 8 && int(f.Offset) != planesArgs.offset(f.Name) {
			t.Errorf("%s is at %d in Go and at %d in the kernels", f.Name, f.Offset, planesArgs.offset(f.Name))
		}
	}
}

// TestWinograd runs the transforms in the interpreter, against the reference in Go.
func TestWinograd(t *testing.T) {
	for i, k := range interpreted(winogradFamily()) {
		for _, g := range asmtest.WinogradCases(asm.WinogradKernels[i+1]) {
			a := g.Winograd
			asm.WinogradScalar.Call(&a)
			want := g.Take()
			run(t, k, buffered(t, g.Winograd, g.Buffers))
			if err := g.Diff(g.Take(), want); err != nil {
				t.Fatal(err)
			}
		}
	}
	typ, args := reflect.TypeFor[asm.ArgsWinograd](), winogradFamily().Args
	for i := range typ.NumField() {
		f := typ.Field(i)
		if unsafe.Sizeof(uintptr(0)) == 8 && int(f.Offset) != args.offset(f.Name) {
			t.Errorf("%s is at %d in Go and at %d in the kernels", f.Name, f.Offset, args.offset(f.Name))
		}
	}
}

// TestPatches runs the packing of rows in the interpreter, against the reference in Go.
func TestPatches(t *testing.T) {
	for i, k := range patchesFamily().Kernels {
		for _, g := range asmtest.PatchesCases(asm.PatchesKernels[i+1]) {
			a := g.Patches
			asm.PatchesScalar.Call(&a)
			want := g.Take()
			run(t, k, buffered(t, g.Patches, g.Buffers))
			if err := g.Diff(g.Take(), want); err != nil {
				t.Fatal(err)
			}
		}
	}
}
