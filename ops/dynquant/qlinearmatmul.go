package dynquant

import (
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) qLinearMatMuls() []graph.Def {
	return []graph.Def{
		{Op: "QLinearMatMul", Since: 10, New: l.newQLinearMatMul, Types: byteTypes},
		{Op: "QLinearMatMul", Since: 21, New: l.newQLinearMatMul, Types: byteTypes},
	}
}

// qLinearMatMul computes y = clip(rne(acc*(a_scale*b_scale/y_scale)) + y_zero), acc the int32 product of the operands less
// their zero points. Inputs: a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero. Parameters of a may be one per row
// and those of b one per column, as in MatMulInteger; those of y are one.
type qLinearMatMul struct {
	l      lib
	weight packedWeight
}

var qLinearMatMulInputs = productInputs{a: 0, scaleA: 1, zeroA: 2, b: 3, scaleB: 4, zeroB: 5}

func (l lib) newQLinearMatMul(*graph.Attrs) (graph.Op, error) { return &qLinearMatMul{l: l}, nil }

func (o *qLinearMatMul) KernelName() string { return "u8s8/" + o.l.k.Name() }

func (o *qLinearMatMul) Infer(c *graph.InferCtx) error {
	if err := wantInputs(c, 8, 8); err != nil {
		return err
	}
	for _, i := range []int{1, 4, 6} {
		if err := wantType(c, i, "scale", scaleTypes...); err != nil {
			return err
		}
	}
	if err := wantType(c, 7, "result", byteTypes...); err != nil {
		return err
	}
	if err := checkRowParam("scale", c.In(1), c.In(0)); err != nil {
		return err
	}
	if err := checkColumnParam("scale", c.In(4), c.In(3)); err != nil {
		return err
	}
	for _, i := range []int{6, 7} {
		if err := wantOne(c, i, "scale or zero point of the result"); err != nil {
			return err
		}
	}
	return inferProduct(c, qLinearMatMulInputs, c.In(7).DType)
}

func (o *qLinearMatMul) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	w, used := o.l.prepackB(consts, 3, -1, 5, true)
	if used == nil {
		return o, nil, nil
	}
	p := *o
	p.weight = w
	return &p, used, nil
}

func (o *qLinearMatMul) Run(c *graph.RunCtx) error {
	p := graph.State[byteProduct](c)
	defer p.reset()
	p.l, p.a = o.l, c.In[0]
	p.zeroA = rowZeros(c, c.In[2], p.a)
	p.scaleA = rowParams(c, floatParams(c, c.In[1]), c.In[1].Shape(), p.a.Shape())
	p.useB(c, o.weight, c.In[3], nil, c.In[5])
	p.scaleB = columnParams(floatParams(c, c.In[4]), c.In[4].Shape(), p.shapeB)
	y := c.Out[0]
	p.requant = requantizer{scaleY: scalar(c.In[6]), grid: byteGridOf(y.DType(), scalarZero(c.In[7])), out: y.Bytes()}
	return p.run(c)
}
