package graph

import (
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// foldLinearAffine folds what multiplies and adds per column after a MatMul or Gemm with a constant weight into the weight
// and bias: BatchNormalization of two dimensions, and Mul, Div, Add and Sub with constants of one number per column. It
// computes in float64. A bias that is added in between is taken along.
func foldLinearAffine(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		if !n.Is("BatchNormalization", "Mul", "Div", "Add", "Sub") || len(n.Out) == 0 || n.Out[0] == nil {
			continue
		}
		for i := range min(len(n.In), 2) {
			if i == 1 && !n.Is("Mul", "Add") {
				continue
			}
			l, ok := pc.linearOf(n.In[i])
			if !ok {
				continue
			}
			scale, shift, ok := pc.columnAffine(n, i, l.cols)
			if !ok || scale == nil && l.m.Type == "MatMul" {
				continue // a bias is where it should be
			}
			if err := pc.emitLinear(n, l, scale, shift); err != nil {
				return changed, err
			}
			changed++
			break
		}
	}
	return changed, nil
}

// foldAffineLinear folds what multiplies and adds per column before a MatMul or Gemm with a constant weight into the weight
// and bias, as foldLinearAffine does after it. Quantized layers keep theirs: their rows would have other ranges.
func foldAffineLinear(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		l, ok := pc.linearNode(n)
		if !ok || n.IntAttr("transA", 0) != 0 {
			continue
		}
		m := pc.Only(n.In[0], "BatchNormalization", "Mul", "Div", "Add", "Sub")
		if m == nil {
			continue
		}
		for i := range min(len(m.In), 2) {
			if i == 1 && !m.Is("Mul", "Add") {
				continue
			}
			scale, shift, ok := pc.columnAffine(m, i, l.rows)
			if d := m.In[i].Spec.Dims; !ok || len(d) < 2 || d[len(d)-1].Size != l.rows {
				continue
			}
			if err := pc.emitBefore(n, m.In[i], l, scale, shift); err != nil {
				return changed, err
			}
			changed++
			break
		}
	}
	return changed, nil
}

// linear is a MatMul or Gemm with a constant weight of two dimensions that nothing else reads.
type linear struct {
	m          *Node
	w          []float32
	rows, cols int
	trans      bool
	bias       []float64 // with the factor beta, nil: none
	after      bool      // the bias is added by a node of its own
}

// linearOf is the layer that makes v, perhaps with the sum with a bias behind it.
func (pc *PassCtx) linearOf(v *Value) (l linear, ok bool) {
	m := pc.Only(v, "MatMul", "Gemm")
	if m != nil {
		return pc.linearNode(m)
	}
	add := pc.Only(v, "Add")
	if add == nil || len(add.In) != 2 {
		return l, false
	}
	for i := range add.In {
		if m = pc.Only(add.In[i], "MatMul"); m == nil {
			continue
		}
		if l, ok = pc.linearNode(m); !ok {
			return l, false
		}
		l.bias, ok = perLast(add.In[1-i], add.In[i].Spec, l.cols)
		l.after = true
		return l, ok
	}
	return l, false
}

func (pc *PassCtx) linearNode(m *Node) (l linear, ok bool) {
	if !m.Is("MatMul", "Gemm") || len(m.In) < 2 {
		return l, false
	}
	w := m.In[1]
	if w.Const == nil || w.Const.DType() != tensor.Float32 || w.Const.Rank() != 2 || w.Const.Len() == 0 || !pc.Single(w) {
		return l, false
	}
	s := w.Const.Shape()
	l = linear{m: m, w: tensor.View[float32](w.Const), rows: s[0], cols: s[1]}
	if m.Type == "MatMul" {
		return l, true
	}
	if l.trans = m.IntAttr("transB", 0) != 0; l.trans {
		l.rows, l.cols = l.cols, l.rows
	}
	if c := m.Arg(2); c != nil && m.FloatAttr("beta", 1) != 0 {
		if l.bias, ok = perLast(c, m.Out[0].Spec, l.cols); !ok {
			return l, false
		}
		for i := range l.bias {
			l.bias[i] *= float64(m.FloatAttr("beta", 1))
		}
	}
	return l, true
}

// perLast reads a float32 constant of one number, or of one per element of the last dimension of y, that many.
func perLast(v *Value, y tensor.Spec, n int) ([]float64, bool) {
	if v == nil || v.Const == nil || v.Const.DType() != tensor.Float32 || !y.Ranked || v.Const.Rank() > len(y.Dims) {
		return nil, false
	}
	data, shape := tensor.View[float32](v.Const), v.Const.Shape()
	if len(data) != 1 && (len(data) != n || shape[len(shape)-1] != n) {
		return nil, false
	}
	c := make([]float64, n)
	for i := range c {
		c[i] = float64(data[i%len(data)])
	}
	return c, true
}

// columnAffine is what n does to column k of its input i: y = scale[k]*x + shift[k], nil where it multiplies or adds
// nothing. A factor of one number is left to what reads the result.
func (pc *PassCtx) columnAffine(n *Node, i, cols int) (scale, shift []float64, ok bool) {
	if n.Type == "BatchNormalization" {
		if n.In[0].Spec.Rank() != 2 {
			return nil, nil, false
		}
		return pc.batchNorm(n, i, cols)
	}
	c, ok := perLast(n.In[1-i], n.In[i].Spec, cols)
	if !ok || n.In[1-i].Const.Len() == 1 && cols != 1 {
		return nil, nil, false
	}
	switch n.Type {
	case "Mul":
		return c, nil, true
	case "Div":
		for k := range c {
			c[k] = 1 / c[k]
		}
		return c, nil, true
	case "Sub":
		for k := range c {
			c[k] = -c[k]
		}
	}
	return nil, c, true
}

// emitLinear makes the layer l with its columns multiplied and shifted in the place of n.
func (pc *PassCtx) emitLinear(n *Node, l linear, scale, shift []float64) error {
	w := l.m.In[1]
	if scale != nil {
		w = pc.scaledWeight(l, func(_, c int) float64 { return scale[c] })
	}
	bias := l.bias
	for k := range bias {
		if scale != nil {
			bias[k] *= scale[k]
		}
		if shift != nil {
			bias[k] += shift[k]
		}
	}
	if bias == nil {
		bias = shift
	}
	return pc.putLinear(n, l, l.m.In[0], w, bias)
}

// emitBefore makes the layer n = l of x whose columns are multiplied and shifted.
func (pc *PassCtx) emitBefore(n *Node, x *Value, l linear, scale, shift []float64) error {
	bias := l.bias
	if shift != nil {
		if bias == nil {
			bias = make([]float64, l.cols)
		}
		alpha := float64(n.FloatAttr("alpha", 1))
		for k := range l.rows {
			for c := range l.cols {
				bias[c] += alpha * float64(shift[k]*float64(l.w[l.at(k, c)]))
			}
		}
	}
	w := n.In[1]
	if scale != nil {
		w = pc.scaledWeight(l, func(k, _ int) float64 { return scale[k] })
	}
	return pc.putLinear(n, l, x, w, bias)
}

func (l *linear) at(k, c int) int {
	if l.trans {
		return c*l.rows + k
	}
	return k*l.cols + c
}

func (pc *PassCtx) scaledWeight(l linear, factor func(k, c int) float64) *Value {
	w := l.m.In[1].Const.Clone()
	data := tensor.View[float32](w)
	for k := range l.rows {
		for c := range l.cols {
			i := l.at(k, c)
			data[i] = float32(float64(data[i]) * factor(k, c))
		}
	}
	return pc.NewValue(l.m.In[1].Name, tensor.Spec{}, w)
}

// putLinear puts the layer l with another input, weight and bias in the place of n.
func (pc *PassCtx) putLinear(n *Node, l linear, x, w *Value, bias []float64) error {
	var b *Value
	if bias != nil {
		data := make([]float32, len(bias))
		for i, v := range bias {
			data[i] = float32(v)
		}
		t, err := tensor.Of(data, len(data))
		if err != nil {
			return err
		}
		b = pc.NewValue(l.m.Name+"_bias", tensor.Spec{}, t)
	}
	out := n.Out[:1]
	if l.m.Type == "Gemm" {
		m, err := pc.rebuild(l.m, "", "Gemm", trimAbsent([]*Value{x, w, b}), out, FloatA("beta", 1))
		if err == nil {
			pc.Replace(n, m)
		}
		return err
	}
	if b != nil {
		out = []*Value{pc.NewValue(out[0].Name+"_product", slicedSpec(n.Out[0].Spec), nil)}
	}
	m, err := pc.rebuild(l.m, "", "MatMul", []*Value{x, w}, out)
	if err != nil {
		return err
	}
	if b == nil {
		pc.Replace(n, m)
		return nil
	}
	pc.Insert(n, m)
	add, err := pc.Make(n, "", "Add", []*Value{out[0], b}, n.Out[:1])
	if err == nil {
		pc.Replace(n, add)
	}
	return err
}

func slicedSpec(s tensor.Spec) tensor.Spec {
	s.Dims = slices.Clone(s.Dims)
	return s
}
