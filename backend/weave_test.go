package backend

import (
	"slices"
	"testing"
)

func TestWeave(t *testing.T) {
	for _, k := range All() {
		for _, s := range [][2]int{{1, 1}, {3, 7}, {3, 8}, {5, 29}, {3000, 9}, {2, weaveChunk}, {2, weaveChunk + 3}} {
			rows, n := s[0], s[1]
			lds, ldd := n+3, 2*n+5
			a, b, want := make([]float32, rows*lds), make([]float32, rows*lds), make([]float32, rows*ldd)
			for i := range a {
				a[i], b[i] = float32(i), float32(-i)
			}
			for r := range rows {
				for c := range n {
					want[r*ldd+2*c], want[r*ldd+2*c+1] = a[r*lds+c], b[r*lds+c]
				}
			}
			got := make([]float32, rows*ldd)
			k.Weave(got, ldd, a, b, lds, rows, n)
			if !slices.Equal(got, want) {
				t.Errorf("%s: %d rows of %d: wrong", k.Name(), rows, n)
			}
		}
	}
}
