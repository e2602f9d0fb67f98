package backend

import (
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// PackedF32 is a float32 matrix B[K,N] in the panel layout of one tier's kernel.
type PackedF32 struct {
	K, N   int
	layout *layout
	data   []float32
	ld     int // in place: elements between rows; 0 when packed
}

// PackedF32Len is the number of float32 that PackF32Into needs for a [K,N] matrix.
func (k *Kernels) PackedF32Len(K, N int) int { return K * k.f32.width(N) }

// PackF32 packs B, given as b[i*ldb+j] (row-major [K,N]) or, with trans, as b[j*ldb+i] (row-major [N,K]).
func (k *Kernels) PackF32(b []float32, K, N, ldb int, trans bool) *PackedF32 {
	p := &PackedF32{K: K, N: N, layout: &k.f32}
	rows, cols := K, N
	if trans {
		rows, cols = N, K
	}
	p.data = cached(k, b[:extent(rows, cols, ldb)], recipeOf("f32", K, N, ldb, trans), k.PackedF32Len(K, N), aligned[float32],
		func(data []float32) { k.PackF32Into(p, data, b, K, N, ldb, trans) })
	return p
}

// PackF32Into is PackF32 into caller's memory, for matrices that are computed during the run.
func (k *Kernels) PackF32Into(p *PackedF32, dst []float32, b []float32, K, N, ldb int, trans bool) {
	l := &k.f32
	*p = PackedF32{K: K, N: N, layout: l, data: dst[:K*l.width(N)]}
	if K == 0 || N == 0 {
		return
	}
	if kernels, ok := l.patches(); ok && !trans {
		for i := range l.panels(N) {
			col, nv := l.panel(i, N)
			packPanel(kernels[nv], p.data[col*K:], b[col:], K, min(nv*l.vec, N-col), nv*l.vec, ldb)
		}
		return
	}
	if !trans {
		for r := 0; r < K; r += packRows {
			packBlock(l, p.data, b[r*ldb:], r, min(packRows, K-r), K, N, ldb)
		}
		return
	}
	for i := range l.panels(N) {
		col, nv := l.panel(i, N)
		w := nv * l.vec
		k.transposePanel(p.data[col*K:][:w*K], b[col*ldb:], K, min(w, N-col), w, ldb)
	}
}

// packPanel copies columns of K rows to a panel of a width, by a kernel.
func packPanel(kernel asm.Patches, panel, b []float32, K, cols, width, ldb int) {
	var offsets [64]int64
	for r := 0; r < K; r += len(offsets) {
		n := min(len(offsets), K-r)
		for i := range n {
			offsets[i] = int64(4 * i * ldb)
		}
		kernel.Call(&asm.ArgsPatches{
			Dst: &panel[r*width], X: unsafe.Pointer(&b[r*ldb]), Offset: &offsets[0], K: int64(n), Cols: int64(cols), Width: int64(width),
		})
	}
}

// packRows is the number of rows that are copied to all panels before the next ones.
const packRows = 16

// packBlock copies the rows of b to the panels, as rows from r0 on. It is not inlined, since a loop around copies in which no Go function is
// entered can be preempted hardly ever: the garbage collector would go on sending signals to it.
//
//go:noinline
func packBlock[T uint16 | float32](l *layout, data, b []T, r0, rows, K, N, ldb int) {
	for i := range l.panels(N) {
		col, nv := l.panel(i, N)
		w := nv * l.vec
		panel, cols := data[col*K:][:w*K], min(w, N-col)
		for r := range rows {
			to := panel[(r0+r)*w:][:w]
			copy(to, b[r*ldb+col:][:cols])
			clear(to[cols:])
		}
	}
}

// BindF32Into is PackF32Into for a product of about M rows: where packing would cost more than it saves, as for few
// rows, the product reads b in place. b must then stay as it is until the product is done.
func (k *Kernels) BindF32Into(p *PackedF32, dst []float32, b []float32, K, N, ldb int, trans bool, M int) {
	if trans || M > k.bindRows {
		k.PackF32Into(p, dst, b, K, N, ldb, trans)
		return
	}
	need(len(b) >= extent(K, N, ldb), "B", len(b), extent(K, N, ldb))
	*p = PackedF32{K: K, N: N, layout: &k.f32, data: b, ld: ldb}
}

// transposeUnit is the number of columns whose multiples the transposing kernel takes.
func (k *Kernels) transposeUnit() int { return max(asm.TransposeKernels[k.transpose].N, 1) }

// transposePanel writes columns that lie contiguously, ldb apart, to a panel of w columns.
func (k *Kernels) transposePanel(panel, b []float32, K, cols, w, ldb int) {
	k8, c8 := K&^7, cols-cols%k.transposeUnit()
	if k8 > 0 && c8 > 0 {
		for r := 0; r < k8; r += packCall {
			k.transposeCall(&asm.ArgsTranspose{Dst: &panel[r*w], LDD: int64(4 * w), Src: &b[r], LDS: int64(4 * ldb), K: int64(min(packCall, k8-r)), Cols: int64(c8)})
		}
	}
	for c := range cols {
		from := k8
		if c >= c8 {
			from = 0
		}
		for i, v := range b[c*ldb+from:][:K-from] {
			panel[(from+i)*w+c] = v
		}
	}
	for r := 0; cols < w && r < K; r++ {
		clear(panel[r*w+cols : (r+1)*w])
	}
}

// Panels is the number of panels, Columns are those of panels p0 to p1.
func (p *PackedF32) Panels() int { return p.layout.panels(p.N) }

// Columns are the columns of panels p0 to p1.
func (p *PackedF32) Columns(p0, p1 int) (col0, col1 int) { return p.layout.span(p0, p1, p.N) }

// Bytes is the memory of the packed matrix.
func (p *PackedF32) Bytes() int64 { return 4 * int64(len(p.data)) }

// set sets B of a kernel's arguments to the panels of a part.
func (p *PackedF32) set(a *asm.ArgsGemm, c part) {
	w := c.nv * p.layout.vec
	if p.ld == 0 {
		a.B, a.LDB, a.PanelB = address(p.data, c.col*p.K), int64(4*w), int64(4*w*p.K)
		return
	}
	a.B, a.LDB, a.PanelB = address(p.data, c.col), int64(4*p.ld), int64(4*w)
	a.Flags |= asm.GemmTail
}
