package backend

import "github.com/qrun-onnx/qrun/backend/asm"

// PackedF16 is a float16 matrix B[K,N] in the panel layout of one tier's kernel.
type PackedF16 struct {
	K, N   int
	layout *layout
	data   []uint16
}

// maxF16 is the largest finite float16.
const maxF16 = 65504

// PackF16 rounds B to float16, to nearest even and clamped to the largest finite values (NaN stays), and packs it as
// PackF32 does.
func (k *Kernels) PackF16(b []float32, K, N, ldb int, trans bool) *PackedF16 {
	l := &k.f16
	p := &PackedF16{K: K, N: N, layout: l, data: aligned[uint16](K * l.width(N))}
	if K == 0 || N == 0 {
		return p
	}
	if !trans {
		half, row := make([]uint16, packRows*N), make([]float32, N)
		for r := 0; r < K; r += packRows {
			rows := min(packRows, K-r)
			for i := range rows {
				k.RoundHalf(half[i*N:][:N], b[(r+i)*ldb:][:N], row)
			}
			packBlock(l, p.data, half, r, rows, K, N, N)
		}
		return p
	}
	half, row := make([]uint16, K), make([]float32, K)
	for i := range l.panels(N) {
		col, nv := l.panel(i, N)
		w := nv * l.vec
		panel := p.data[col*K:][:w*K]
		for c := range min(w, N-col) {
			k.RoundHalf(half, b[(col+c)*ldb:][:K], row)
			for r, v := range half {
				panel[r*w+c] = v
			}
		}
	}
	return p
}

// RoundHalf rounds src to float16 bits, to nearest even and clamped to the largest finite values; NaN stays. row is
// memory for as many elements, and may be src.
func (k *Kernels) RoundHalf(dst []uint16, src, row []float32) {
	k.Unary(Clip, row, src, -maxF16, maxF16)
	k.FloatToHalf(dst, row)
}

// PackF16Bits packs a matrix of float16 bits as PackF32 does.
func (k *Kernels) PackF16Bits(b []uint16, K, N, ldb int, trans bool) *PackedF16 {
	l := &k.f16
	p := &PackedF16{K: K, N: N, layout: l, data: aligned[uint16](K * l.width(N))}
	if K == 0 {
		return p
	}
	if !trans {
		for r := 0; r < K; r += packRows {
			packBlock(l, p.data, b[r*ldb:], r, min(packRows, K-r), K, N, ldb)
		}
		return p
	}
	for i := range l.panels(N) {
		col, nv := l.panel(i, N)
		w := nv * l.vec
		panel, cols := p.data[col*K:][:w*K], min(w, N-col)
		for c := range cols {
			for r, v := range b[(col+c)*ldb:][:K] {
				panel[r*w+c] = v
			}
		}
	}
	return p
}

// Bytes is the memory of the packed matrix.
func (p *PackedF16) Bytes() int64 { return 2 * int64(len(p.data)) }

// set sets B of a kernel's arguments to the panels of a part.
func (p *PackedF16) set(a *asm.ArgsGemm, c part) {
	w := c.nv * p.layout.vec
	a.B, a.LDB, a.PanelB = address(p.data, c.col*p.K), int64(2*w), int64(2*w*p.K)
}
