package graph

import (
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// fuseLayerNorm finds (x - mean) / sqrt(variance + epsilon) over the last axes, with scale and bias where they follow, in
// the forms of PyTorch's and TensorFlow's exporters, and makes LayerNormalization of it; without the mean,
// RMSNormalization.
func fuseLayerNorm(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		m, ok := pc.matchMoments(n)
		if !ok {
			if m, ok = pc.matchNormalized(n); !ok {
				continue
			}
			pc.followScale(&m)
		}
		op := "LayerNormalization"
		if m.rms {
			op = "RMSNormalization"
		}
		if !pc.Has("", op) || !pc.scaleFits(&m) {
			continue
		}
		attrs := []Attr{IntA("axis", int64(-m.axes)), FloatA("epsilon", float32(m.eps))}
		fused, err := pc.Make(m.last, "", op, []*Value{m.x, m.scale, m.bias}, m.last.Out, attrs...)
		if err != nil {
			return changed, err
		}
		pc.Replace(m.last, fused)
		changed++
	}
	return changed, nil
}

// norm is a recognised normalization over the last axes of x, which ends at node last.
type norm struct {
	x           *Value
	axes        int
	eps         float64
	rms         bool
	scale, bias *Value
	last        *Node
}

// matchNormalized recognises the node that divides by the standard deviation: Div(d, Sqrt(v)), Mul(d, Reciprocal(Sqrt(v)))
// or Mul(d, Pow(v, -0.5)), where v = mean(d*d) + eps.
func (pc *PassCtx) matchNormalized(n *Node) (m norm, ok bool) {
	if !n.Is("Div", "Mul") || len(n.In) != 2 {
		return m, false
	}
	for i, d := range n.In {
		if n.Type == "Div" && i == 1 {
			break
		}
		v := pc.underRoot(n.In[1-i], n.Type == "Div")
		if v == nil {
			continue
		}
		if m, ok = pc.matchVariance(v, d); ok {
			m.last = n
			return m, true
		}
	}
	return m, false
}

// underRoot is the v of sqrt(v), or of 1/sqrt(v) when not divisor.
func (pc *PassCtx) underRoot(s *Value, divisor bool) *Value {
	if divisor {
		if r := pc.MadeBy(s, "Sqrt"); r != nil {
			return r.In[0]
		}
		if r := pc.MadeBy(s, "Pow"); r != nil && IsScalar(r.Arg(1), 0.5) {
			return r.In[0]
		}
		return nil
	}
	switch r := pc.MadeBy(s, "Reciprocal", "Div", "Pow"); {
	case r == nil:
		return nil
	case r.Type == "Reciprocal":
		return pc.underRoot(r.In[0], true)
	case r.Type == "Div" && IsScalar(r.In[0], 1):
		return pc.underRoot(r.In[1], true)
	case r.Type == "Pow" && IsScalar(r.Arg(1), -0.5):
		return r.In[0]
	}
	return nil
}

// matchVariance recognises v = mean(d*d) + eps, d = x - mean(x); when d is no such difference, it is a root mean square.
func (pc *PassCtx) matchVariance(v, d *Value) (m norm, ok bool) {
	add := pc.MadeBy(v, "Add")
	if add == nil {
		return m, false
	}
	sq, eps, ok := Operands(add)
	if !ok {
		return m, false
	}
	mean := pc.MadeBy(sq, "ReduceMean")
	if mean == nil || !pc.isSquare(mean.In[0], d) {
		return m, false
	}
	axes, ok := trailingAxes(mean)
	if !ok {
		return m, false
	}
	m = norm{x: d, axes: axes, eps: eps, rms: true}
	if sub := pc.MadeBy(d, "Sub"); sub != nil {
		if mu := pc.MadeBy(sub.In[1], "ReduceMean"); mu != nil && mu.In[0] == sub.In[0] {
			if k, ok := trailingAxes(mu); ok && k == axes {
				m.x, m.rms = sub.In[0], false
			}
		}
	}
	return m, m.x != nil
}

func (pc *PassCtx) isSquare(v, d *Value) bool {
	n := pc.MadeBy(v, "Pow", "Mul")
	if n == nil || len(n.In) != 2 || n.In[0] != d {
		return false
	}
	return n.Type == "Mul" && n.In[1] == d || n.Type == "Pow" && IsScalar(n.In[1], 2)
}

// trailingAxes is k when a reduction that keeps dimensions is over the last k axes.
func trailingAxes(n *Node) (int, bool) {
	axes, ok := ReduceAxes(n)
	if !ok {
		return 0, false
	}
	for i, a := range axes {
		if a != int64(i-len(axes)) {
			return 0, false
		}
	}
	return len(axes), true
}

// followScale extends a match by the product with a scale and the sum with a bias that follow it.
func (pc *PassCtx) followScale(m *norm) {
	y := m.last.Out[0]
	if mul := pc.onlyReader(y, m.last); mul.Is("Mul") {
		if s := pc.perElement(Other(mul, y), m); s != nil {
			m.scale, m.last, y = s, mul, mul.Out[0]
		}
	}
	if m.rms || m.scale == nil {
		return
	}
	if add := pc.onlyReader(y, m.last); add.Is("Add") {
		if b := pc.perElement(Other(add, y), m); b != nil {
			m.bias, m.last = b, add
		}
	}
}

// onlyReader is the one node, in the graph of n, that reads v.
func (pc *PassCtx) onlyReader(v *Value, n *Node) *Node {
	if !pc.Single(v) || pc.home[pc.readers[v][0]] != pc.home[n] {
		return nil
	}
	return pc.readers[v][0]
}

// perElement is v as a scale or bias of the normalized dimensions: a constant or value with exactly their shape, leading
// dimensions of one left out of constants. Else nil.
func (pc *PassCtx) perElement(v *Value, m *norm) *Value {
	want, ok := normalizedShape(m)
	if v == nil || !ok {
		return nil
	}
	shape, ok := v.Spec.Shape()
	if !ok {
		return nil
	}
	lead := len(shape) - len(want)
	if lead < 0 || lead > 0 && v.Const == nil || len(shape) > m.x.Spec.Rank() || !slices.Equal(shape[lead:], want) {
		return nil
	}
	for _, n := range shape[:lead] {
		if n != 1 {
			return nil
		}
	}
	if lead == 0 {
		return v
	}
	t, err := v.Const.Reshape(want...)
	if err != nil {
		return nil
	}
	return pc.NewValue(v.Name, t.Spec(), t)
}

func normalizedShape(m *norm) ([]int, bool) {
	s := m.x.Spec
	if !s.Ranked || len(s.Dims) < m.axes {
		return nil, false
	}
	return tensor.Ranked(tensor.Float32, s.Dims[len(s.Dims)-m.axes:]).Shape()
}

// scaleFits gives a match without a scale one of ones.
func (pc *PassCtx) scaleFits(m *norm) bool {
	if m.scale != nil {
		return true
	}
	shape, ok := normalizedShape(m)
	if !ok || m.x.Spec.DType != tensor.Float32 {
		return false
	}
	t, err := tensor.New(tensor.Float32, shape...)
	if err != nil {
		return false
	}
	for i := range tensor.View[float32](t) {
		tensor.View[float32](t)[i] = 1
	}
	m.scale = pc.NewValue(m.last.Name+"_ones", t.Spec(), t)
	return true
}

// matchMoments recognises the last node of the form of batch normalization that TensorFlow's exporters write:
// x*s + (bias - mean*s) with s = scale / sqrt(variance + eps).
func (pc *PassCtx) matchMoments(n *Node) (m norm, ok bool) {
	if !n.Is("Add") || len(n.In) != 2 {
		return m, false
	}
	for i, v := range n.In {
		sub, mul := pc.MadeBy(v, "Sub"), pc.MadeBy(n.In[1-i], "Mul")
		if sub == nil || mul == nil {
			continue
		}
		shift := pc.MadeBy(sub.In[1], "Mul")
		for j, x := range mul.In {
			s := mul.In[1-j]
			mu := pc.MadeBy(Other(shift, s), "ReduceMean")
			if mu == nil || mu.In[0] != x {
				continue
			}
			if m, ok := pc.matchScaledRoot(s, x, mu); ok {
				m.last = n
				m.bias = pc.perElement(sub.In[0], &m)
				return m, m.bias != nil
			}
		}
	}
	return m, false
}

// matchScaledRoot recognises s = scale / sqrt(mean((x-mu)^2) + eps), the scale first or last.
func (pc *PassCtx) matchScaledRoot(s, x *Value, mu *Node) (m norm, ok bool) {
	mul := pc.MadeBy(s, "Mul")
	if mul == nil {
		return m, false
	}
	for i, r := range mul.In {
		v := pc.underRoot(r, false)
		if v == nil {
			continue
		}
		mean := pc.meanUnder(v)
		if mean == nil {
			continue
		}
		d := pc.squareOf(mean.In[0])
		if m, ok = pc.matchVariance(v, d); ok && !m.rms && m.x == x && pc.Maker(pc.MadeBy(d, "Sub").In[1]) == mu {
			m.scale = pc.perElement(mul.In[1-i], &m)
			return m, m.scale != nil
		}
	}
	return m, false
}

func (pc *PassCtx) meanUnder(v *Value) *Node {
	add := pc.MadeBy(v, "Add")
	if add == nil {
		return nil
	}
	sq, _, _ := Operands(add)
	return pc.MadeBy(sq, "ReduceMean")
}

// squareOf is the d of v = d*d or d^2, nil if v is none.
func (pc *PassCtx) squareOf(v *Value) *Value {
	if n := pc.MadeBy(v, "Pow", "Mul"); n != nil && pc.isSquare(v, n.In[0]) {
		return n.In[0]
	}
	return nil
}
