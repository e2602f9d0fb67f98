package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/internal/par"
	"github.com/qrun-onnx/qrun/tensor"
)

func gemms(l lib) []graph.Def {
	return []graph.Def{
		{Op: "Gemm", Since: 1, New: l.newGemm, Types: matMulTypes},
		{Domain: "com.microsoft", Op: "FusedGemm", Since: 1, New: l.newFusedGemm, Types: dtypes{tensor.Float32}},
	}
}

// gemm is alpha*op(A)*op(B) + beta*C, C being broadcast to the result; its fused form applies a function to that.
type gemm struct {
	l              lib
	alpha, beta    float32
	transA, transB bool
	act            fusedActivation
	pack           *backend.PackedF32 // a constant B
	bias           []float32          // beta*C of a constant C
	shapeC         []int              // of a constant C
}

func (l lib) newGemm(a *graph.Attrs) (graph.Op, error) {
	a.Ignore("broadcast") // of opset 1 to 6: broadcasting there is a subset of today's
	return &gemm{l: l, alpha: a.Float("alpha", 1), beta: a.Float("beta", 1), transA: a.Bool("transA", false), transB: a.Bool("transB", false)}, nil
}

func (l lib) newFusedGemm(a *graph.Attrs) (graph.Op, error) {
	op, err := l.newGemm(a)
	if err != nil {
		return nil, err
	}
	g := op.(*gemm)
	params := []float32{a.Float("activation_alpha", 0), a.Float("activation_beta", 0)}
	a.Ignore("activation_gamma") // no activation that is fused has a third parameter
	switch {
	case a.Has("activation_beta"):
	case a.Has("activation_alpha"):
		params = params[:1]
	default:
		params = nil
	}
	g.act, err = newContribActivation(a, params)
	return g, err
}

func (o *gemm) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 2, 3); err != nil {
		return err
	}
	inputs := []int{0, 1}
	if c.Has(2) {
		inputs = append(inputs, 2)
	}
	d, err := sameType(c, inputs...)
	if err != nil {
		return err
	}
	if err := checkType("matrix product", d, matMulTypes); err != nil {
		return err
	}
	m, ka, err := matrixDims("A", c.In(0), o.transA)
	if err != nil {
		return err
	}
	kb, n, err := matrixDims("B", c.In(1), o.transB)
	if err != nil {
		return err
	}
	if !agree(ka, kb) {
		return fmt.Errorf("product of %v (transA %v) and %v (transB %v): inner sizes %v and %v differ", c.In(0), o.transA, c.In(1), o.transB, ka, kb)
	}
	out := tensor.Ranked(d, []tensor.Dim{m, n})
	if s := c.In(2); c.Has(2) && s.Ranked {
		if len(s.Dims) > 2 {
			return fmt.Errorf("input C %v has more than two dimensions", s)
		}
		for i, x := range s.Dims {
			if y := out.Dims[2-len(s.Dims)+i]; x.Size != 1 && !agree(x, y) {
				return fmt.Errorf("input C %v cannot be broadcast to the result %v", s, out)
			}
		}
	}
	c.Out(0, out)
	return nil
}

func matrixDims(name string, s tensor.Spec, trans bool) (rows, cols tensor.Dim, err error) {
	if !s.Ranked {
		return tensor.AnyDim, tensor.AnyDim, nil
	}
	if len(s.Dims) != 2 {
		return rows, cols, fmt.Errorf("input %s %v is not a matrix", name, s)
	}
	if trans {
		return s.Dims[1], s.Dims[0], nil
	}
	return s.Dims[0], s.Dims[1], nil
}

// Prepack packs a constant B, and multiplies a constant C by beta.
func (o *gemm) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	p, used := *o, []int(nil)
	if t := consts[1]; t != nil && t.Rank() == 2 && o.alpha != 0 {
		if b, ok := o.l.constFloat32(t); ok {
			v := operandForm{trans: o.transB}.view(t.Shape(), true)
			p.pack = o.l.k.PackF32(b, v.rows, v.cols, v.ld, o.transB)
			used = append(used, 1)
		}
	}
	if len(consts) > 2 && consts[2] != nil {
		if b, ok := o.l.constFloat32(consts[2]); ok {
			p.bias, p.shapeC = make([]float32, len(b)), consts[2].Shape()
			scaleInto(p.bias, b, o.beta)
			used = append(used, 2)
		}
	}
	return &p, used, nil
}

// KernelName says which kernels compute a float32 product.
func (o *gemm) KernelName() string { return "f32/" + o.l.k.Name() }

func scaleInto(dst, src []float32, by float32) {
	for i, v := range src {
		dst[i] = v * by
	}
}

func (o *gemm) Run(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d {
	case tensor.Float32:
		return o.runFloat32(c)
	case tensor.Float16, tensor.BFloat16:
		return o.l.asFloat32(c, o.runFloat32)
	case tensor.Float64:
		return runExactGemm[float64](o, c)
	case tensor.Int32:
		return runExactGemm[int32](o, c)
	case tensor.Int64:
		return runExactGemm[int64](o, c)
	case tensor.Uint32:
		return runExactGemm[uint32](o, c)
	case tensor.Uint64:
		return runExactGemm[uint64](o, c)
	default:
		return graph.UnsupportedType("matrix product", d)
	}
}

func (o *gemm) runFloat32(c *graph.RunCtx) error {
	s := graph.State[matMulState](c)
	out := tensor.View[float32](c.Out[0])
	if len(out) == 0 {
		return nil
	}
	epi := o.epilogue(c, c.Out[0].Shape()[1])
	if err := o.multiply(c, s, out, epi); err != nil {
		return err
	}
	if f, ok := o.act.unary(); ok && epi.Act == backend.ActNone {
		o.l.k.Unary(f, out, out, o.act.p0, o.act.p1)
	}
	return nil
}

func (o *gemm) multiply(c *graph.RunCtx, s *matMulState, out []float32, epi backend.Epilogue) error {
	n := c.Out[0].Shape()[1]
	a, data := operandForm{trans: o.transA}.view(c.In[0].Shape(), false), tensor.View[float32](c.In[0])
	if a.trans {
		data = transposed(c, data, &a)
	}
	if o.alpha == 0 {
		a.cols = 0
	}
	if o.pack != nil {
		s.gemm = backend.GemmF32{M: a.rows, A: data, LDA: a.ld, B: o.pack, C: out, LDC: n, Alpha: o.alpha, Epi: epi}
		return runGemm(c, o.l.k, &s.gemm)
	}
	s.offA, s.offB = append(s.offA[:0], 0), append(s.offB[:0], 0)
	b := operandForm{trans: o.transB}.view(c.In[1].Shape(), true)
	p := &s.product
	p.k, p.batches, p.m, p.kk, p.n = o.l.k, 1, a.rows, a.cols, n
	p.a, p.lda, p.offA = data, a.ld, s.offA
	p.b, p.ldb, p.offB, p.transB = tensor.View[float32](c.In[1]), b.ld, s.offB, b.trans
	p.c, p.ldc, p.sizeC = out, n, len(out)
	p.alpha, p.epi = o.alpha, epi
	return p.run(c)
}

// epilogue adds beta*C: as one number per column or row, or as a whole matrix.
func (o *gemm) epilogue(c *graph.RunCtx, n int) backend.Epilogue {
	e := backend.Epilogue{Act: o.act.act, P0: o.act.p0, P1: o.act.p1}
	bias, shape := o.bias, o.shapeC
	if bias == nil {
		if len(c.In) < 3 || c.In[2] == nil || o.beta == 0 {
			return e
		}
		bias, shape = tensor.View[float32](c.In[2]), c.In[2].Shape()
		if o.beta != 1 {
			b := floatScratch(c, len(bias))
			scaleInto(b, bias, o.beta)
			bias = b
		}
	}
	m := c.Out[0].Shape()[0]
	rows, cols := 1, 1
	if len(shape) > 0 {
		cols = shape[len(shape)-1]
	}
	if len(shape) == 2 {
		rows = shape[0]
	}
	switch {
	case rows == 1 && cols == n:
		e.Bias = bias
	case rows == m && cols == 1:
		e.BiasRow = bias
	case rows == 1: // one number for all
		e.Bias = floatScratch(c, n)
		for i := range e.Bias {
			e.Bias[i] = bias[0]
		}
	default: // added after an activation of the epilogue, so that has to follow by itself
		e.Residual, e.LDR, e.Act = bias, n, backend.ActNone
	}
	return e
}

// runExactGemm is Gemm of the other types: for every result a sum over ascending k.
func runExactGemm[T exactNumber](o *gemm, c *graph.RunCtx) error {
	a := operandForm{trans: o.transA}.view(c.In[0].Shape(), false)
	b := operandForm{trans: o.transB}.view(c.In[1].Shape(), true)
	da, db, out := tensor.View[T](c.In[0]), tensor.View[T](c.In[1]), tensor.View[T](c.Out[0])
	rowA, colA, rowB, colB := a.ld, 1, b.ld, 1
	if a.trans {
		rowA, colA = 1, a.ld
	}
	if b.trans {
		rowB, colB = 1, b.ld
	}
	var dc []T
	rowC, colC := 0, 0
	if len(c.In) > 2 && c.In[2] != nil {
		dc = tensor.View[T](c.In[2])
		shape := c.In[2].Shape()
		if r := len(shape); r > 0 && shape[r-1] > 1 {
			colC = 1
		}
		if len(shape) == 2 && shape[0] > 1 {
			rowC = shape[1]
		}
	}
	return c.For(a.rows, 1, par.Func(func(lo, hi int) {
		for m := lo; m < hi; m++ {
			for n := range b.cols {
				var sum T
				for k := range a.cols {
					sum += T(da[m*rowA+k*colA] * db[k*rowB+n*colB])
				}
				sum = scaled(sum, o.alpha)
				if dc != nil {
					sum += scaled(dc[m*rowC+n*colC], o.beta)
				}
				out[m*b.cols+n] = sum
			}
		}
	}))
}
