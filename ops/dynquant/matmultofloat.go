package dynquant

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) matMulToFloats() []graph.Def {
	return []graph.Def{
		{Domain: microsoft, Op: "MatMulIntegerToFloat", Since: 1, New: l.newMatMulToFloat, Types: byteTypes},
		{Domain: microsoft, Op: "DynamicQuantizeMatMul", Since: 1, New: l.newDynamicMatMul, Types: []tensor.DType{tensor.Float32}},
	}
}

// matMulToFloat computes Y = float32(acc)*(a_scale*b_scale) + bias, acc the int32 product of the operands less their zero
// points, every step rounded to float32. MatMulIntegerToFloat has the inputs A, B, a_scale, b_scale, a_zero, b_zero, bias,
// with parameters of A that may be one per row. DynamicQuantizeMatMul has A (float32), B, b_scale, b_zero, bias and
// quantizes A as DynamicQuantizeLinear does. Parameters of B may be one per column.
type matMulToFloat struct {
	l       lib
	dynamic bool
	in      productInputs
	bias    int
	hasZero bool // of B
	weight  packedWeight
}

func (l lib) newMatMulToFloat(a *graph.Attrs) (graph.Op, error) {
	in := productInputs{a: 0, b: 1, scaleA: 2, scaleB: 3, zeroA: 4, zeroB: 5}
	return &matMulToFloat{l: l, in: in, bias: 6, hasZero: a.HasIn(in.zeroB)}, nil
}

func (l lib) newDynamicMatMul(a *graph.Attrs) (graph.Op, error) {
	in := productInputs{a: 0, b: 1, scaleB: 2, zeroB: 3, scaleA: -1, zeroA: -1}
	return &matMulToFloat{l: l, dynamic: true, in: in, bias: 4, hasZero: a.HasIn(in.zeroB)}, nil
}

func (o *matMulToFloat) KernelName() string { return "u8s8/" + o.l.k.Name() }

func (o *matMulToFloat) Infer(c *graph.InferCtx) error {
	if err := wantInputs(c, o.in.scaleB+1, o.bias+1); err != nil {
		return err
	}
	if err := wantType(c, o.in.scaleB, "scale", tensor.Float32); err != nil {
		return err
	}
	if err := checkColumnParam("scale", c.In(o.in.scaleB), c.In(o.in.b)); err != nil {
		return err
	}
	if err := wantType(c, o.bias, "bias", tensor.Float32); err != nil {
		return err
	}
	b := c.In(o.in.b)
	if s := c.In(o.bias); c.Has(o.bias) && s.Ranked && b.Ranked && len(b.Dims) > 0 {
		if n := b.Dims[len(b.Dims)-1]; len(s.Dims) != 1 || s.Dims[0].Known() && n.Known() && s.Dims[0].Size != n.Size {
			return fmt.Errorf("bias %v does not belong to the columns of %v", s, b)
		}
	}
	if o.dynamic {
		return o.inferDynamic(c)
	}
	if err := wantType(c, o.in.scaleA, "scale", tensor.Float32); err != nil {
		return err
	}
	if err := checkRowParam("scale", c.In(o.in.scaleA), c.In(o.in.a)); err != nil {
		return err
	}
	return inferProduct(c, o.in, tensor.Float32)
}

func (o *matMulToFloat) inferDynamic(c *graph.InferCtx) error {
	if err := wantType(c, o.in.a, "dynamic quantization", tensor.Float32); err != nil {
		return err
	}
	if err := wantType(c, o.in.b, "matrix product", byteTypes...); err != nil {
		return err
	}
	if err := wantSameType(c, o.in.b, o.in.zeroB, "right operand and zero point"); err != nil {
		return err
	}
	return inferProductShape(c, o.in, tensor.Float32)
}

func (o *matMulToFloat) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	w, used := o.l.prepackB(consts, o.in.b, o.in.scaleB, o.in.zeroB, o.hasZero)
	if used == nil {
		return o, nil, nil
	}
	p := *o
	p.weight = w
	return &p, used, nil
}

// toFloatState is what a run keeps.
type toFloatState struct {
	product byteProduct
	rows    rowsJob
}

func (o *matMulToFloat) Run(c *graph.RunCtx) error {
	st := graph.State[toFloatState](c)
	p := &st.product
	defer p.reset()
	p.l, p.a = o.l, c.In[o.in.a]
	p.useB(c, o.weight, c.In[o.in.b], c.In[o.in.scaleB], at(c.In, o.in.zeroB))
	p.c = tensor.View[float32](c.Out[0])
	if t := at(c.In, o.bias); t != nil {
		p.bias = tensor.View[float32](t)
	}
	if o.dynamic {
		return o.runDynamic(c, st)
	}
	p.zeroA = rowZeros(c, at(c.In, o.in.zeroA), p.a)
	s := c.In[o.in.scaleA]
	p.scaleA = rowParams(c, tensor.View[float32](s), s.Shape(), p.a.Shape())
	return p.run(c)
}

func (o *matMulToFloat) runDynamic(c *graph.RunCtx, st *toFloatState) error {
	shape := c.In[o.in.a].Shape()
	k := shape[len(shape)-1]
	rows := count(shape[:len(shape)-1])
	j := &st.rows
	defer j.reset()
	*j = rowsJob{k: o.l.k, x: tensor.View[float32](c.In[o.in.a]), width: k, stride: o.l.k.StrideU8(k), parts: j.parts,
		scale: scratch[float32](c, 1), zero: scratch[int32](c, 1), sum: scratch[int32](c, rows)}
	j.q = scratch[uint8](c, rows*j.stride)
	if err := j.quantizeWhole(c); err != nil {
		return err
	}
	st.product.quantized, st.product.sums, st.product.zeroA, st.product.scaleA = j.q, j.sum, j.zero, j.scale
	return st.product.run(c)
}
