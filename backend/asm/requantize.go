package asm

import "unsafe"

// requantizeScalar is the Go kernel of Requantize.
func requantizeScalar(a *ArgsRequantize) {
	lo, hi := float32(a.Low-a.Zero), float32(a.Low-a.Zero)+255
	for r := range int(a.Rows) {
		dst := row[uint8](unsafe.Pointer(a.Dst), a.LDD, r, int(a.Cols))
		for c := range dst {
			var x float32
			if a.F == 0 {
				x = float32(elem((*int32)(unsafe.Add(a.Src, r*int(a.LDS))), c)+elem(a.Bias, c)) * elem(a.Scale, c)
			} else {
				x = elem((*float32)(unsafe.Add(a.Src, r*int(a.LDS))), c) * elem(a.Scale, r)
			}
			t := minNaN(maxNaN(x, lo), hi)
			dst[c] = uint8(int32(float32(t+gridMagic)-gridMagic) + a.Zero)
		}
	}
}
