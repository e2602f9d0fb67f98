package main

import (
	"reflect"
	"testing"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
	"github.com/qrun-onnx/qrun/backend/asm/asmtest"
)

// TestConv runs the convolutions in the interpreter, against the reference in Go.
func TestConv(t *testing.T) {
	for i, k := range interpreted(convFamily()) {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			for _, g := range asmtest.ConvCases(asm.ConvF32Kernels[i+1]) {
				a := g.Conv
				asm.ConvF32(i + 1).Reference(&a)
				want := g.Take()
				run(t, k, buffered(t, g.Conv, g.Buffers))
				if err := g.Diff(g.Take(), want); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	for i, k := range interpreted(pixelsFamily()) {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			for _, g := range asmtest.PixelsCases(asm.PixelsF32Kernels[i+1]) {
				a := g.Pixels
				asm.PixelsF32(i + 1).Reference(&a)
				want := g.Take()
				run(t, k, buffered(t, g.Pixels, g.Buffers))
				if err := g.Diff(g.Take(), want); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	for _, k := range interpreted(depthwiseFamily()) {
		for i, g := range asmtest.DepthwiseCases() {
			if i%7 > 1 { // natively all are run
				continue
			}
			a := g.Depthwise
			asm.DepthwiseScalar.Call(&a)
			want := g.Take()
			run(t, k, buffered(t, g.Depthwise, g.Buffers))
			if err := g.Diff(g.Take(), want); err != nil {
				t.Fatalf("%s: %v", k.Name, err)
			}
		}
	}
}

// buffered is a call as the interpreter takes it: pointers become buffers.
func buffered(t *testing.T, call any, buffers []asmtest.Buffer) map[string]any {
	args := map[string]any{}
	v := reflect.ValueOf(call)
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		switch f.Kind() {
		case reflect.Int64:
			args[name] = int(f.Int())
		case reflect.Float32:
			args[name] = float32(f.Float())
		default:
			p := f.UnsafePointer()
			for _, b := range buffers {
				if p != nil && unsafe.Pointer(&b.Bytes[0]) == p {
					args[name] = &buffer{data: b.Bytes, writable: b.Writable}
				}
			}
			if p != nil && args[name] == nil {
				t.Fatalf("%s is in no buffer", name)
			}
		}
	}
	return args
}

func TestConvArgsLayout(t *testing.T) {
	for _, x := range []struct {
		args *Args
		typ  reflect.Type
	}{{convArgs, reflect.TypeFor[asm.ArgsConv]()}, {pixelsArgs, reflect.TypeFor[asm.ArgsPixels]()}, {depthwiseFamily().Args, reflect.TypeFor[asm.ArgsDepthwise]()}} {
		for i := range x.typ.NumField() {
			f := x.typ.Field(i)
			if unsafe.Sizeof(uintptr(0)) == 8 && int(f.Offset) != x.args.offset(f.Name) {
				t.Errorf("%s is at %d in Go and at %d in the kernels", f.Name, f.Offset, x.args.offset(f.Name))
			}
		}
	}
}
