package asm

import "unsafe"

// vecUnaryScalar is the Go code of every VecUnary kernel.
func vecUnaryScalar(a *ArgsVecUnary) {
	dst, src := unsafe.Slice(a.Dst, a.N), unsafe.Slice(a.Src, a.N)
	for i, x := range src {
		dst[i] = UnaryOf(Unary(a.F), x, a.P0, a.P1)
	}
}
