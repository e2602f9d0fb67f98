package main

import "testing"

func TestInterleave(t *testing.T) {
	for _, k := range interpreted(interleaveFamily()) {
		for _, size := range [][2]int{{4, 16}, {8, 48}} {
			depth, cols := size[0], size[1]
			lds, ldd := cols+3, cols*k.M+8
			src, dst := make([]int8, (depth-1)*lds+cols), make([]int8, (depth/k.M-1)*ldd+cols*k.M)
			for i := range src {
				src[i] = int8(i*7 + 1)
			}
			run(t, k, map[string]any{"Dst": rw(dst), "LDD": ldd, "Src": ro(src), "LDS": lds, "K": depth, "Cols": cols})
			for i, got := range dst {
				want := int8(0)
				if g, c := i/ldd, i%ldd; c < cols*k.M {
					want = src[(g*k.M+c%k.M)*lds+c/k.M]
				}
				if got != want {
					t.Fatalf("%s %v: byte %d is %d, want %d", k.Name, size, i, got, want)
				}
			}
		}
	}
}
