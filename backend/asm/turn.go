package asm

import "unsafe"

// turnScalar is the Go kernel of Turn.
func turnScalar(a *ArgsTurn) {
	for r := range int(a.Rows) {
		for c, v := range row[uint8](unsafe.Pointer(a.Src), a.LDS, r, int(a.Cols)) {
			row[uint8](unsafe.Pointer(a.Dst), a.LDD, c, r+1)[r] = v ^ uint8(a.Flip)
		}
	}
}
