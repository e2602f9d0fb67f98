package ops

import (
	"fmt"
	"slices"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

var matMulTypes = dtypes{tensor.Float32, tensor.Float64, tensor.Float16, tensor.BFloat16, tensor.Int32, tensor.Int64, tensor.Uint32, tensor.Uint64}

func matMuls(l lib) []graph.Def {
	return []graph.Def{
		{Op: "MatMul", Since: 1, New: l.newMatMul, Types: matMulTypes},
		{Domain: "com.microsoft", Op: "FusedMatMul", Since: 1, New: l.newContribMatMul, Types: floatTypes},
		{Domain: "com.microsoft", Op: "TransposeMatMul", Since: 1, New: l.newContribMatMul, Types: floatTypes},
		{Domain: "qrun", Op: "FusedMatMul", Since: 1, New: l.newFusedMatMul, Types: floatTypes[:1]},
		{Domain: "qrun", Op: "FusedMatMuls", Since: 1, New: l.newFusedMatMuls, Types: floatTypes[:1]},
	}
}

// matMul is the matrix product of numpy.matmul: one-dimensional operands are a row and a column, leading dimensions
// broadcast. Its fused forms compute act(alpha*op(A)*op(B) + bias) + residual.
type matMul struct {
	l              lib
	alpha          float32
	a, b           operandForm
	bias, residual int  // input numbers, 0: none
	broadcast      bool // the residual; see residual.go
	act            fusedActivation
	packs          []*backend.PackedF32 // a constant B, one per batch of B
	shapeB         []int                // of a constant B
}

// operandForm says how an operand lies in its tensor.
type operandForm struct {
	trans bool // the last two dimensions are exchanged
	batch bool // the rows are the first dimension, the batch those between: [rows, batch..., columns]
}

func (l lib) newMatMul(*graph.Attrs) (graph.Op, error) { return &matMul{l: l, alpha: 1}, nil }

func (l lib) newContribMatMul(a *graph.Attrs) (graph.Op, error) {
	o := &matMul{l: l, alpha: a.Float("alpha", 1)}
	o.a = operandForm{a.Bool("transA", false), a.Bool("transBatchA", false)}
	o.b = operandForm{a.Bool("transB", false), a.Bool("transBatchB", false)}
	return o, nil
}

func (l lib) newFusedMatMul(a *graph.Attrs) (graph.Op, error) {
	o := &matMul{l: l, alpha: a.Float("alpha", 1), bias: 2, residual: 3}
	o.a.trans, o.b.trans = a.Bool("transA", false), a.Bool("transB", false)
	o.broadcast = a.Bool("residual_broadcast", false)
	var err error
	o.act, err = newFusedActivation(a)
	return o, err
}

func (o *matMul) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 2, 2+2*b2i(o.bias > 0)); err != nil {
		return err
	}
	d, err := sameType(c, 0, 1)
	if err != nil {
		return err
	}
	if err := checkType("matrix product", d, matMulTypes); err != nil {
		return err
	}
	if o.bias > 0 && d != tensor.Undefined && d != tensor.Float32 {
		return graph.UnsupportedType("fused matrix product", d)
	}
	out, err := o.result(c.In(0), c.In(1), d)
	if err != nil {
		return err
	}
	if o.bias > 0 && out.Ranked {
		if err := o.inferExtra(c, out); err != nil {
			return err
		}
		if o.broadcast {
			if out, err = ResidualSpec(out, c.In(o.residual)); err != nil {
				return err
			}
		}
	}
	c.Out(0, out)
	return nil
}

func (o *matMul) inferExtra(c *graph.InferCtx, out tensor.Spec) error {
	if bias := c.In(o.bias); c.Has(o.bias) && bias.Ranked {
		if len(bias.Dims) != 1 || len(out.Dims) > 0 && !agree(bias.Dims[0], out.Dims[len(out.Dims)-1]) {
			return fmt.Errorf("bias %v does not fit the result %v", bias, out)
		}
	}
	if res := c.In(o.residual); c.Has(o.residual) && res.Ranked && !o.broadcast {
		if len(res.Dims) != len(out.Dims) || !slices.EqualFunc(res.Dims, out.Dims, agree) {
			return fmt.Errorf("residual %v does not have the shape of the result %v", res, out)
		}
	}
	return nil
}

// agree reports whether two sizes are equal as far as they are known.
func agree(a, b tensor.Dim) bool { return !a.Known() || !b.Known() || a.Size == b.Size }

func (o *matMul) result(a, b tensor.Spec, d tensor.DType) (tensor.Spec, error) {
	if !a.Ranked || !b.Ranked {
		return tensor.Unranked(d), nil
	}
	if len(a.Dims) == 0 || len(b.Dims) == 0 {
		return tensor.Spec{}, fmt.Errorf("matrix product of %v and %v, want at least one dimension", a, b)
	}
	batchA, m, ka := o.a.split(a.Dims)
	batchB, kb, n := o.b.split(b.Dims)
	if len(b.Dims) == 1 {
		kb, n = n, kb
	}
	if !agree(ka, kb) {
		return tensor.Spec{}, fmt.Errorf("matrix product of %v and %v: inner sizes %v and %v differ", a, b, ka, kb)
	}
	out, err := broadcastSpecs(d, tensor.Ranked(d, batchA), tensor.Ranked(d, batchB))
	if err != nil {
		return tensor.Spec{}, fmt.Errorf("matrix product of %v and %v: %w", a, b, err)
	}
	if len(a.Dims) > 1 {
		out.Dims = append(out.Dims, m)
	}
	if len(b.Dims) > 1 {
		out.Dims = append(out.Dims, n)
	}
	return out, nil
}

// split returns batch, rows and columns of an operand; a single dimension is a row.
func (f operandForm) split(dims []tensor.Dim) (batch []tensor.Dim, rows, cols tensor.Dim) {
	r := len(dims)
	if r == 1 {
		return nil, tensor.Fixed(1), dims[0]
	}
	batch, rows, cols = dims[:r-2], dims[r-2], dims[r-1]
	if f.batch {
		batch, rows = dims[1:r-1], dims[0]
	}
	if f.trans {
		rows, cols = cols, rows
	}
	return batch, rows, cols
}

// Prepack packs a constant B of float32, float16 or bfloat16.
func (o *matMul) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	if len(consts) < 2 || consts[1] == nil || consts[1].Rank() == 0 || o.b.batch {
		return o, nil, nil
	}
	b, ok := o.l.constFloat32(consts[1])
	if !ok {
		return o, nil, nil
	}
	p := *o
	p.shapeB = consts[1].Shape()
	v := o.b.view(p.shapeB, true)
	if v.n == 0 || v.stored() == 0 {
		return o, nil, nil
	}
	p.packs = make([]*backend.PackedF32, v.n)
	for i := range p.packs {
		p.packs[i] = o.l.k.PackF32(b[i*v.step:(i+1)*v.step], v.rows, v.cols, v.ld, v.trans)
	}
	return &p, []int{1}, nil
}

// KernelName says which kernels compute a float32 product.
func (o *matMul) KernelName() string { return "f32/" + o.l.k.Name() }

// constFloat32 returns the elements of a constant as float32, if its type has an exact float32 form.
func (l lib) constFloat32(t *tensor.Tensor) ([]float32, bool) {
	switch {
	case t.DType() == tensor.Float32:
		return tensor.View[float32](t), true
	case isHalf(t.DType()):
		f := make([]float32, t.Len())
		l.widen(f, t)
		return f, true
	}
	return nil, false
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
