package graph

import (
	"cmp"
	"maps"
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// orHint is what inference found, filled up from what the file or an earlier inference said: a declared size never
// replaces a dimension that inference left open, since files with stale sizes are common; a declared symbol names it.
func orHint(s, hint tensor.Spec) tensor.Spec {
	if s.Kind == tensor.KindTensor && s.DType == tensor.Undefined && !s.Ranked {
		return hint
	}
	if s.Kind != hint.Kind {
		return s
	}
	if s.Kind != tensor.KindTensor {
		if s.Elem == nil {
			s.Elem = hint.Elem
		}
		return s
	}
	if s.DType == tensor.Undefined {
		s.DType = hint.DType
	}
	if !s.Ranked {
		s.Ranked, s.Dims = hint.Ranked, hint.Dims
		return s
	}
	if len(s.Dims) != len(hint.Dims) {
		return s
	}
	cloned := false
	for i, d := range s.Dims {
		if h := hint.Dims[i]; d.Size < 0 && d.Name == "" && h.Size < 0 && h.Name != "" {
			if !cloned {
				s.Dims, cloned = slices.Clone(s.Dims), true
			}
			s.Dims[i] = h
		}
	}
	return s
}

// intsTensor is the tensor of fully known integers, nil where one is not known or the spec is none for them.
func intsTensor(s tensor.Spec, dims []tensor.Dim) *tensor.Tensor {
	shape, ok := s.Shape()
	if !ok || len(shape) > 1 {
		return nil
	}
	if n, err := tensor.Count(shape); err != nil || n != len(dims) {
		return nil
	}
	vals := make([]int64, len(dims))
	for i, d := range dims {
		if d.Size < 0 {
			return nil
		}
		vals[i] = int64(d.Size)
	}
	switch s.DType {
	case tensor.Int64:
		t, err := tensor.Of(vals, shape...)
		if err != nil {
			return nil
		}
		return t
	case tensor.Int32:
		t, err := tensor.New(tensor.Int32, shape...)
		if err != nil {
			return nil
		}
		v := tensor.View[int32](t)
		for i, x := range vals {
			if x > 1<<31-1 {
				return nil
			}
			v[i] = int32(x)
		}
		return t
	}
	return nil
}

// nodeError adds a node and what is known of its inputs to an operator's error.
func nodeError(n *Node, k Known, err error) *NodeError {
	e := &NodeError{Node: n.Name, Op: qualified(n.Domain, n.Type), Err: err}
	for _, v := range n.In {
		switch {
		case v == nil:
			e.Inputs = append(e.Inputs, "(absent)")
		default:
			e.Inputs = append(e.Inputs, cmp.Or(v.Name, "?")+" "+k.Spec(v).String())
		}
	}
	return e
}

// bodyNames lists a node's bodies in a fixed order.
func bodyNames(n *Node) []string {
	if len(n.Bodies) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(n.Bodies))
}

// Spec implements Known with what the values carry.
func (g *Graph) Spec(v *Value) tensor.Spec { return v.Spec }

// Const implements Known with the constants.
func (g *Graph) Const(v *Value) *tensor.Tensor { return v.Const }
