package dynquant

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/ops"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) qAttentions() []graph.Def {
	return []graph.Def{{Domain: microsoft, Op: "QAttention", Since: 1, New: l.newQAttention, Types: byteTypes}}
}

// Inputs of QAttention.
const (
	attX = iota
	attW
	attBias
	attScaleX
	attScaleW
	attMask
	attZeroX
	attZeroW
	attPast
	attInputs
)

// qAttention is com.microsoft's Attention whose first product, of queries, keys and values, is one of 8-bit integers:
// float32(acc)*(x_scale*w_scale) + bias. All else is float32. The parameters of w may be one per column.
type qAttention struct {
	l         lib
	attention *ops.ProjectedAttention
	hasZero   bool
	weight    packedWeight
}

func (l lib) newQAttention(a *graph.Attrs) (graph.Op, error) {
	att, err := ops.NewProjectedAttention(l.k, a)
	if err != nil {
		return nil, err
	}
	return &qAttention{l: l, attention: att, hasZero: a.HasIn(attZeroW)}, nil
}

func (o *qAttention) KernelName() string { return "u8s8/" + o.l.k.Name() }

func (o *qAttention) Infer(c *graph.InferCtx) error {
	if err := wantInputs(c, attScaleW+1, attInputs); err != nil {
		return err
	}
	for _, i := range []int{attX, attW} {
		if err := wantType(c, i, "attention", byteTypes...); err != nil {
			return err
		}
	}
	for _, i := range []int{attBias, attScaleX, attScaleW, attPast} {
		if err := wantType(c, i, "bias, scale or past", tensor.Float32); err != nil {
			return err
		}
	}
	if err := wantType(c, attMask, "mask", tensor.Int32); err != nil {
		return err
	}
	if err := wantSameType(c, attX, attZeroX, "input and zero point"); err != nil {
		return err
	}
	if err := wantSameType(c, attW, attZeroW, "weights and zero point"); err != nil {
		return err
	}
	for _, i := range []int{attScaleX, attZeroX} {
		if err := wantOne(c, i, "scale or zero point of the input"); err != nil {
			return err
		}
	}
	w := c.In(attW)
	if w.Ranked && len(w.Dims) != 2 {
		return fmt.Errorf("weights %v, want two dimensions", w)
	}
	if w.Ranked {
		if err := checkDepth(w.Dims[0]); err != nil {
			return err
		}
		for _, i := range []int{attScaleW, attZeroW} {
			if err := wantOneOr(c, i, "scale or zero point of the weights", w.Dims[1]); err != nil {
				return err
			}
		}
	}
	return o.attention.Infer(c, attMask, attPast)
}

func (o *qAttention) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	w, used := o.l.prepackB(consts, attW, attScaleW, attZeroW, o.hasZero)
	if used == nil {
		return o, nil, nil
	}
	p := *o
	p.weight = w
	return &p, used, nil
}

// qAttentionState is what a run keeps.
type qAttentionState struct {
	product   byteProduct
	attention ops.AttentionState
}

func (o *qAttention) Run(c *graph.RunCtx) error {
	st := graph.State[qAttentionState](c)
	p := &st.product
	defer p.reset()
	p.l, p.a = o.l, c.In[attX]
	p.zeroA = rowZeros(c, at(c.In, attZeroX), p.a)
	p.scaleA = tensor.View[float32](c.In[attScaleX])
	p.useB(c, o.weight, c.In[attW], c.In[attScaleW], at(c.In, attZeroW))
	shape, n := p.a.Shape(), p.shapeB[1]
	p.c, p.bias = scratch[float32](c, shape[0]*shape[1]*n), tensor.View[float32](c.In[attBias])
	if err := p.run(c); err != nil {
		return err
	}
	return o.attention.Run(c, &st.attention, p.c, shape[0], shape[1], n, at(c.In, attMask), at(c.In, attPast))
}
