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
	sums   []int32 // of the rows of A, where the operator has them: then A has rows of the kernels' stride already

	ci   []int32   // the result, or
	c    []float32 // the scaled result plus bias
	bias []float32

	rows  byteRows
	gemm  backend.GemmU8S8
	lead  []int
	index []int
	spare []*backend.PackedI8 // memory of matrices packed while running
}

// reset lets go of everything but memory for the next run.
func (p *byteProduct) reset() {
	*p = byteProduct{lead: p.lead[:0], index: p.index[:0], spare: p.spare}
}

// packB packs a B that is not constant.
func (p *byteProduct) packB(c *graph.RunCtx, b *tensor.Tensor, scale []float32, zero *tensor.Tensor, shapeZero []int, trans bool) {
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
	zeros := columnParams(zeroPoints(zero, offset), shapeZero, b.Shape())
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
	if p.sums == nil {
		if err := p.rows.prepare(c, p.l.k, p.a, k, p.needSums()); err != nil {
			return err
		}
	} else {
		p.rows.dst, p.rows.sums = p.a.Bytes(), p.sums
	}
	defer func() { p.gemm, p.rows = backend.GemmU8S8{}, byteRows{} }()
	if len(p.packs) == 1 && len(leadB) <= len(leadA) {
		return p.multiply(c, p.packs[0], 0, 0, m*count(leadA), stride)
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
		if err := p.multiply(c, p.packs[b], a*m, y*m, m, stride); err != nil {
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

// multiply makes rows rows of the result, from row y on, of those of A from row a on.
func (p *byteProduct) multiply(c *graph.RunCtx, b *backend.PackedI8, a, y, rows, stride int) error {
	if rows == 0 {
		return nil
	}
	g, n := &p.gemm, b.N
	*g = backend.GemmU8S8{M: rows, A: p.rows.dst[a*stride : (a+rows)*stride], LDA: stride, ZeroA: p.zeroA, ScaleA: p.scaleA, B: b, LDC: n}
	if len(p.zeroA) > 1 {
		g.ZeroA = p.zeroA[a : a+rows]
	}
	if len(p.scaleA) > 1 {
		g.ScaleA = p.scaleA[a : a+rows]
	}
	if p.rows.sums != nil {
		g.RowSumA = p.rows.sums[a : a+rows]
	}
	if p.ci != nil {
		g.CI = p.ci[y*n : (y+rows)*n]
	} else {
		g.C, g.Epi.Bias = p.c[y*n:(y+rows)*n], p.bias
	}
	g.Init(p.l.k, c.Threads())
	return c.For(g.Tasks(), 1, g)
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
