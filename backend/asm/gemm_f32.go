package asm

// The Go kernels of GemmF32 and GemmF16 have panels of ScalarCols columns and tiles of one row.

func gemmF32Scalar(a *ArgsGemm) { scalarFloat(a, func(v float32) float32 { return v }) }

func gemmF16Scalar(a *ArgsGemm) { scalarFloat(a, HalfToFloat) }

func scalarFloat[T float32 | uint16](a *ArgsGemm, widen func(T) float32) {
	for p := range int(a.Panels) {
		b, cols := a.panel(p), min(ScalarCols, int(a.Cols)-p*ScalarCols)
		for r := range int(a.Tiles) {
			var s [ScalarCols]float32
			for k, u := range row[float32](a.A, a.LDA, r, int(a.K)) {
				for c, v := range row[T](b, a.LDB, k, cols) {
					s[c] = FMA32(u, widen(v), s[c])
				}
			}
			for c := range cols {
				a.storeFloat(r, p*ScalarCols+c, s[c])
			}
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
	if d.ISA == Scalar {
		d.M, d.N = 1, ScalarCols
	}
	for r := range int(a.Tiles) * d.M {
		x := row[float32](a.A, a.LDA, r, int(a.K))
		for c := range int(a.Cols) {
			acc := float32(0)
			for k := range x {
				b := row[T](a.panel(c/d.N), a.LDB, k, c%d.N+1)
				acc = FMA32(x[k], widen(b[c%d.N]), acc)
			}
			a.storeFloat(r, c, acc)
		}
	}
}
