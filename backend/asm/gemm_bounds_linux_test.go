package asm_test

import (
	"reflect"
	"syscall"
	"testing"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
	"github.com/qrun-onnx/qrun/backend/asm/asmtest"
)

// edges are pieces of memory, one per field of arguments, with none after them.
type edges map[string][]byte

const edgeBytes = 1 << 18

func (e edges) get(t *testing.T, field string) []byte {
	t.Helper()
	if e[field] == nil {
		mem, err := syscall.Mmap(-1, 0, edgeBytes+syscall.Getpagesize(), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Munmap(mem) })
		if err := syscall.Mprotect(mem[edgeBytes:], syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
		e[field] = mem[:edgeBytes]
	}
	return e[field]
}

// move copies the buffers that a pointer to arguments leads to, so that each ends where no memory is.
func (e edges) move(t *testing.T, args any, buffers []asmtest.Buffer) {
	t.Helper()
	v := reflect.ValueOf(args).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		if k := f.Kind(); k != reflect.Pointer && k != reflect.UnsafePointer || f.IsNil() {
			continue
		}
		for _, b := range buffers {
			if unsafe.Pointer(&b.Bytes[0]) != f.UnsafePointer() {
				continue
			}
			mem := e.get(t, v.Type().Field(i).Name)
			at := mem[len(mem)-len(b.Bytes):]
			copy(at, b.Bytes)
			*(*unsafe.Pointer)(f.Addr().UnsafePointer()) = unsafe.Pointer(&at[0])
			break
		}
	}
}

// TestGemmBounds runs the kernels of products on matrices that end at the end of memory.
func TestGemmBounds(t *testing.T) {
	for _, f := range []struct {
		kind    string
		kernels []asm.Kernel
		call    func(i int, a *asm.ArgsGemm)
	}{
		{"int8", asm.GemmU8S8Kernels[:], func(i int, a *asm.ArgsGemm) { asm.GemmU8S8(i).Call(a) }},
		{"float32", asm.GemmF32Kernels[:], func(i int, a *asm.ArgsGemm) { asm.GemmF32(i).Call(a) }},
		{"float16", asm.GemmF16Kernels[:], func(i int, a *asm.ArgsGemm) { asm.GemmF16(i).Call(a) }},
	} {
		testKernels(t, f.kernels, func(t *testing.T, i int, d asm.Kernel) {
			e := edges{}
			for _, g := range asmtest.GemmCases(d, f.kind) {
				e.move(t, &g.Args, g.Buffers)
				f.call(i, &g.Args)
			}
		})
	}
	testKernels(t, asm.ConvF32Kernels[:], func(t *testing.T, i int, d asm.Kernel) {
		e := edges{}
		for _, g := range asmtest.ConvCases(d) {
			e.move(t, &g.Conv, g.Buffers)
			asm.ConvF32(i).Call(&g.Conv)
		}
	})
}
