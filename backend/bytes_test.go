package backend

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestTransposeBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, k := range All() {
		for _, s := range [][2]int{{1, 1}, {3, 20}, {8, 7}, {9, 15}, {12, 33}, {16, 16}, {17, 49}, {30, 18}, {40, 9}, {16, 5000}, {300, 47}} {
			rows, n := s[0], s[1]
			for _, flip := range []uint8{0, 0x80} {
				lds, ldd := n+2, rows+r.IntN(3)
				src, want, got := make([]uint8, rows*lds), make([]uint8, n*ldd), make([]uint8, n*ldd)
				for i := range src {
					src[i] = uint8(r.Uint32())
				}
				for i := range rows {
					for c := range n {
						want[c*ldd+i] = src[i*lds+c] ^ flip
					}
				}
				if k.TransposeBytes(got, ldd, src, lds, rows, n, flip); !slices.Equal(got, want) {
					t.Fatalf("%s: %d rows of %d bytes: wrong", k.Name(), rows, n)
				}
			}
		}
	}
}

// TestRequantizeMatrices compares with Requantize of every element.
func TestRequantizeMatrices(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, k := range All() {
		for _, s := range [][2]int{{1, 16}, {7, 48}, {1100, 32}, {3, 17040}, {5, 9}, {40, 49}} {
			rows, n := s[0], s[1]
			cols := (n + 15) &^ 15
			src, floats := make([]int32, rows*cols), make([]float32, rows*n+16)
			for i := range src {
				src[i] = int32(r.IntN(1<<16)) - 1<<15
			}
			bias, scale := make([]int32, cols), make([]float32, max(rows, cols))
			for i := range bias {
				bias[i] = int32(r.IntN(2000)) - 1000
			}
			for i := range scale {
				scale[i] = r.Float32() / 100
			}
			for i := range rows * n {
				floats[i] = float32(src[i])
			}
			zero, low := int32(r.IntN(256)), int32(0)
			if rows%2 == 0 {
				zero, low = zero-128, -128
			}
			got, want := make([]uint8, rows*cols+16), make([]uint8, rows*cols)
			for i := range want {
				k.Requantize(want[i:i+1], src[i:i+1], bias[i%cols], scale[i%cols], zero, low)
			}
			if k.RequantizeColumns(got, cols, src, cols, rows, cols, bias, scale, zero, low); !slices.Equal(got[:len(want)], want) {
				t.Errorf("%s: %d rows of %d columns: wrong", k.Name(), rows, cols)
			}
			for i := range rows * n {
				k.Requantize(want[i:i+1], src[i:i+1], 0, scale[i/n], zero, low)
			}
			if k.RequantizeRows(got, floats, n, scale[:rows], zero, low); !slices.Equal(got[:rows*n], want[:rows*n]) {
				t.Errorf("%s: %d rows of %d: wrong", k.Name(), rows, n)
			}
		}
	}
}

func TestSumRows(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, k := range All() {
		for _, n := range []int{1, 9, 16, 49, 196, 1000, longRow + 5} {
			const rows = 70
			src, got := make([]float32, rows*n), make([]float32, rows)
			for i := range src {
				src[i] = r.Float32() - 0.5
			}
			k.SumRows(got, src, n)
			for i, v := range got {
				if want := k.Sum(src[i*n : (i+1)*n]); v != want {
					t.Fatalf("%s: row %d of %d elements is %v, want %v", k.Name(), i, n, v, want)
				}
			}
		}
	}
}
