package graph

import (
	"fmt"
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// sameExactShape reports whether two values of the model's graph have equal shapes in every run. Symbols of the file do
// not prove that, since files give one name to different dimensions; the proof is that both shapes come from the same
// dimensions of the same values.
func (pc *PassCtx) sameExactShape(a, b *Value) (bool, error) {
	if sameShape(a.Spec, b.Spec) {
		return true, nil
	}
	x, okX, err := pc.exactDims(a)
	if err != nil {
		return false, err
	}
	y, okY, err := pc.exactDims(b)
	return okX && okY && sameExact(x, y), err
}

// exactDims are the dimensions of a value of the model's graph, with symbols that are equal only where the dimensions are
// in every run.
func (pc *PassCtx) exactDims(v *Value) (dims []tensor.Dim, ok bool, err error) {
	if pc.exact == nil {
		e := newInference(false, nil)
		e.specs, e.distinct = make(map[*Value]tensor.Spec, len(pc.known.specs)), true
		if err := e.graph(pc.root, distinctSymbols(pc.root.Inputs), nil); err != nil {
			return nil, false, err
		}
		pc.exact = e
	}
	s, ok := pc.exact.specs[v]
	return s.Dims, ok && s.Ranked, nil
}

// sameExact reports whether dimensions that exactDims found are equal in every run.
func sameExact(a, b []tensor.Dim) bool {
	return slices.EqualFunc(a, b, func(x, y tensor.Dim) bool { return x == y && (x.Size >= 0 || x.Name != "") })
}

// distinctSymbols are the specs of inputs with a name of its own for each dimension that is open.
func distinctSymbols(inputs []*Value) []tensor.Spec {
	specs := make([]tensor.Spec, len(inputs))
	for i, v := range inputs {
		specs[i] = v.Spec
		specs[i].Dims = slices.Clone(v.Spec.Dims)
		for k, d := range specs[i].Dims {
			if d.Size < 0 {
				specs[i].Dims[k].Name = fmt.Sprintf("%d.%d", i, k)
			}
		}
	}
	return specs
}

// sameShape reports whether two specs are surely of the same shape. Symbols do not count: one name may stand for
// different sizes.
func sameShape(a, b tensor.Spec) bool {
	if !a.Ranked || !b.Ranked || len(a.Dims) != len(b.Dims) {
		return false
	}
	for i, d := range a.Dims {
		if d.Size < 0 || d.Size != b.Dims[i].Size {
			return false
		}
	}
	return true
}

// sizesKept is the list x of sizes of Where(x == c, ones, x) with negative numbers c, as PyTorch writes expand(): no size is
// negative, so that all of x is kept. Else nil.
func (pc *PassCtx) sizesKept(n *Node) *Value {
	x := n.Arg(2)
	eq := pc.MadeBy(n.In[0], "Equal")
	if eq == nil || n.In[1].Const == nil || x.Const != nil || x.Spec.DType != tensor.Int64 || x.Spec.Rank() != 1 || n.In[1].Const.Rank() > 1 {
		return nil
	}
	c := Other(eq, x)
	if c == nil || c.Const == nil || c.Const.Rank() > 1 {
		return nil
	}
	for _, t := range []*tensor.Tensor{c.Const, n.In[1].Const} {
		if t.Len() != 1 && t.Len() != x.Spec.Dims[0].Size {
			return nil
		}
	}
	list, ok := ConstInts(c.Const)
	if !ok || slices.ContainsFunc(list, func(i int64) bool { return i >= 0 }) || !pc.isSizes(x, 8) {
		return nil
	}
	return x
}

// isSizes reports whether no element of v is negative, since all come from shapes and from constants, at most that many
// nodes away.
func (pc *PassCtx) isSizes(v *Value, depth int) bool {
	if v.Const != nil {
		list, ok := ConstInts(v.Const)
		return ok && !slices.ContainsFunc(list, func(i int64) bool { return i < 0 })
	}
	m := pc.MadeBy(v, "Shape", "Gather", "Slice", "Squeeze", "Unsqueeze", "Reshape", "Concat")
	switch {
	case m == nil || depth == 0:
		return false
	case m.Type == "Shape":
		return true
	case m.Type == "Concat":
		return !slices.ContainsFunc(m.In, func(x *Value) bool { return !pc.isSizes(x, depth-1) })
	}
	return pc.isSizes(m.In[0], depth-1)
}
