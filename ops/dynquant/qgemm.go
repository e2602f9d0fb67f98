package dynquant

import (
	"fmt"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) qGemms() []graph.Def {
	return []graph.Def{{Domain: microsoft, Op: "QGemm", Since: 1, New: l.newQGemm, Types: byteTypes}}
}

// Inputs of QGemm.
const (
	gemmA = iota
	gemmScaleA
	gemmZeroA
	gemmB
	gemmScaleB
	gemmZeroB
	gemmC
	gemmScaleY
	gemmZeroY
	gemmInputs
)

// qGemm computes with acc = op(A - a_zero)*op(B - b_zero) + C, all int32 and C broadcast to the result,
//
//	y = clip(rne(acc * (alpha*a_scale*b_scale/y_scale)) + y_zero)
//
// or, without y_zero, y = float32(acc) * (alpha*a_scale*b_scale). Parameters of B may be one per column.
type qGemm struct {
	l              lib
	transA, transB bool
	alpha          float32
	hasZero        bool
	packs          *[]*backend.PackedI8
}

func (l lib) newQGemm(a *graph.Attrs) (graph.Op, error) {
	return &qGemm{l: l, transA: a.Bool("transA", false), transB: a.Bool("transB", false), alpha: a.Float("alpha", 1), hasZero: a.HasIn(gemmZeroB)}, nil
}

func (o *qGemm) KernelName() string { return "u8s8/" + o.l.k.Name() }

func (o *qGemm) Infer(c *graph.InferCtx) error {
	if err := wantInputs(c, gemmZeroA+1, gemmInputs); err != nil {
		return err
	}
	for _, x := range []struct {
		i     int
		what  string
		types []tensor.DType
	}{
		{gemmA, "matrix product", byteTypes}, {gemmB, "matrix product", byteTypes}, {gemmC, "bias", []tensor.DType{tensor.Int32}},
		{gemmScaleA, "scale", scaleTypes[:1]}, {gemmScaleB, "scale", scaleTypes[:1]}, {gemmScaleY, "scale", scaleTypes[:1]},
		{gemmZeroY, "zero point", byteTypes},
	} {
		if err := wantType(c, x.i, x.what, x.types...); err != nil {
			return err
		}
	}
	for _, i := range []int{gemmScaleA, gemmZeroA, gemmScaleY, gemmZeroY} {
		if err := wantOne(c, i, "scale or zero point"); err != nil {
			return err
		}
	}
	if c.Has(gemmZeroY) != c.Has(gemmScaleY) {
		return fmt.Errorf("the result needs both scale and zero point, or neither")
	}
	if err := wantSameType(c, gemmA, gemmZeroA, "left operand and zero point"); err != nil {
		return err
	}
	if err := wantSameType(c, gemmB, gemmZeroB, "right operand and zero point"); err != nil {
		return err
	}
	return o.inferShape(c)
}

func (o *qGemm) inferShape(c *graph.InferCtx) error {
	out := tensor.Float32
	if c.Has(gemmZeroY) {
		out = c.In(gemmZeroY).DType
	}
	a, b := c.In(gemmA), c.In(gemmB)
	if !a.Ranked || !b.Ranked {
		c.Out(0, tensor.Unranked(out))
		return nil
	}
	if len(a.Dims) != 2 || len(b.Dims) != 2 {
		return fmt.Errorf("product of %v and %v, want two dimensions each", a, b)
	}
	if o.transA {
		a.Dims = []tensor.Dim{a.Dims[1], a.Dims[0]}
	}
	if o.transB {
		b.Dims = []tensor.Dim{b.Dims[1], b.Dims[0]}
	}
	if err := checkDepth(b.Dims[0]); err != nil {
		return err
	}
	for _, i := range []int{gemmScaleB, gemmZeroB} {
		if err := wantOneOr(c, i, "scale or zero point", b.Dims[1]); err != nil {
			return err
		}
	}
	dims, _, err := matMulDims(a, b)
	if err != nil {
		return err
	}
	y := tensor.Ranked(out, dims)
	if s := c.In(gemmC); s.Complete() && y.Complete() {
		bias, _ := s.Shape()
		shape, _ := y.Shape()
		if !repeats(bias, shape) {
			return fmt.Errorf("bias %v does not broadcast to %v", s, y)
		}
	}
	c.Out(0, y)
	return nil
}

func (o *qGemm) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	b, z := at(consts, gemmB), at(consts, gemmZeroB)
	if b == nil || b.Len() == 0 || o.hasZero && z == nil {
		return o, nil, nil
	}
	p := *o
	p.packs = o.l.pack(b, nil, z, o.transB)
	used := []int{gemmB}
	if z != nil {
		used = append(used, gemmZeroB)
	}
	return &p, used, nil
}

func (o *qGemm) Run(c *graph.RunCtx) error {
	p := graph.State[byteProduct](c)
	defer p.reset()
	y := c.Out[0]
	p.l, p.a = o.l, c.In[gemmA]
	if o.transA {
		t, err := transposed(c, p.a)
		if err != nil {
			return err
		}
		p.a = t
	}
	p.zeroA = rowZeros(c, c.In[gemmZeroA], p.a)
	if o.packs != nil {
		p.packs = *o.packs
	} else {
		p.packB(c, c.In[gemmB], nil, at(c.In, gemmZeroB), o.transB)
	}
	p.shapeB = y.Shape() // whose last dimension is B's columns
	s := scratch[float32](c, 1)
	s[0] = o.alpha * scalar(c.In[gemmScaleA])
	p.scaleA, p.scaleB = s, tensor.View[float32](c.In[gemmScaleB])
	p.requant = requantizer{scaleY: 1}
	if z := at(c.In, gemmZeroY); z != nil {
		p.requant.scaleY, p.requant.grid, p.requant.out = scalar(c.In[gemmScaleY]), byteGridOf(y.DType(), scalarZero(z)), y.Bytes()
	} else {
		p.requant.f = tensor.View[float32](y)
	}
	if t := at(c.In, gemmC); t != nil {
		p.requant.bias = tensor.View[int32](t)
		p.requant.biasRow, p.requant.biasCol = biasSteps(t.Shape())
	}
	return p.run(c)
}

// biasSteps says how far the bias of the next row and of the next column of a matrix is, in a bias that broadcasts to it.
func biasSteps(shape []int) (row, col int) {
	if n := len(shape); n > 0 && shape[n-1] > 1 {
		col = 1
	}
	if n := len(shape); n > 1 && shape[n-2] > 1 {
		row = shape[n-1]
	}
	return row, col
}

// transposed returns a matrix of bytes with its dimensions exchanged, in temporary memory.
func transposed(c *graph.RunCtx, t *tensor.Tensor) (*tensor.Tensor, error) {
	m, n := t.Shape()[0], t.Shape()[1]
	dst, src := scratch[uint8](c, m*n), t.Bytes()
	for i := range m {
		for j := range n {
			dst[j*m+i] = src[i*n+j]
		}
	}
	return tensor.FromBytes(t.DType(), dst, n, m)
}
