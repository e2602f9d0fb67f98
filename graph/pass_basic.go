package graph

import (
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// removeDead removes nodes whose results nobody reads.
func removeDead(g *Graph, pc *PassCtx) (changed int, err error) {
	for _, n := range slices.Backward(g.Nodes) {
		if !pc.gone[n] && !pc.needed(n) {
			pc.Remove(n)
			changed++
		}
	}
	return changed, nil
}

// removeIdentity removes nodes whose output is their input, exactly.
func removeIdentity(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		x, err := pc.passesOn(n)
		if err != nil {
			return changed, err
		}
		if x != nil && pc.Bypass(n, x) {
			changed++
		}
	}
	return changed, nil
}

// passesOn is the input that the only needed output of n equals, nil if there is none.
func (pc *PassCtx) passesOn(n *Node) (*Value, error) {
	if n.Domain != "" || len(n.In) == 0 || n.In[0] == nil || len(n.Out) == 0 || n.Out[0] == nil {
		return nil, nil
	}
	for _, v := range n.Out[1:] {
		if v != nil && pc.Needed(v) {
			return nil, nil
		}
	}
	x := n.In[0]
	switch n.Type {
	case "Identity":
		return x, nil
	case "Dropout":
		// Opset 12 on has an input for training; before, the attribute is_test of opset 1 to 6 says it.
		if mode := n.Arg(2); mode == nil || isFalse(mode) {
			if n.Since >= 7 || n.IntAttr("is_test", 0) == 1 {
				return x, nil
			}
		}
	case "Cast":
		if x.Spec.DType != tensor.Undefined && n.IntAttr("to", 0) == int64(x.Spec.DType) {
			return x, nil
		}
		if first := pc.MadeBy(x, "Cast"); first != nil && int64(first.In[0].Spec.DType) == n.IntAttr("to", 0) && keepsAll(first.In[0].Spec.DType, x.Spec.DType) {
			return first.In[0], nil
		}
	case "Slice":
		if same, err := pc.sameExactShape(x, n.Out[0]); err != nil || same && pc.slicesForward(n) {
			return x, err
		}
	case "Split":
		if len(n.Out) == 1 {
			return x, nil
		}
	case "Concat", "Sum", "Max", "Min", "Mean":
		if len(n.In) == 1 {
			return x, nil
		}
	case "Transpose":
		if perm := n.IntsAttr("perm"); isIdentityPerm(perm) || perm == nil && x.Spec.Ranked && len(x.Spec.Dims) <= 1 {
			return x, nil
		}
	case "Reshape", "Expand", "Squeeze", "Unsqueeze", "Flatten", "Tile":
		if same, err := pc.sameExactShape(x, n.Out[0]); err != nil || same {
			return x, err
		}
	case "Mul", "Div", "Sub":
		return neutral(n), nil
	case "Where":
		return pc.sizesKept(n), nil
	}
	return nil, nil
}

// neutral is the operand of x*1, 1*x, x/1 or x-0 when the constant does not broaden it. Adding zero is not among them: it
// turns -0 into 0.
func neutral(n *Node) *Value {
	want := 1.0
	if n.Type == "Sub" {
		want = 0
	}
	for i, c := range n.In {
		x := n.In[1-i]
		if i == 0 && n.Type != "Mul" {
			continue
		}
		if v, ok := Scalar(c); ok && v == want && x.Spec.Ranked && len(x.Spec.Dims) >= c.Const.Rank() {
			return x
		}
	}
	return nil
}

func isFalse(v *Value) bool {
	b, ok := scalarBool(v)
	return ok && !b
}

func scalarBool(v *Value) (b, ok bool) {
	if v == nil || v.Const == nil || v.Const.DType() != tensor.Bool || v.Const.Len() != 1 {
		return false, false
	}
	return tensor.View[bool](v.Const)[0], true
}

func isIdentityPerm(perm []int64) bool {
	for i, p := range perm {
		if p != int64(i) {
			return false
		}
	}
	return perm != nil
}

// keepsAll reports whether every number of type a has an exact form in type b.
func keepsAll(a, b tensor.DType) bool {
	switch {
	case a == b:
		return true
	case a.IsFloat() && b.IsFloat():
		return b == tensor.Float64 || b == tensor.Float32 && (a == tensor.Float16 || a == tensor.BFloat16)
	case a == tensor.Bool:
		return b.IsInteger() || b.IsFloat()
	}
	return a.IsInteger() && b == tensor.Int64 && a != tensor.Uint64 || a.IsInteger() && a.Bits() <= 16 && b == tensor.Int32
}

// slicesForward reports whether a Slice that leaves the shape as it is keeps the order.
func (pc *PassCtx) slicesForward(n *Node) bool {
	steps := n.Arg(4)
	if steps == nil {
		return true
	}
	if steps.Const == nil {
		return false
	}
	list, ok := ConstInts(steps.Const)
	return ok && !slices.ContainsFunc(list, func(s int64) bool { return s < 0 })
}
