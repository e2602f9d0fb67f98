package backend

import (
	"slices"
	"testing"
)

func TestTranspose(t *testing.T) {
	for _, k := range All() {
		for _, s := range [][2]int{{1, 1}, {8, 8}, {7, 20}, {20, 7}, {16, 24}, {33, 17}, {600, 40}, {9, 3000}} {
			rows, n := s[0], s[1]
			lds, ldd := n+3, rows+5
			src, want := make([]int32, rows*lds), make([]int32, n*ldd)
			for i := range src {
				src[i] = int32(i*7 + 1)
			}
			for r := range rows {
				for c := range n {
					want[c*ldd+r] = src[r*lds+c]
				}
			}
			got := make([]int32, n*ldd)
			Transpose(k, got, ldd, src, lds, rows, n)
			if !slices.Equal(got, want) {
				t.Errorf("%s: %d rows of %d: wrong", k.Name(), rows, n)
			}
		}
	}
}
