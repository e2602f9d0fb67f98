package graph

import (
	"math"
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// Is reports whether n is an ai.onnx operator of one of these types.
func (n *Node) Is(types ...string) bool {
	return n != nil && n.Domain == "" && slices.Contains(types, n.Type)
}

// Arg is input i, nil where it is absent.
func (n *Node) Arg(i int) *Value {
	if i >= len(n.In) {
		return nil
	}
	return n.In[i]
}

// Maker is the node that makes v, nil for constants, inputs of graphs and absent values.
func (pc *PassCtx) Maker(v *Value) *Node {
	if v == nil || v.Const != nil {
		return nil
	}
	return pc.maker[v]
}

// MadeBy is the node that makes v as its output 0 when it is an ai.onnx operator of one of these types, else nil.
func (pc *PassCtx) MadeBy(v *Value, types ...string) *Node {
	if m := pc.Maker(v); m.Is(types...) && m.Out[0] == v {
		return m
	}
	return nil
}

// Only is MadeBy for a value that one input of one node in the same graph reads and nothing else, so that a fusion may
// swallow its maker.
func (pc *PassCtx) Only(v *Value, types ...string) *Node {
	m := pc.MadeBy(v, types...)
	if m == nil || !pc.Single(v) || pc.home[pc.readers[v][0]] != pc.home[m] {
		return nil
	}
	return m
}

// Single reports whether exactly one input of one node reads v, and no graph lists it as an output.
func (pc *PassCtx) Single(v *Value) bool { return len(pc.readers[v]) == 1 && pc.listed[v] == 0 }

// Readers lists the nodes that read v, one that reads it twice twice.
func (pc *PassCtx) Readers(v *Value) []*Node { return pc.readers[v] }

// IsOutput reports whether a graph lists v as an output.
func (pc *PassCtx) IsOutput(v *Value) bool { return pc.listed[v] > 0 }

// Home is the graph that n is in.
func (pc *PassCtx) Home(n *Node) *Graph { return pc.home[n] }

// Scalar is the value of a constant of one number, of whatever rank.
func Scalar(v *Value) (x float64, ok bool) {
	if v == nil || v.Const == nil || v.Const.Kind() != tensor.KindTensor || v.Const.Len() != 1 {
		return 0, false
	}
	switch t := v.Const; t.DType() {
	case tensor.Float32:
		return float64(tensor.View[float32](t)[0]), true
	case tensor.Float64:
		return tensor.View[float64](t)[0], true
	case tensor.Float16:
		return float64(tensor.View[tensor.F16](t)[0].Float32()), true
	case tensor.BFloat16:
		return float64(tensor.View[tensor.BF16](t)[0].Float32()), true
	default:
		if ints, ok := ConstInts(t); ok {
			return float64(ints[0]), true
		}
	}
	return 0, false
}

// IsScalar reports whether v is a constant of one number near want: as near as the precision of its type and the digits
// that exporters write make equal.
func IsScalar(v *Value, want float64) bool {
	x, ok := Scalar(v)
	if !ok {
		return false
	}
	tol := 1e-5
	if d := v.Const.DType(); d == tensor.Float16 || d == tensor.BFloat16 {
		tol = 4e-3
	}
	return math.Abs(x-want) <= tol*math.Abs(want)
}

// Operands splits a binary node into the operand that is no constant of one number and that number.
func Operands(n *Node) (x *Value, c float64, ok bool) {
	if len(n.In) != 2 {
		return nil, 0, false
	}
	if c, ok := Scalar(n.In[1]); ok {
		return n.In[0], c, true
	}
	if c, ok := Scalar(n.In[0]); ok {
		return n.In[1], c, true
	}
	return nil, 0, false
}

// With is the other operand of a commutative binary node when one is a constant of one number near want, else nil.
func With(n *Node, want float64) *Value {
	if n == nil || len(n.In) != 2 {
		return nil
	}
	for i, v := range n.In {
		if IsScalar(v, want) {
			return n.In[1-i]
		}
	}
	return nil
}

// Other is the input of a binary node that is not v, nil when v is none of them or both.
func Other(n *Node, v *Value) *Value {
	switch {
	case n == nil || len(n.In) != 2 || n.In[0] == n.In[1]:
		return nil
	case n.In[0] == v:
		return n.In[1]
	case n.In[1] == v:
		return n.In[0]
	}
	return nil
}

// ReduceAxes are the axes of a reduction, from its attribute or constant input, counted from the end (-1 is the last) where
// the rank is known. ok is false when they are not known or keepdims is 0.
func ReduceAxes(n *Node) (axes []int64, ok bool) {
	if a, has := n.Attrs.Lookup("keepdims"); has && a.I == 0 {
		return nil, false
	}
	if a, has := n.Attrs.Lookup("axes"); has {
		axes = slices.Clone(a.Ints)
	} else if v := n.Arg(1); v != nil && v.Const != nil {
		ints, isInt := ConstInts(v.Const)
		if !isInt {
			return nil, false
		}
		axes = slices.Clone(ints)
	}
	if len(axes) == 0 {
		return nil, false
	}
	rank := int64(n.In[0].Spec.Rank())
	for i, x := range axes {
		if x >= 0 {
			if rank < 0 {
				return nil, false
			}
			axes[i] = x - rank
		}
	}
	slices.Sort(axes)
	return axes, true
}

// IntAttr is an int attribute of a node as the file has it, or def.
func (n *Node) IntAttr(name string, def int64) int64 {
	if a, ok := n.Attrs.Lookup(name); ok && a.Type == AttrInt {
		return a.I
	}
	return def
}

// FloatAttr is a float attribute of a node as the file has it, or def.
func (n *Node) FloatAttr(name string, def float32) float32 {
	if a, ok := n.Attrs.Lookup(name); ok && a.Type == AttrFloat {
		return a.F
	}
	return def
}

// StrAttr is a string attribute of a node as the file has it, or def.
func (n *Node) StrAttr(name, def string) string {
	if a, ok := n.Attrs.Lookup(name); ok && a.Type == AttrString {
		return a.S
	}
	return def
}

// IntsAttr is an ints attribute of a node as the file has it, nil when it is absent.
func (n *Node) IntsAttr(name string) []int64 {
	a, _ := n.Attrs.Lookup(name)
	return a.Ints
}

// IntA is an int attribute.
func IntA(name string, v int64) Attr { return Attr{Name: name, Type: AttrInt, I: v} }

// FloatA is a float attribute.
func FloatA(name string, v float32) Attr { return Attr{Name: name, Type: AttrFloat, F: v} }

// StrA is a string attribute.
func StrA(name, v string) Attr { return Attr{Name: name, Type: AttrString, S: v} }

// IntsA is an ints attribute.
func IntsA(name string, v ...int64) Attr { return Attr{Name: name, Type: AttrInts, Ints: v} }
