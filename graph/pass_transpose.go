package graph

import (
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// fuseTransposes makes one Transpose of two in a row, or none where the second undoes the first.
func fuseTransposes(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		if !n.Is("Transpose") {
			continue
		}
		first := pc.MadeBy(n.In[0], "Transpose")
		if first == nil {
			continue
		}
		p, q := permOf(first), permOf(n)
		if p == nil || len(p) != len(q) {
			continue
		}
		perm := make([]int64, len(q))
		for i, k := range q {
			perm[i] = p[k]
		}
		if isIdentityPerm(perm) && pc.Bypass(n, first.In[0]) {
			changed++
			continue
		}
		m, err := pc.Make(n, "", "Transpose", []*Value{first.In[0]}, n.Out, IntsA("perm", perm...))
		if err != nil {
			return changed, err
		}
		pc.Replace(n, m)
		changed++
	}
	return changed, nil
}

// permOf is the permutation of a Transpose, nil when the default one depends on a rank that is not known.
func permOf(n *Node) []int64 {
	if perm := n.IntsAttr("perm"); perm != nil {
		return perm
	}
	rank := n.In[0].Spec.Rank()
	if rank < 0 {
		return nil
	}
	perm := make([]int64, rank)
	for i := range perm {
		perm[i] = int64(rank - 1 - i)
	}
	return perm
}

// swapsLastTwo reports whether a Transpose exchanges the last two dimensions and leaves the others.
func swapsLastTwo(n *Node) bool {
	perm := slices.Clone(permOf(n))
	k := len(perm)
	if k < 2 {
		return false
	}
	perm[k-1], perm[k-2] = perm[k-2], perm[k-1]
	return isIdentityPerm(perm)
}

// fuseReshapes lets a Reshape of a Reshape read the first one's input, when its target does not refer to the dimensions
// of its input.
func fuseReshapes(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		if !n.Is("Reshape") || len(n.In) != 2 {
			continue
		}
		first := pc.MadeBy(n.In[0], "Reshape", "Flatten", "Squeeze", "Unsqueeze")
		if first == nil || n.In[1].Const == nil {
			continue
		}
		dims, ok := ConstInts(n.In[1].Const)
		if !ok || n.In[1].Const.DType() != tensor.Int64 || slices.Contains(dims, 0) {
			continue
		}
		pc.SetIn(n, 0, first.In[0])
		changed++
	}
	return changed, nil
}
