package ops

import (
	"slices"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/internal/par"
	"github.com/qrun-onnx/qrun/tensor"
)

// operandView is an operand with concrete sizes: n matrices of rows x cols as the product sees them (after trans),
// whose stored rows are ld apart, the matrices step apart.
type operandView struct {
	batch      []int
	rows, cols int
	ld, step   int
	n          int
	trans      bool // stored as cols x rows
}

func (v *operandView) stored() int { return v.rows * v.cols }

func (f operandForm) view(shape []int, right bool) operandView {
	var v operandView
	r := len(shape)
	switch {
	case r == 1 && right:
		return operandView{rows: shape[0], cols: 1, ld: 1, step: shape[0], n: 1}
	case r == 1:
		return operandView{rows: 1, cols: shape[0], ld: shape[0], step: shape[0], n: 1}
	case f.batch:
		v = operandView{batch: shape[1 : r-1], rows: shape[0], cols: shape[r-1], n: 1}
	default:
		v = operandView{batch: shape[:r-2], rows: shape[r-2], cols: shape[r-1], n: 1}
	}
	for _, d := range v.batch {
		v.n *= d
	}
	v.ld, v.step = v.cols, v.rows*v.cols
	if f.batch {
		v.ld, v.step = v.n*v.cols, v.cols
	}
	if f.trans {
		v.rows, v.cols, v.trans = v.cols, v.rows, true
	}
	return v
}

// matMulState is what a run of a matMul keeps.
type matMulState struct {
	gemm       backend.GemmF32
	product    product
	offA, offB []int
}

// offsets appends, per batch of the result, where v's matrix starts: the batch dimensions out are aligned at the right.
func (v *operandView) offsets(dst, out []int) []int {
	total := 1
	for _, d := range out {
		total *= d
	}
	for i := range total {
		rest, at, stride := i, 0, 1
		for k := 1; k <= len(out); k++ {
			idx := rest % out[len(out)-k]
			rest /= out[len(out)-k]
			if k <= len(v.batch) {
				if d := v.batch[len(v.batch)-k]; d != 1 {
					at += idx * stride
					stride *= d
				}
			}
		}
		dst = append(dst, at*v.step)
	}
	return dst
}

func (o *matMul) Run(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d {
	case tensor.Float32:
		return o.runFloat32(c)
	case tensor.Float16, tensor.BFloat16:
		return o.l.asFloat32(c, o.runFloat32)
	case tensor.Float64:
		return runExactMatMul[float64](o, c)
	case tensor.Int32:
		return runExactMatMul[int32](o, c)
	case tensor.Int64:
		return runExactMatMul[int64](o, c)
	case tensor.Uint32:
		return runExactMatMul[uint32](o, c)
	case tensor.Uint64:
		return runExactMatMul[uint64](o, c)
	default:
		return graph.UnsupportedType("matrix product", d)
	}
}

// views returns both operands and the batch dimensions of the result.
func (o *matMul) views(c *graph.RunCtx) (a, b operandView, batch []int) {
	shapeB := o.shapeB
	if o.packs == nil {
		shapeB = c.In[1].Shape()
	}
	a, b = o.a.view(c.In[0].Shape(), false), o.b.view(shapeB, true)
	return a, b, c.Out[0].Shape()[:max(len(a.batch), len(b.batch))]
}

func (o *matMul) runFloat32(c *graph.RunCtx) error {
	if o.broadcast && c.In[o.residual] != nil {
		a, b, _ := o.views(c)
		if !ResidualFits(c, o.residual, a.n*a.rows*b.cols) {
			shape := slices.Clone(c.In[0].Shape())
			shape[len(shape)-1] = b.cols
			return AddResidual(c, o.l.k, shape, o.residual, o.runFloat32)
		}
	}
	s := graph.State[matMulState](c)
	a, b, batch := o.views(c)
	data, out := tensor.View[float32](c.In[0]), tensor.View[float32](c.Out[0])
	epi := o.epilogue(c)
	if a.trans {
		data = transposed(c, data, &a)
	}
	if o.alpha == 0 {
		a.cols, b.rows = 0, 0
	}
	if len(out) == 0 {
		return nil
	}
	if b.n == 1 && (a.n == 1 || !o.a.batch || a.trans) {
		a.rows, a.n, a.batch, b.batch, batch = a.rows*a.n, 1, nil, nil, nil
	}
	if o.packs != nil && a.n == 1 && b.n == 1 && o.alpha != 0 {
		s.gemm = backend.GemmF32{M: a.rows, A: data, LDA: a.ld, B: o.packs[0], C: out, LDC: b.cols, Alpha: o.alpha, Epi: epi}
		return runGemm(c, o.l.k, &s.gemm)
	}
	s.offA, s.offB = a.offsets(s.offA[:0], batch), b.offsets(s.offB[:0], batch)
	if o.packs != nil && o.alpha != 0 {
		return o.runPacked(c, s, a, b, data, out, epi)
	}
	p := &s.product
	p.k, p.batches, p.m, p.kk, p.n = o.l.k, len(s.offA), a.rows, a.cols, b.cols
	p.a, p.lda, p.offA = data, a.ld, s.offA
	p.offB, p.ldb, p.transB = s.offB, b.ld, b.trans
	if p.b = nil; o.packs == nil {
		p.b = tensor.View[float32](c.In[1])
	}
	p.c, p.ldc, p.sizeC = out, b.cols, a.rows*b.cols
	p.alpha, p.epi = o.alpha, epi
	return p.run(c)
}

// runPacked multiplies by a constant B of several batches.
func (o *matMul) runPacked(c *graph.RunCtx, s *matMulState, a, b operandView, data, out []float32, epi backend.Epilogue) error {
	size := a.rows * b.cols
	for i, off := range s.offA {
		e := epi
		if e.Residual != nil {
			e.Residual = e.Residual[i*size:]
		}
		s.gemm = backend.GemmF32{M: a.rows, A: data[off:], LDA: a.ld, B: o.packs[s.offB[i]/b.step], C: out[i*size:], LDC: b.cols, Alpha: o.alpha, Epi: e}
		if err := runGemm(c, o.l.k, &s.gemm); err != nil {
			return err
		}
	}
	return nil
}

// runGemm spreads one product over the run's goroutines and lets go of its memory.
func runGemm(c *graph.RunCtx, k *backend.Kernels, g *backend.GemmF32) error {
	g.Init(k, c.Threads())
	err := c.For(g.Tasks(), 1, g)
	*g = backend.GemmF32{}
	return err
}

func (o *matMul) epilogue(c *graph.RunCtx) backend.Epilogue {
	e := backend.Epilogue{Act: o.act.act, P0: o.act.p0, P1: o.act.p1}
	if o.bias > 0 && o.bias < len(c.In) && c.In[o.bias] != nil {
		e.Bias = tensor.View[float32](c.In[o.bias])
	}
	if o.residual > 0 && o.residual < len(c.In) && c.In[o.residual] != nil {
		shape := c.Out[0].Shape()
		e.Residual, e.LDR = tensor.View[float32](c.In[o.residual]), 1
		if len(shape) > 0 {
			e.LDR = shape[len(shape)-1]
		}
	}
	return e
}

// transposed copies the matrices of a view whose form is transposed, so that its rows are contiguous.
func transposed(c *graph.RunCtx, src []float32, v *operandView) []float32 {
	size := v.rows * v.cols
	dst := floatScratch(c, v.n*size)
	for i := range v.n {
		transposeInto(dst[i*size:], src[i*v.step:], v.cols, v.rows, v.ld)
	}
	v.ld, v.step = v.cols, size
	return dst
}

// transposeInto writes the transpose of src[rows, cols], whose rows are ld apart, in tiles that fit the first-level cache.
func transposeInto[T any](dst, src []T, rows, cols, ld int) {
	const tile = 16
	for i0 := 0; i0 < rows; i0 += tile {
		i1 := min(i0+tile, rows)
		for j0 := 0; j0 < cols; j0 += tile {
			for j := j0; j < min(j0+tile, cols); j++ {
				for i := i0; i < i1; i++ {
					dst[j*rows+i] = src[i*ld+j]
				}
			}
		}
	}
}

type exactNumber interface {
	float64 | int32 | int64 | uint32 | uint64
}

// runExactMatMul is the product of the other types: for every result a sum over ascending k, integers wrapping around.
func runExactMatMul[T exactNumber](o *matMul, c *graph.RunCtx) error {
	a, b, batch := o.views(c)
	offA, offB := a.offsets(nil, batch), b.offsets(nil, batch)
	da, db, out := tensor.View[T](c.In[0]), tensor.View[T](c.In[1]), tensor.View[T](c.Out[0])
	rowA, colA, rowB, colB := a.ld, 1, b.ld, 1
	if a.trans {
		rowA, colA = 1, a.ld
	}
	if b.trans {
		rowB, colB = 1, b.ld
	}
	return c.For(len(offA)*a.rows, 1, par.Func(func(lo, hi int) {
		for r := lo; r < hi; r++ {
			row := out[r*b.cols : (r+1)*b.cols]
			clear(row)
			pa := offA[r/a.rows] + r%a.rows*rowA
			for k := range a.cols {
				x, pb := da[pa+k*colA], offB[r/a.rows]+k*rowB
				for n := range row {
					row[n] += T(x * db[pb+n*colB])
				}
			}
			for n := range row {
				row[n] = scaled(row[n], o.alpha)
			}
		}
	}))
}

func scaled[T exactNumber](v T, alpha float32) T {
	if alpha == 1 {
		return v
	}
	return T(float64(v) * float64(alpha))
}
