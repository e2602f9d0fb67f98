package main

import "testing"

func TestWiden(t *testing.T) {
	for _, n := range []int{32, 64, 160} {
		dst, src := make([]int16, n), make([]uint8, n)
		for i := range src {
			src[i] = uint8(255 - i)
		}
		run(t, widenFamily().Kernels[0], map[string]any{"Dst": rw(dst), "Src": ro(src), "N": n})
		for i, v := range src {
			if dst[i] != int16(v) {
				t.Fatalf("%d of %d: %d, want %d", i, n, dst[i], v)
			}
		}
	}
}
