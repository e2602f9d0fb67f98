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
	rows, cols := K, N
	if trans {
		rows, cols = N, K
	}
	p := &PackedF16{K: K, N: N, layout: &k.f16}
	p.data = cached(k, b[:extent(rows, cols, ldb)], recipeOf("f16 of f32", K, N, ldb, trans), K*k.f16.width(N), aligned[uint16],
		func(data []uint16) { k.roundF16(data, b, K, N, ldb, trans) })
	return p
}

// roundF16 rounds b and writes it to panels.
func (k *Kernels) roundF16(data []uint16, b []float32, K, N, ldb int, trans bool) {
	l := &k.f16
	if K == 0 || N == 0 {
		return
	}
	if !trans {
		half, row := make([]uint16, packRows*N), make([]float32, N)
		for r := 0; r < K; r += packRows {
			rows := min(packRows, K-r)
			for i := range rows {
				k.RoundHalf(half[i*N:][:N], b[(r+i)*ldb:][:N], row)
			}
			packBlock(l, data, half, r, rows, K, N, N)
		}
		return
	}
	half, row := make([]uint16, K), make([]float32, K)
	for i := range l.panels(N) {
		col, nv := l.panel(i, N)
		w := nv * l.vec
		panel := data[col*K:][:w*K]
		for c := range min(w, N-col) {
			k.RoundHalf(half, b[(col+c)*ldb:][:K], row)
			for r, v := range half {
				panel[r*w+c] = v
			}
		}
	}
}

// RoundHalf rounds src to float16 bits, to nearest even and clamped to the largest finite values; NaN stays. row is
// memory for as many elements, and may be src.
func (k *Kernels) RoundHalf(dst []uint16, src, row []float32) {
	k.Unary(Clip, row, src, -maxF16, maxF16)
	k.FloatToHalf(dst, row)
}

// PackF16Bits packs a matrix of float16 bits as PackF32 does.
func (k *Kernels) PackF16Bits(b []uint16, K, N, ldb int, trans bool) *PackedF16 {
	rows, cols := K, N
	if trans {
		rows, cols = N, K
	}
	p := &PackedF16{K: K, N: N, layout: &k.f16}
	p.data = cached(k, b[:extent(rows, cols, ldb)], recipeOf("f16", K, N, ldb, trans), K*k.f16.width(N), aligned[uint16],
		func(data []uint16) { k.packF16(data, b, K, N, ldb, trans) })
	return p
}

// packF16 writes b to panels.
func (k *Kernels) packF16(data, b []uint16, K, N, ldb int, trans bool) {
	l := &k.f16
	if K == 0 {
		return
	}
	if !trans {
		for r := 0; r < K; r += packRows {
			packBlock(l, data, b[r*ldb:], r, min(packRows, K-r), K, N, ldb)
		}
		return
	}
	for i := range l.panels(N) {
		col, nv := l.panel(i, N)
		w := nv * l.vec
		panel, cols := data[col*K:][:w*K], min(w, N-col)
		for c := range cols {
			for r, v := range b[(col+c)*ldb:][:K] {
				panel[r*w+c] = v
			}
		}
	}
}

// Bytes is the memory of the packed matrix.
func (p *PackedF16) Bytes() int64 { return 2 * int64(len(p.data)) }

// set sets B of a kernel's arguments to the panels of a part.
func (p *PackedF16) set(a *asm.ArgsGemm, c part) {
	w := c.nv * p.layout.vec
	a.B, a.LDB, a.PanelB = address(p.data, c.col*p.K), int64(2*w), int64(2*w*p.K)
}
