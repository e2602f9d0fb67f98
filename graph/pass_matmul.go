package graph

import (
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// fuseConvs makes qrun's FusedConv of a Conv that an activation or a sum follows, for the passes that put these into it.
func fuseConvs(g *Graph, pc *PassCtx) (changed int, err error) {
	if !pc.Has("qrun", "FusedConv") {
		return 0, nil
	}
	for n := range pc.Nodes(g) {
		if !n.Is("Conv") || n.Out[0].Spec.DType != tensor.Float32 {
			continue
		}
		next := pc.onlyReader(n.Out[0], n)
		if next == nil {
			continue
		}
		if _, ok := activationOf(next); !ok && !next.Is("Add") {
			continue
		}
		if err := pc.refit(n, "FusedConv", n.In); err != nil {
			return changed, err
		}
		changed++
	}
	return changed, nil
}

func (pc *PassCtx) refit(n *Node, op string, in []*Value, attrs ...Attr) error {
	m, err := pc.rebuild(n, "qrun", op, in, n.Out, attrs...)
	if err != nil {
		return err
	}
	pc.Replace(n, m)
	return nil
}

// fuseProducts makes qrun's FusedMatMul of float32 MatMul with operands of at least two dimensions, and of Gemm whose C is
// one number per column or absent.
func fuseProducts(g *Graph, pc *PassCtx) (changed int, err error) {
	if !pc.Has("qrun", "FusedMatMul") {
		return 0, nil
	}
	for n := range pc.Nodes(g) {
		if !n.Is("MatMul", "Gemm") || n.In[0].Spec.DType != tensor.Float32 || n.In[0].Spec.Rank() < 2 || n.In[1].Spec.Rank() < 2 {
			continue
		}
		if n.Type == "MatMul" {
			err = pc.refit(n, "FusedMatMul", n.In)
		} else {
			bias, ok := pc.gemmBias(n)
			if !ok {
				continue
			}
			m, e := pc.Make(n, "qrun", "FusedMatMul", []*Value{n.In[0], n.In[1], bias}, n.Out, FloatA("alpha", n.FloatAttr("alpha", 1)),
				IntA("transA", n.IntAttr("transA", 0)), IntA("transB", n.IntAttr("transB", 0)))
			if err = e; err == nil {
				pc.Replace(n, m)
			}
		}
		if err != nil {
			return changed, err
		}
		changed++
	}
	return changed, nil
}

// gemmBias is Gemm's beta*C as one number per column, nil where there is no C.
func (pc *PassCtx) gemmBias(n *Node) (*Value, bool) {
	c := n.Arg(2)
	beta := n.FloatAttr("beta", 1)
	if c == nil || beta == 0 {
		return nil, true
	}
	y := n.Out[0].Spec
	if !y.Ranked || len(y.Dims) != 2 {
		return nil, false
	}
	return pc.perColumn(c, y.Dims[1], 2, beta)
}

// perColumn is v, times factor, as a bias [columns] of a result of that rank, if adding v to the result means that.
func (pc *PassCtx) perColumn(v *Value, columns tensor.Dim, rank int, factor float32) (*Value, bool) {
	shape, ok := v.Spec.Shape()
	if !ok || columns.Size < 1 || v.Spec.DType != tensor.Float32 || len(shape) > rank {
		return nil, false
	}
	if len(shape) == 1 && shape[0] == columns.Size && factor == 1 {
		return v, true
	}
	if v.Const == nil {
		return nil, false
	}
	src := tensor.View[float32](v.Const)
	last := len(shape) - 1
	if len(src) != 1 && (len(src) != columns.Size || shape[last] != columns.Size) {
		return nil, false
	}
	bias := make([]float32, columns.Size)
	for i := range bias {
		bias[i] = src[i%len(src)] * factor
	}
	t, err := tensor.Of(bias, len(bias))
	if err != nil {
		return nil, false
	}
	return pc.NewValue(v.Name, t.Spec(), t), true
}

// fuseBias puts the sum with one number per column into the product before it.
func fuseBias(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		if !n.Is("Add") || len(n.In) != 2 {
			continue
		}
		for i := range n.In {
			m, slot, _ := pc.fusable(n, n.In[i])
			if m == nil || m.convolves() || len(m.In) > slot+1 || m.StrAttr("activation", "") != "" || n.In[i].Spec.Rank() < 1 {
				continue
			}
			dims := n.In[i].Spec.Dims
			bias, ok := pc.perColumn(n.In[1-i], dims[len(dims)-1], len(dims), 1)
			if !ok {
				continue
			}
			if have := m.Arg(slot); have != nil {
				if bias = pc.sumOfBiases(m, have, bias); bias == nil {
					continue
				}
			}
			fused, err := pc.rebuild(m, m.Domain, m.Type, withInput(m, slot, bias), n.Out)
			if err != nil {
				return changed, err
			}
			pc.Replace(n, fused)
			changed++
			break
		}
	}
	return changed, nil
}

// sumOfBiases is one bias for two of a float product m, nil where they are no constants.
func (pc *PassCtx) sumOfBiases(m *Node, a, b *Value) *Value {
	if m.Type != "FusedMatMul" || a.Const == nil || b.Const == nil || a.Const.DType() != tensor.Float32 || b.Const.DType() != tensor.Float32 ||
		a.Const.Rank() != 1 || a.Const.Len() != b.Const.Len() {
		return nil
	}
	sum := make([]float32, a.Const.Len())
	for i, v := range tensor.View[float32](b.Const) {
		sum[i] = tensor.View[float32](a.Const)[i] + v
	}
	t, err := tensor.Of(sum, len(sum))
	if err != nil {
		return nil
	}
	return pc.NewValue(a.Name, t.Spec(), t)
}

// fuseScale puts the product with a number into the matrix product before it.
func fuseScale(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		if !n.Is("Mul", "Div") {
			continue
		}
		v, c, ok := Operands(n)
		if !ok || n.Type == "Div" && (v != n.In[0] || c == 0) || n.Out[0].Spec.Rank() != v.Spec.Rank() {
			continue
		}
		m, _, _ := pc.fusable(n, v)
		if m == nil || m.Type != "FusedMatMul" || len(m.In) > 2 || m.StrAttr("activation", "") != "" {
			continue
		}
		if n.Type == "Div" {
			c = 1 / c
		}
		fused, err := pc.rebuild(m, m.Domain, m.Type, m.In, n.Out, FloatA("alpha", float32(float64(m.FloatAttr("alpha", 1))*c)))
		if err != nil {
			return changed, err
		}
		pc.Replace(n, fused)
		changed++
	}
	return changed, nil
}

// fuseOperandTranspose lets a matrix product read an operand in place whose last two dimensions a Transpose exchanges.
func fuseOperandTranspose(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		if n.Domain != "qrun" || n.Type != "FusedMatMul" {
			continue
		}
		for i, name := range []string{"transA", "transB"} {
			t := pc.MadeBy(n.In[i], "Transpose")
			if t == nil || !swapsLastTwo(t) {
				continue
			}
			in := slices.Clone(n.In)
			in[i] = t.In[0]
			if err := pc.refit(n, n.Type, in, IntA(name, 1-n.IntAttr(name, 0))); err != nil {
				return changed, err
			}
			changed++
			break
		}
	}
	return changed, nil
}
