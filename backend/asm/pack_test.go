package asm_test

import (
	"slices"
	"testing"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// numbered is n different bytes.
func numbered[T int8 | uint8](n int) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = T(i*7 + i>>8 + 1)
	}
	return s
}

func TestInterleave(t *testing.T) {
	testKernels(t, asm.InterleaveKernels[:], func(t *testing.T, i int, d asm.Kernel) {
		m := d.M
		if m == 0 {
			m = 4
		}
		for _, size := range [][2]int{{m, 16}, {3 * m, 48}} {
			k, cols := size[0], size[1]
			lds, ldd := cols+3, cols*m+8
			src, dst := numbered[int8]((k-1)*lds+cols), make([]int8, (k/m-1)*ldd+cols*m)
			asm.Interleave(i).Call(&asm.ArgsInterleave{Dst: &dst[0], LDD: int64(ldd), Src: &src[0], LDS: int64(lds), K: int64(k), Cols: int64(cols)})
			for at, got := range dst {
				want := int8(0)
				if g, c := at/ldd, at%ldd; c < cols*m {
					want = src[(g*m+c%m)*lds+c/m]
				}
				if got != want {
					t.Fatalf("%v: byte %d is %d, want %d", size, at, got, want)
				}
			}
		}
	})
}

func TestTranspose(t *testing.T) {
	testKernels(t, asm.TransposeKernels[:], func(t *testing.T, i int, d asm.Kernel) {
		for _, size := range [][2]int{{8, 8}, {24, 40}, {16, max(4, d.N)}, {8, 3 * max(4, d.N)}} {
			k, cols := size[0], size[1]
			lds, ldd := k+3, cols+5
			src, dst := make([]float32, (cols-1)*lds+k), make([]float32, (k-1)*ldd+cols)
			for j := range src {
				src[j] = float32(j + 1)
			}
			asm.Transpose(i).Call(&asm.ArgsTranspose{Dst: &dst[0], LDD: int64(4 * ldd), Src: &src[0], LDS: int64(4 * lds), K: int64(k), Cols: int64(cols)})
			for at, got := range dst {
				want := float32(0)
				if r, c := at/ldd, at%ldd; c < cols {
					want = src[c*lds+r]
				}
				if got != want {
					t.Fatalf("%v: element %d is %v, want %v", size, at, got, want)
				}
			}
		}
	})
}

func TestPrepareA(t *testing.T) {
	const n = 96
	x, y := numbered[uint8](n), numbered[uint8](2 * n)[n:]
	testKernels(t, asm.WidenKernels[:], func(t *testing.T, i int, _ asm.Kernel) {
		var got [n]int16
		asm.Widen(i).Call(&asm.ArgsWiden{Dst: &got[0], Src: &x[0], N: n})
		for j, v := range got {
			if v != int16(x[j]) {
				t.Fatalf("%d of %d is %d", j, x[j], v)
			}
		}
	})
	testKernels(t, asm.SignedKernels[:], func(t *testing.T, i int, _ asm.Kernel) {
		var got [n]int8
		asm.Signed(i).Call(&asm.ArgsSigned{Dst: &got[0], Src: &x[0], N: n})
		for j, v := range got {
			if int(v) != int(x[j])-128 {
				t.Fatalf("%d of %d is %d", j, x[j], v)
			}
		}
	})
	testKernels(t, asm.PairKernels[:], func(t *testing.T, i int, _ asm.Kernel) {
		var got [2 * n]uint8
		asm.Pair(i).Call(&asm.ArgsPair{Dst: &got[0], A: &x[0], B: unsafe.SliceData(y), N: n})
		for at := 0; at < n; at += 8 {
			if !slices.Equal(got[2*at:2*at+8], x[at:at+8]) || !slices.Equal(got[2*at+8:2*at+16], y[at:at+8]) {
				t.Fatalf("%v of %v and %v", got, x, y)
			}
		}
	})
}
