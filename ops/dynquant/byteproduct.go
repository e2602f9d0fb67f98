package dynquant

import (
	"encoding/binary"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// byteProduct is the exact product of matrices of 8-bit integers with the broadcasting of numpy.matmul. The operator sets
// the operands, then calls run.
type byteProduct struct {
	l      lib
	a      *tensor.Tensor // uint8 or int8 [..., M, K] or [K]
	zeroA  []int32        // of uint8 numbers: one or one per row
	scaleA []float32      // for float results: one or one per row
	packs  []*backend.PackedI8
	shapeB []int

	// A in the kernels' form and the sums of its rows, where the operator has made them; a then only has the shape.
	quantized []uint8
	sums      []int32

	// The result: sums, or sums times the scales plus bias, or what requant makes of the sums.
	ci      []int32
	c       []float32
	bias    []float32
	requant requantizer
	scaleB  []float32 // for requant: one, one per column, or one per column of every matrix

	rows  byteRows
	gemm  backend.GemmU8S8
	part  requantizer
	lead  []int
	index []int
	spare []*backend.PackedI8 // memory of matrices packed while running
}

// reset lets go of everything but memory for the next run.
func (p *byteProduct) reset() {
	*p = byteProduct{lead: p.lead[:0], index: p.index[:0], spare: p.spare}
}

// packB packs a B that is not constant. With trans its zero points are one or one per column of each matrix.
func (p *byteProduct) packB(c *graph.RunCtx, b *tensor.Tensor, scale []float32, zero *tensor.Tensor, trans bool) {
	lead, k, n := matrixOf(b.Shape(), true)
	p.shapeB = b.Shape()
	ld := n
	if trans {
		k, n = n, k
	}
	data, offset := tensor.View[int8](b), int32(0)
	if b.DType() == tensor.Uint8 {
		data, offset = scratch[int8](c, b.Len()), 128
		flipSign(asBytes(data), b.Bytes())
	}
	zeros := zeroPoints(zero, offset)
	if zero != nil && !trans {
		zeros = columnParams(zeros, zero.Shape(), b.Shape())
	}
	batches := count(lead)
	for len(p.spare) < batches {
		p.spare = append(p.spare, new(backend.PackedI8))
	}
	p.packs = p.spare[:batches]
	for i, pack := range p.packs {
		p.l.k.PackI8Into(pack, data[i*k*n:(i+1)*k*n], k, n, ld, trans, perBatch(scale, i, batches, n), perBatch(zeros, i, batches, n))
	}
}

func (p *byteProduct) run(c *graph.RunCtx) error {
	leadA, m, k := matrixOf(p.a.Shape(), false)
	leadB, _, n := matrixOf(p.shapeB, true)
	if len(p.packs) == 0 || m == 0 || n == 0 {
		return nil
	}
	stride := p.l.k.StrideU8(k)
	if p.quantized == nil {
		if err := p.rows.prepare(c, p.l.k, p.a, k, p.needSums()); err != nil {
			return err
		}
	} else {
		p.rows.dst, p.rows.sums = p.quantized, p.sums
	}
	defer func() { p.gemm, p.rows = backend.GemmU8S8{}, byteRows{} }()
	if len(p.packs) == 1 && len(leadB) <= len(leadA) {
		return p.multiply(c, 0, 0, 0, m*count(leadA), stride)
	}
	p.lead = p.lead[:0]
	for i := range max(len(leadA), len(leadB)) {
		x, y := 1, 1
		if j := i - max(0, len(leadB)-len(leadA)); j >= 0 {
			x = leadA[j]
		}
		if j := i - max(0, len(leadA)-len(leadB)); j >= 0 {
			y = leadB[j]
		}
		if x == 1 {
			x = y
		}
		p.lead = append(p.lead, x)
	}
	p.index = append(p.index[:0], p.lead...)
	clear(p.index)
	for y := range count(p.lead) {
		a, b := broadcastIndex(p.index, leadA), broadcastIndex(p.index, leadB)
		if err := p.multiply(c, b, a*m, y*m, m, stride); err != nil {
			return err
		}
		for d := len(p.index) - 1; d >= 0; d-- {
			if p.index[d]++; p.index[d] < p.lead[d] {
				break
			}
			p.index[d] = 0
		}
	}
	return nil
}

func (p *byteProduct) needSums() bool {
	for _, b := range p.packs {
		if b.Zero != nil {
			return true
		}
	}
	return false
}

// multiply makes rows rows of the result, from row y on, of those of A from row a on and matrix batch of B.
func (p *byteProduct) multiply(c *graph.RunCtx, batch, a, y, rows, stride int) error {
	if rows == 0 {
		return nil
	}
	b := p.packs[batch]
	g, n := &p.gemm, b.N
	*g = backend.GemmU8S8{M: rows, A: p.rows.dst[a*stride : (a+rows)*stride], LDA: stride, ZeroA: rowsFrom(p.zeroA, a, rows),
		ScaleA: rowsFrom(p.scaleA, a, rows), B: b, LDC: n}
	if p.rows.sums != nil {
		g.RowSumA = p.rows.sums[a : a+rows]
	}
	switch q := &p.requant; {
	case q.out != nil || q.f != nil:
		if len(q.acc) < rows*n {
			q.acc, q.scale = scratch[int32](c, rows*n), scratch[float32](c, n)
		}
		g.CI = q.acc[:rows*n]
	case p.ci != nil:
		g.CI = p.ci[y*n : (y+rows)*n]
	default:
		g.C, g.Epi.Bias = p.c[y*n:(y+rows)*n], p.bias
	}
	g.Init(p.l.k, c.Threads())
	if err := c.For(g.Tasks(), 1, g); err != nil || p.requant.acc == nil {
		return err
	}
	q := p.requant // the part of the result that this matrix makes
	q.n, q.scaleA, q.scaleB = n, g.ScaleA, perBatch(p.scaleB, batch, len(p.packs), n)
	if q.f != nil {
		q.f = q.f[y*n:]
	} else {
		q.out = q.out[y*n:]
	}
	scale := q.scale
	q.scale = nil
	q.combine(scale)
	p.part = q
	return c.For(rows, 1+4096/n, &p.part)
}

// rowsFrom is the part of numbers of all rows that belongs to rows from row a on.
func rowsFrom[T any](v []T, a, rows int) []T {
	if len(v) <= 1 {
		return v
	}
	return v[a : a+rows]
}

// byteRows brings rows of 8-bit integers into the kernels' form: uint8, a stride apart, zero after the end; with sums,
// it adds each up.
type byteRows struct {
	src, dst      []uint8
	sums          []int32
	width, stride int
	flip          bool
}

// prepare takes rows as they are where that will do.
func (j *byteRows) prepare(c *graph.RunCtx, k *backend.Kernels, a *tensor.Tensor, width int, sums bool) error {
	src := a.Bytes()
	rows := 0
	if width > 0 {
		rows = len(src) / width
	}
	*j = byteRows{src: src, dst: src, width: width, stride: k.StrideU8(width), flip: a.DType() == tensor.Int8}
	if sums {
		j.sums = scratch[int32](c, max(rows, count(a.Shape()[:a.Rank()-1])))
		clear(j.sums)
	}
	if j.flip || width != j.stride {
		j.dst = scratch[uint8](c, rows*j.stride)
	} else if !sums {
		return nil
	}
	return c.For(rows, 1+8192/max(j.stride, 1), j)
}

func (j *byteRows) Do(lo, hi int) {
	copied := j.flip || j.width != j.stride
	for r := lo; r < hi; r++ {
		row := j.dst[r*j.stride : (r+1)*j.stride]
		if copied {
			clear(row[j.width:])
			if src := j.src[r*j.width : (r+1)*j.width]; j.flip {
				flipSign(row[:j.width], src)
			} else {
				copy(row, src)
			}
		}
		if j.sums != nil {
			j.sums[r] = sumBytes(row)
		}
	}
}

// sumBytes adds up bytes, eight at a time: the sums of 64 pairs of bytes fit into 16 bits.
func sumBytes(b []uint8) (sum int32) {
	const odd = 0x00ff00ff00ff00ff
	for len(b) >= 8 {
		part := b[:min(len(b)&^7, 8*64)]
		var acc uint64
		for i := 0; i < len(part); i += 8 {
			x := binary.LittleEndian.Uint64(part[i:])
			acc += x&odd + x>>8&odd
		}
		sum += int32(acc&0xffff + acc>>16&0xffff + acc>>32&0xffff + acc>>48)
		b = b[len(part):]
	}
	for _, v := range b {
		sum += int32(v)
	}
	return sum
}
