package asm

import "unsafe"

func interleaveScalar(a *ArgsInterleave) {
	for k := range int(a.K) {
		dst := row[int8](unsafe.Pointer(a.Dst), a.LDD, k/4, int(a.Cols)*4)
		for c, v := range row[int8](unsafe.Pointer(a.Src), a.LDS, k, int(a.Cols)) {
			dst[4*c+k%4] = v
		}
	}
}
