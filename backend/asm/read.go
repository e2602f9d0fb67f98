package asm

import "unsafe"

func readScalar(a *ArgsRead) {
	dst := unsafe.Slice(a.Dst, 8)
	for i, v := range unsafe.Slice(a.Src, a.N) {
		dst[i%8] ^= v
	}
}
