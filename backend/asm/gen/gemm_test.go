package main

import (
	"reflect"
	"testing"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
	"github.com/qrun-onnx/qrun/backend/asm/asmtest"
)

var isas = map[*ISA]asm.ISA{AVX2: asm.AVX2, AVXVNNI: asm.AVXVNNI, AVX512: asm.AVX512, AVX512VNNI: asm.AVX512VNNI, AMX: asm.AMX}

// TestGemm runs every matrix product kernel in the interpreter, against the reference in Go.
func TestGemm(t *testing.T) {
	for _, f := range []struct {
		family    *Family
		kind      string
		reference func(i int, a *asm.ArgsGemm)
	}{
		{gemmU8S8Family(), "int8", func(i int, a *asm.ArgsGemm) { asm.GemmU8S8(i).Reference(a) }},
		{gemmU8C8Family(), "clipped", func(i int, a *asm.ArgsGemm) { asm.GemmU8C8(i).Reference(a) }},
		{gemmF32Family(), "float32", func(i int, a *asm.ArgsGemm) { asm.GemmF32(i).Reference(a) }},
		{gemmF16Family(), "float16", func(i int, a *asm.ArgsGemm) { asm.GemmF16(i).Reference(a) }},
	} {
		for i, k := range interpreted(f.family) {
			t.Run(k.Name, func(t *testing.T) {
				t.Parallel()
				d := asm.Kernel{Name: k.Name, ISA: isas[k.ISA], M: k.M, N: k.N}
				for _, g := range asmtest.GemmCases(d, f.kind) {
					a := g.Args
					f.reference(i+1, &a)
					want := g.Take()
					run(t, k, gemmMap(t, g))
					if err := g.Diff(g.Take(), want); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

// gemmMap is a call as the interpreter takes it: pointers become buffers.
func gemmMap(t *testing.T, g *asmtest.Gemm) map[string]any {
	args := map[string]any{}
	v := reflect.ValueOf(g.Args)
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		switch f.Kind() {
		case reflect.Int64:
			args[name] = int(f.Int())
		case reflect.Float32:
			args[name] = float32(f.Float())
		default:
			p := f.UnsafePointer()
			if p == nil {
				continue
			}
			for _, b := range g.Buffers {
				if unsafe.Pointer(&b.Bytes[0]) == p {
					args[name] = &buffer{data: b.Bytes, writable: b.Writable}
				}
			}
			if args[name] == nil {
				t.Fatalf("%s is in no buffer", name)
			}
		}
	}
	return args
}

func TestArgsLayout(t *testing.T) {
	typ := reflect.TypeFor[asm.ArgsGemm]()
	for i := range typ.NumField() {
		f := typ.Field(i)
		if unsafe.Sizeof(uintptr(0)) == 8 && int(f.Offset) != gemmArgs.offset(f.Name) {
			t.Errorf("%s is at %d in Go and at %d in the kernels", f.Name, f.Offset, gemmArgs.offset(f.Name))
		}
	}
}
