package asmtest

import (
	"fmt"
	"math/rand/v2"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// Conv is one call of a convolution; the results are Gemm's.
type Conv struct {
	Gemm
	Conv asm.ArgsConv
}

// ConvCases are calls for a kernel. The input ends where the last element that is needed does.
func ConvCases(d asm.Kernel) []*Conv {
	m, n, w := max(d.M, 1), d.N, 16
	switch d.ISA {
	case asm.Scalar:
		n, w = asm.ScalarCols, asm.ScalarCols
	case asm.AVX2:
		w = 8
	case asm.NEON:
		w = 4
	}
	var cases []*Conv
	for round := range 3 {
		for _, k := range depths {
			g := &Conv{}
			r := maker{rand.New(rand.NewPCG(uint64(k), uint64(round*100+m*10+n+7))), &g.Gemm}
			panels := 1 + r.IntN(3)
			cols := panels*n - r.IntN(w)
			if round == 0 {
				cols = panels * n
			}
			tiles := 1 + r.IntN(3)
			rows := m * tiles
			x, offset := r.patches(k, cols)
			r.floatA(rows, k)
			r.epilogue(rows, cols)
			a := &g.Args
			a.Flags = a.Flags&^asm.GemmAlpha | asm.GemmTail
			g.Conv = asm.ArgsConv{A: a.A, LDA: a.LDA, X: x, Offset: offset, K: int64(k), C: a.C, LDC: a.LDC, Tiles: int64(tiles), Panels: int64(panels),
				PanelB: int64(4 * n), Cols: int64(cols), Flags: a.Flags, Bias: a.Bias, BiasRow: a.BiasRow, Residual: a.Residual, LDR: a.LDR, Lo: a.Lo, Hi: a.Hi}
			g.Name = fmt.Sprintf("%s K=%d tiles=%d panels=%d cols=%d flags=%d", d.Name, k, tiles, panels, cols, a.Flags)
			cases = append(cases, g)
		}
	}
	return cases
}

// patches makes an input and k offsets into it, the last of which leaves just cols elements.
func (m maker) patches(k, cols int) (x unsafe.Pointer, offset *int64) {
	room := 100
	x = unsafe.Pointer(fill(m, room+cols, m.float))
	i := 0
	offset = fill(m, k, func() int64 {
		if i++; i == k {
			return int64(4 * room)
		}
		return int64(4 * m.IntN(room+1))
	})
	return x, offset
}

// Depthwise is one call of a convolution of one channel.
type Depthwise struct {
	Gemm
	Depthwise asm.ArgsDepthwise
}

// DepthwiseCases are calls of many widths.
func DepthwiseCases() []*Depthwise {
	var cases []*Depthwise
	for n := 1; n < 300; n++ {
		g := &Depthwise{}
		r := maker{rand.New(rand.NewPCG(uint64(n), 5)), &g.Gemm}
		k := 1 + r.IntN(12)
		x, offset := r.patches(k, n)
		r.floatA(1, k)
		r.epilogue(1, n)
		a := &g.Args
		g.Depthwise = asm.ArgsDepthwise{Dst: (*float32)(a.C), X: x, Offset: offset, W: (*float32)(a.A), K: int64(k), N: int64(n), Bias: a.BiasRow, Lo: -1e30, Hi: 1e30}
		if a.Flags&asm.GemmClip != 0 {
			g.Depthwise.Lo, g.Depthwise.Hi = a.Lo, a.Hi
		}
		g.Name = fmt.Sprintf("depthwise K=%d N=%d", k, n)
		cases = append(cases, g)
	}
	return cases
}
