package asm

import "unsafe"

// The Go kernel of ConvF32 has panels of ScalarCols columns and tiles of one row.

func convF32Scalar(a *ArgsConv) { a.reference(1) }

// Reference computes what the kernel with this number computes, for tests: it has the kernel's tile.
func (k ConvF32) Reference(a *ArgsConv) { a.reference(max(ConvF32Kernels[k].M, 1)) }

func (a *ArgsConv) reference(rows int) {
	g := ArgsGemm{C: a.C, LDC: a.LDC, Flags: a.Flags, Bias: a.Bias, BiasRow: a.BiasRow, Residual: a.Residual, LDR: a.LDR, Lo: a.Lo, Hi: a.Hi}
	for r := range rows * int(a.Tiles) {
		w := row[float32](a.A, a.LDA, r, int(a.K))
		for c := range int(a.Cols) {
			g.store(r, c, patchSum(w, a.X, a.Offset, c))
		}
	}
}

// patchSum is the sum of the elements of x at the offsets, c elements on, each times its weight.
func patchSum(w []float32, x unsafe.Pointer, offset *int64, c int) (acc float32) {
	for k, f := range w {
		acc = FMA32(f, *(*float32)(unsafe.Add(x, int(elem(offset, k))+4*c)), acc)
	}
	return acc
}

// depthwiseScalar is the Go kernel of Depthwise.
func depthwiseScalar(a *ArgsDepthwise) {
	w, dst := unsafe.Slice(a.W, a.K), unsafe.Slice(a.Dst, a.N)
	for c := range dst {
		y := patchSum(w, a.X, a.Offset, c)
		if a.Bias != nil {
			y += *a.Bias
		}
		if y < a.Lo {
			y = a.Lo
		}
		if y > a.Hi {
			y = a.Hi
		}
		dst[c] = y
	}
}
