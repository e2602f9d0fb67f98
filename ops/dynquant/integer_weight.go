package dynquant

import (
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// integerWeight recognises what n makes as an integer constant with a scale per output column or for all, possibly behind
// Transpose nodes, and returns nil for anything else. The elements are taken as they are in the file.
func (p *pass) integerWeight(n *graph.Node, trans bool) *weight {
	for n.Is("Transpose") && lastTwoExchanged(n) {
		trans = !trans
		if n = p.pc.Maker(n.In[0]); n == nil {
			return nil
		}
	}
	var w *weight
	switch {
	case n.Is("DequantizeLinear"):
		w = p.dequantized(n, trans)
	case n.Is("Mul"):
		w = p.scaledCast(n, trans)
	}
	if w == nil || w.ints.Rank() < 2 || w.ints.Len() == 0 {
		return nil
	}
	return w
}

func lastTwoExchanged(n *graph.Node) bool {
	a, ok := n.Attrs.Lookup("perm")
	r := len(a.Ints)
	if !ok || r < 2 || a.Ints[r-1] != int64(r-2) || a.Ints[r-2] != int64(r-1) {
		return false
	}
	for i, x := range a.Ints[:r-2] {
		if x != int64(i) {
			return false
		}
	}
	return true
}

// dequantized reads DequantizeLinear(constant, scale, zero point) with one scale, or with one per output column.
func (p *pass) dequantized(n *graph.Node, trans bool) *weight {
	q, s := n.In[0].Const, n.Arg(1)
	if q == nil || s == nil || s.Const == nil || !eightBits(q) || s.Const.DType() != tensor.Float32 {
		return nil
	}
	if b, ok := n.Attrs.Lookup("block_size"); ok && b.I != 0 {
		return nil
	}
	var zero *tensor.Tensor
	if z := n.Arg(2); z != nil {
		if zero = z.Const; zero == nil {
			return nil
		}
	}
	axis := int64(1)
	if a, ok := n.Attrs.Lookup("axis"); ok {
		axis = a.I
	}
	if axis < 0 {
		axis += int64(q.Rank())
	}
	w := &weight{ints: q, scale: tensor.View[float32](s.Const), zero: flat(zero), shape: q.Shape(), trans: trans}
	if s.Const.Len() > 1 && (q.Rank() != 2 || int(axis) != columnAxis(2, trans)) {
		return nil
	}
	return w
}

// columnAxis is the axis of the output columns.
func columnAxis(rank int, trans bool) int {
	if trans {
		return rank - 2
	}
	return rank - 1
}

// scaledCast reads Mul(Cast(constant), scale), as weight-only files write it.
func (p *pass) scaledCast(n *graph.Node, trans bool) *weight {
	for i := range 2 {
		cast, s := p.pc.MadeBy(n.In[i], "Cast"), n.In[1-i].Const
		if cast == nil || s == nil || s.DType() != tensor.Float32 {
			continue
		}
		q := cast.In[0].Const
		if q == nil || !eightBits(q) || q.Rank() < 2 || !alongColumns(s.Shape(), q.Shape(), trans) {
			continue
		}
		return &weight{ints: q, scale: tensor.View[float32](s), shape: q.Shape(), trans: trans}
	}
	return nil
}

// alongColumns reports whether a scale of this shape, broadcast over the weight, depends on the output column alone.
func alongColumns(scale, w []int, trans bool) bool {
	if len(scale) > len(w) {
		return false
	}
	axis := columnAxis(len(w), trans)
	for i, d := range scale {
		if at := i + len(w) - len(scale); d != 1 && (at != axis || d != w[at]) {
			return false
		}
	}
	return true
}

func eightBits(t *tensor.Tensor) bool { return t.DType() == tensor.Int8 || t.DType() == tensor.Uint8 }

// flat gives a zero point one dimension.
func flat(t *tensor.Tensor) *tensor.Tensor {
	if t == nil {
		return nil
	}
	f, err := t.Reshape(t.Len())
	if err != nil {
		return t
	}
	return f
}

// evaluate computes v when it follows from constants through a few nodes.
func (p *pass) evaluate(v *graph.Value, depth int) *tensor.Tensor {
	if v == nil || v.Const != nil {
		if v == nil {
			return nil
		}
		return v.Const
	}
	n := p.pc.Maker(v)
	if n == nil || depth > 8 || len(n.Bodies) > 0 || !n.Is("Transpose", "Cast", "Mul", "DequantizeLinear", "Identity", "Reshape", "Unsqueeze", "Squeeze", "Sub") {
		return nil
	}
	in := make([]*tensor.Tensor, len(n.In))
	for i, x := range n.In {
		if x == nil {
			continue
		}
		if in[i] = p.evaluate(x, depth+1); in[i] == nil {
			return nil
		}
	}
	out, err := graph.EvalNode(n, in)
	if err != nil {
		return nil // the run says what is wrong with the node
	}
	for i, o := range n.Out {
		if o == v {
			return out[i]
		}
	}
	return nil
}
