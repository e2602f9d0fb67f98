package main

import "testing"

func TestTranspose(t *testing.T) {
	for _, size := range [][2]int{{8, 8}, {16, 24}, {40, 16}} {
		depth, cols := size[0], size[1]
		lds, ldd := depth+3, cols+5
		src, dst := make([]float32, (cols-1)*lds+depth), make([]float32, (depth-1)*ldd+cols)
		for i := range src {
			src[i] = float32(i + 1)
		}
		run(t, transposeFamily().Kernels[0], map[string]any{"Dst": rw(dst), "LDD": 4 * ldd, "Src": ro(src), "LDS": 4 * lds, "K": depth, "Cols": cols})
		for i := range dst {
			want := float32(0)
			if k, c := i/ldd, i%ldd; c < cols {
				want = src[c*lds+k]
			}
			if dst[i] != want {
				t.Fatalf("%v: element %d is %v, want %v", size, i, dst[i], want)
			}
		}
	}
}
