package graph

import "github.com/qrun-onnx/qrun/tensor"

// unflattenProducts makes a MatMul, and an Add of the bias, of a Gemm between two Reshapes of which the first joins all
// dimensions but the last and the second restores them, as PyTorch writes a linear layer by addmm (GPT-2). What follows,
// an activation, a sum or parts of the columns, is then next to the product. The order of summation stays.
func unflattenProducts(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		if !n.Is("Reshape") {
			continue
		}
		m := pc.Only(n.In[0], "Gemm")
		if m == nil || m.IntAttr("transA", 0) != 0 || m.FloatAttr("alpha", 1) != 1 {
			continue
		}
		l, ok := pc.linearNode(m)
		r := pc.MadeBy(m.In[0], "Reshape")
		if !ok || r == nil || r.In[0].Spec.Rank() < 3 {
			continue
		}
		x, okX, err := pc.exactDims(r.In[0])
		if err != nil {
			return changed, err
		}
		y, okY, _ := pc.exactDims(n.Out[0])
		last := len(x) - 1
		if !okX || !okY || len(y) != len(x) || !sameExact(x[:last], y[:last]) || x[last].Size != l.rows || y[last].Size != l.cols {
			continue
		}
		if err := pc.emitUnflattened(n, l, r.In[0]); err != nil {
			return changed, err
		}
		changed++
	}
	return changed, nil
}

// emitUnflattened puts MatMul and Add, the layer l of x, in the place of n.
func (pc *PassCtx) emitUnflattened(n *Node, l linear, x *Value) error {
	w := l.m.In[1]
	if l.trans {
		t, err := tensor.Of(transposed(l.w, l.cols, l.rows), l.rows, l.cols)
		if err != nil {
			return err
		}
		w = pc.NewValue(w.Name, t.Spec(), t)
	}
	var bias *Value
	if l.bias != nil {
		var err error
		if bias, err = pc.floatList(l.m.Name+"_bias", l.bias); err != nil {
			return err
		}
	}
	if err := pc.insertProduct(n, l.m.Name, x, w, bias, n.Out[0]); err != nil {
		return err
	}
	pc.Remove(n)
	return nil
}

// insertProduct puts y = x*w + bias, without the sum where there is no bias, in front of node at.
func (pc *PassCtx) insertProduct(at *Node, name string, x, w, bias, y *Value) error {
	out := y
	if bias != nil {
		out = pc.NewValue(y.Name+"_product", slicedSpec(y.Spec), nil)
	}
	m, err := pc.Make(at, "", "MatMul", []*Value{x, w}, []*Value{out})
	if err != nil {
		return err
	}
	m.Name, m.Attrs.Name = name, name
	pc.Insert(at, m)
	if bias == nil {
		return nil
	}
	add, err := pc.Make(at, "", "Add", []*Value{out, bias}, []*Value{y})
	if err == nil {
		pc.Insert(at, add)
	}
	return err
}

// floatList is a constant of one dimension.
func (pc *PassCtx) floatList(name string, v []float64) (*Value, error) {
	data := make([]float32, len(v))
	for i, x := range v {
		data[i] = float32(x)
	}
	t, err := tensor.Of(data, len(data))
	if err != nil {
		return nil, err
	}
	return pc.NewValue(name, t.Spec(), t), nil
}

// transposed is the transpose of a matrix.
func transposed(src []float32, rows, cols int) []float32 {
	dst := make([]float32, len(src))
	for i := range rows {
		for k, v := range src[i*cols : (i+1)*cols] {
			dst[k*rows+i] = v
		}
	}
	return dst
}
