package main

import "testing"

func TestWeave(t *testing.T) {
	for _, k := range interpreted(weaveFamily()) {
		for _, size := range [][2]int{{1, 8}, {3, 11}, {2, 24}, {2, 33}} {
			rows, cols := size[0], size[1]
			lds, ldd := cols+3, 2*cols+5
			a, b, dst := make([]float32, (rows-1)*lds+cols), make([]float32, (rows-1)*lds+cols), make([]float32, (rows-1)*ldd+2*cols)
			for i := range a {
				a[i], b[i] = float32(i+1), float32(-i-1)
			}
			run(t, k, map[string]any{"Dst": rw(dst), "LDD": 4 * ldd, "A": ro(a), "B": ro(b), "LDS": 4 * lds, "Rows": rows, "Cols": cols})
			for i, got := range dst {
				want := float32(0)
				if r, c := i/ldd, i%ldd; c < 2*cols {
					want = [2][]float32{a, b}[c%2][r*lds+c/2]
				}
				if got != want {
					t.Fatalf("%s %v: element %d is %v, want %v", k.Name, size, i, got, want)
				}
			}
		}
	}
}
