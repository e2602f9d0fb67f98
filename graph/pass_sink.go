package graph

import (
	"math"
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// elementwise are the operators of one input, besides constants of one number, that compute every element by itself.
var elementwise = []string{"Relu", "Sigmoid", "Tanh", "LeakyRelu", "Clip", "Gelu", "HardSigmoid", "HardSwish", "Softplus", "Elu", "Selu", "Mish", "Swish",
	"Neg", "Abs", "Exp", "Log", "Sqrt", "Reciprocal", "Erf", "Floor", "Ceil", "Round", "Sin", "Cos", "Not", "Cast"}

// sinkTransposes moves a Transpose behind the elementwise operator that alone reads it, and two equal ones behind the
// operator of both, so that it meets one that undoes it and products meet their activations.
func sinkTransposes(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		perm, in := pc.sinkable(n)
		if perm == nil {
			continue
		}
		spec := tensor.Unranked(n.Out[0].Spec.DType)
		y := pc.NewValue(n.Out[0].Name+"_straight", spec, nil)
		m, err := pc.rebuild(n, n.Domain, n.Type, in, []*Value{y})
		if err != nil {
			return changed, err
		}
		t, err := pc.Make(n, "", "Transpose", []*Value{y}, n.Out, IntsA("perm", perm...))
		if err != nil {
			return changed, err
		}
		t.Name = n.Name + "/transpose"
		pc.Insert(n, m)
		pc.Replace(n, t)
		changed++
	}
	return changed, nil
}

// sinkable is the permutation that can move behind n, and n's inputs before it.
func (pc *PassCtx) sinkable(n *Node) (perm []int64, in []*Value) {
	binary := n.Is("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow") && len(n.In) == 2
	unary := n.Is(elementwise...) || n.Domain == "qrun" && slices.Contains([]string{"Silu", "QuickGelu", "HardSwish"}, n.Type)
	if len(n.Out) != 1 || !binary && !unary {
		return nil, nil
	}
	in = slices.Clone(n.In)
	for i, v := range n.In {
		if v == nil || v.Const != nil && v.Const.Len() == 1 && v.Const.Rank() <= 1 {
			continue
		}
		t := pc.Only(v, "Transpose")
		if t == nil || unary && i > 0 || len(permOf(t)) < 2 {
			return nil, nil
		}
		if perm != nil && !slices.Equal(perm, permOf(t)) {
			return nil, nil
		}
		perm, in[i] = permOf(t), t.In[0]
	}
	return perm, in
}

// mergeFactors makes one Mul of two products with numbers in a row. Sums are not merged: some round on purpose.
func mergeFactors(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		x, c, ok := numberFactor(n)
		if !ok {
			continue
		}
		x, c1, ok := numberFactor(pc.Only(x, "Mul", "Div"))
		if !ok || math.Abs(c*c1) < 1e-30 || math.Abs(c*c1) > 1e30 {
			continue
		}
		m, err := pc.Make(n, "", "Mul", []*Value{x, pc.number(n.Name+"_factor", float32(c*c1))}, n.Out)
		if err != nil {
			return changed, err
		}
		pc.Replace(n, m)
		changed++
	}
	return changed, nil
}

// numberFactor is what a Mul or Div of float32 with a number multiplies, and by how much.
func numberFactor(n *Node) (x *Value, c float64, ok bool) {
	if !n.Is("Mul", "Div") || len(n.In) != 2 || n.Out[0].Spec.DType != tensor.Float32 {
		return nil, 0, false
	}
	x, c, ok = factor(n)
	return x, c, ok && x.Const == nil
}
