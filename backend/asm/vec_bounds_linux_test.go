package asm

import (
	"fmt"
	"syscall"
	"testing"
	"unsafe"
)

// edge is n elements of 0 that end where no memory is.
func edge(t *testing.T, n int) []float32 {
	t.Helper()
	page := syscall.Getpagesize()
	room := (4*n+page-1)/page*page + page
	mem, err := syscall.Mmap(-1, 0, room+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(mem) })
	if err := syscall.Mprotect(mem[room:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&mem[room-4*n])), n)
}

// TestVectorBounds runs the kernels on vectors that end at the end of memory: they touch nothing after them.
func TestVectorBounds(t *testing.T) {
	for name, v := range vectorSets() {
		for n := 1; n < 50; n++ {
			t.Run(fmt.Sprint(name, n), func(t *testing.T) {
				a, b, dst, one := edge(t, n), edge(t, n), edge(t, n), edge(t, 1)
				copy(a, vecValues(n, 1, false))
				for f := range NumUnary {
					v.Unary(f, dst, a, 0.7, 1.2)
				}
				for f := range NumBinary {
					v.Binary(f, dst, a, b)
					v.BinaryVS(f, dst, a, 2)
					v.BinarySV(f, dst, 2, b)
				}
				v.Axpy(dst, a, 2)
				v.Sum(a)
				v.SumSquares(a)
				v.Dot(a, b)
				v.MaxOf(a)
				v.MinMax(a)
				for f := range numRow {
					r := &Rows{N: n, Rows: 1, Dst: dst, Src: a, Add: b, Scale: 1}
					if f == rowLayerNorm || f == rowRMSNorm {
						r.Bias, r.Gamma, r.Beta, r.Inv = b, a, b, one
					}
					v.rows(f, r)
				}
				bytes := unsafe.Slice((*uint8)(unsafe.Pointer(&dst[0])), 4*n)
				v.QuantizeU8(bytes[3*n:], a, 0.1, 3)
				v.DequantizeU8(dst, bytes[3*n:], 0.1, 3)
				v.Requantize(bytes[3*n:], unsafe.Slice((*int32)(unsafe.Pointer(&a[0])), n), 1, 0.1, 3, 0)
				step := (n + 15) / 16 * 16
				rows := edge(t, step/4)
				v.QuantizeRows(unsafe.Slice((*uint8)(unsafe.Pointer(&rows[0])), step), step, a, n, n, 1, one, make([]int32, 1), make([]int32, 1))
			})
		}
	}
}
