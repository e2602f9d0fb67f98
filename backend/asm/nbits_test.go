package asm_test

import (
	"math"
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
)

func TestNBits(t *testing.T) {
	type row struct{ blocks, chunks, zeros int }
	for _, r := range []row{{1, 1, 1}, {3, 1, 3}, {2, 2, 2}, {5, 4, 1}} {
		n := r.blocks * r.chunks
		a, codes, scale, zero := make([]float32, 32*n), make([]uint8, 16*n), make([]float32, r.blocks), make([]float32, r.zeros)
		for i := range a {
			a[i] = float32((i*7919+13)%4001)/2000 - 1
		}
		for i := range codes {
			codes[i] = uint8(i*89 + i/7)
		}
		for i := range scale {
			scale[i] = float32(i%5)*0.03 - 0.04
		}
		for i := range zero {
			zero[i] = float32(i*3%16) + 0.25
		}
		call := func(k asm.NBits) (acc [16]float32) {
			acc[3] = 0.5
			k.Call(&asm.ArgsNBits{Acc: &acc[0], A: &a[0], Codes: &codes[0], Scale: &scale[0], Zero: &zero[0], Blocks: int64(r.blocks), Chunks: int64(r.chunks),
				ZeroStep: int64(4 * min(r.zeros-1, 1))})
			return acc
		}
		want := call(asm.NBitsScalar)
		exact := 0.5
		for i := range 32 * n {
			c := codes[i/2] >> (i % 2 * 4) & 15
			b := i / 32 / r.chunks
			exact += (float64(c) - float64(zero[min(b, r.zeros-1)])) * float64(a[i/32*32+i%2*16+i%32/2]) * float64(scale[b])
		}
		sum := 0.0
		for _, v := range want {
			sum += float64(v)
		}
		if math.Abs(sum-exact) > 1e-5 {
			t.Fatalf("%+v: %v, want %v", r, sum, exact)
		}
		testKernels(t, asm.NBitsKernels[:], func(t *testing.T, i int, _ asm.Kernel) {
			if got := call(asm.NBits(i)); got != want {
				t.Errorf("%+v: got %v, want %v", r, got, want)
			}
			row := &asm.NBitsRow{A: a, Codes: codes, Scale: scale, Zero: zero, Chunks: r.chunks}
			if got, want := asm.NBits(i).Dot(row), asm.NBitsScalar.Dot(row); got != want {
				t.Errorf("%+v: product %v, want %v", r, got, want)
			}
		})
	}
}

func TestWidenNBits(t *testing.T) {
	row := asm.NBitsRow{A: make([]float32, 192), Codes: make([]uint8, 96), Scale: []float32{0.5, -2, 3}, Zero: []float32{8, 0, 2.5}, Chunks: 2}
	for i := range row.Codes {
		row.Codes[i] = uint8(i*89 + i/7)
	}
	testKernels(t, asm.WidenNBitsKernels[:], func(t *testing.T, i int, _ asm.Kernel) {
		for _, zero := range [][]float32{row.Zero, {8}} {
			r := row
			r.Zero = zero
			clear(r.A)
			asm.WidenNBits(i).Widen(&r)
			for i, v := range r.A {
				b, e := i/64, i%32
				c := r.Codes[i/32*16+e%16] >> (e / 16 * 4) & 15
				if want := (float32(c) - zero[min(b, len(zero)-1)]) * r.Scale[b]; v != want {
					t.Fatalf("element %d is %v, want %v", i, v, want)
				}
			}
		}
	})
}

// A row that takes several calls has the sum of one.
func TestNBitsLongRow(t *testing.T) {
	const blocks = 9000
	row := &asm.NBitsRow{A: make([]float32, 32*blocks), Codes: make([]uint8, 16*blocks), Scale: make([]float32, blocks), Zero: make([]float32, blocks), Chunks: 1}
	for b := range blocks {
		row.A[32*b+b%32], row.Scale[b], row.Zero[b] = 1, 1, float32(b%3)
	}
	want := float32(0)
	for b := range blocks {
		want -= float32(b % 3)
	}
	testKernels(t, asm.NBitsKernels[:], func(t *testing.T, i int, _ asm.Kernel) {
		if got := asm.NBits(i).Dot(row); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}
