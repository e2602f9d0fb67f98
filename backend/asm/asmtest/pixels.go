package asmtest

import (
	"fmt"
	"math/rand/v2"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// Pixels is one call of a convolution whose rows are output positions; the results are Gemm's.
type Pixels struct {
	Gemm
	Pixels asm.ArgsPixels
}

// PixelsCases are calls for a kernel. The input ends where the last element that is needed does.
func PixelsCases(d asm.Kernel) []*Pixels {
	m, n, w := max(d.M, 1), d.N, 16
	switch d.ISA {
	case asm.Scalar:
		n, w = asm.ScalarCols, asm.ScalarCols
	case asm.AVX2:
		w = 8
	case asm.NEON:
		w = 4
	}
	var cases []*Pixels
	for round := range 3 {
		for _, k := range depths {
			g := &Pixels{}
			r := maker{rand.New(rand.NewPCG(uint64(k), uint64(round*100+m*10+n+9))), &g.Gemm}
			panels, tiles, step := 1+r.IntN(3), 1+r.IntN(3), 1+r.IntN(4)
			cols := panels*n - r.IntN(w)
			if round == 0 {
				cols = panels * n
			}
			positions := m * tiles
			x, offset := r.patches(k, (positions-1)*step+1)
			r.epilogue(positions, cols)
			a := &g.Args
			g.Pixels = asm.ArgsPixels{A: x, LDA: int64(4 * step), Offset: offset, K: int64(k), B: unsafe.Pointer(fill(r, panels*n*k, r.float)),
				PanelB: int64(4 * n * k), C: a.C, LDC: a.LDC, Tiles: int64(tiles), Panels: int64(panels), Cols: int64(cols),
				Flags: a.Flags, Bias: a.Bias, Lo: a.Lo, Hi: a.Hi}
			g.Name = fmt.Sprintf("%s K=%d step=%d tiles=%d panels=%d cols=%d flags=%d", d.Name, k, step, tiles, panels, cols, a.Flags)
			cases = append(cases, g)
		}
	}
	return cases
}
