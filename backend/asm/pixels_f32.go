package asm

import "unsafe"

// The Go kernel of PixelsF32 has panels of ScalarCols columns and tiles of one position.

func pixelsF32Scalar(a *ArgsPixels) { a.reference(1, ScalarCols) }

// Reference computes what the kernel with this number computes, for tests: it has the kernel's tile.
func (k PixelsF32) Reference(a *ArgsPixels) {
	d := PixelsF32Kernels[k]
	if d.ISA == Scalar {
		d.M, d.N = 1, ScalarCols
	}
	a.reference(d.M, d.N)
}

func (a *ArgsPixels) reference(positions, width int) {
	g := ArgsGemm{C: a.C, LDC: a.LDC, Flags: a.Flags, Bias: a.Bias, BiasRow: a.BiasRow, Residual: a.Residual, LDR: a.LDR, Lo: a.Lo, Hi: a.Hi}
	for r := range positions * int(a.Tiles) {
		for c := range int(a.Cols) {
			panel := unsafe.Add(a.B, int(a.PanelB)*(c/width)+4*(c%width))
			var acc float32
			for k := range int(a.K) {
				x := *(*float32)(unsafe.Add(a.A, int(elem(a.Offset, k))+r*int(a.LDA)))
				acc = FMA32(x, *(*float32)(unsafe.Add(panel, 4*k*width)), acc)
			}
			g.store(r, c, acc)
		}
	}
}
