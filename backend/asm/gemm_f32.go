package asm

// The Go kernels of GemmF32 and GemmF16 have panels of ScalarCols columns and tiles of one row.

func gemmF32Scalar(a *ArgsGemm) {
	for r := range int(a.Tiles) {
		x := row[float32](a.A, a.LDA, r, int(a.K))
		var s [ScalarCols]float32
		for k, u := range x {
			for c, v := range row[float32](a.B, a.LDB, k, int(a.Cols)) {
				s[c] = FMA32(u, v, s[c])
			}
		}
		for c := range int(a.Cols) {
			a.storeFloat(r, c, s[c])
		}
	}
}

func gemmF16Scalar(a *ArgsGemm) {
	for r := range int(a.Tiles) {
		x := row[float32](a.A, a.LDA, r, int(a.K))
		var s [ScalarCols]float32
		for k, u := range x {
			for c, v := range row[uint16](a.B, a.LDB, k, int(a.Cols)) {
				s[c] = FMA32(u, HalfToFloat(v), s[c])
			}
		}
		for c := range int(a.Cols) {
			a.storeFloat(r, c, s[c])
		}
	}
}

// Reference computes what the kernel with this number computes, for tests: it has the kernel's tile.
func (k GemmF32) Reference(a *ArgsGemm) {
	referenceFloat(a, GemmF32Kernels[k], func(v float32) float32 { return v })
}

// Reference computes what the kernel with this number computes, for tests: it has the kernel's tile.
func (k GemmF16) Reference(a *ArgsGemm) { referenceFloat(a, GemmF16Kernels[k], HalfToFloat) }

func referenceFloat[T float32 | uint16](a *ArgsGemm, d Kernel, widen func(T) float32) {
	for r := range int(a.Tiles) * max(d.M, 1) {
		x := row[float32](a.A, a.LDA, r, int(a.K))
		for c := range int(a.Cols) {
			acc := float32(0)
			for k := range x {
				acc = FMA32(x[k], widen(row[T](a.B, a.LDB, k, c+1)[c]), acc)
			}
			a.storeFloat(r, c, acc)
		}
	}
}
