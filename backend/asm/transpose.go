package asm

import "unsafe"

func transposeScalar(a *ArgsTranspose) {
	for c := range int(a.Cols) {
		for k, v := range row[float32](unsafe.Pointer(a.Src), a.LDS, c, int(a.K)) {
			row[float32](unsafe.Pointer(a.Dst), a.LDD, k, c+1)[c] = v
		}
	}
}
