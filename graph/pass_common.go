package graph

import (
	"fmt"
	"strings"

	"github.com/qrun-onnx/qrun/tensor"
)

// shareBytes is the largest constant that is compared by content.
const shareBytes = 256

// shareCommon lets nodes of one graph that compute the same from the same share one result.
func shareCommon(g *Graph, pc *PassCtx) (changed int, err error) {
	consts := map[string]*Value{}
	first := map[string]*Node{}
	for n := range pc.Nodes(g) {
		for i, v := range n.In {
			if k, ok := constKey(v); ok {
				if consts[k] == nil {
					consts[k] = v
				}
				pc.SetIn(n, i, consts[k])
			}
		}
		k, ok := nodeKey(n)
		if !ok {
			continue
		}
		if f := first[k]; f == nil {
			first[k] = n
		} else if pc.sameOutputs(n, f) {
			changed++
		}
	}
	return changed, nil
}

// sameOutputs lets all read f's outputs instead of n's. Outputs of a graph stay, so n has to when it makes one.
func (pc *PassCtx) sameOutputs(n, f *Node) bool {
	for i, v := range n.Out {
		if v != nil && (pc.listed[v] > 0 || f.Out[i] == nil) {
			return false
		}
	}
	for i, v := range n.Out {
		if v != nil {
			pc.Use(v, f.Out[i])
		}
	}
	pc.Remove(n)
	return true
}

func constKey(v *Value) (string, bool) {
	if v == nil || v.Const == nil || v.Const.Kind() != tensor.KindTensor || v.Const.DType() == tensor.String || len(v.Const.Bytes()) > shareBytes {
		return "", false
	}
	return fmt.Sprintf("%v %x", v.Const.Spec(), v.Const.Bytes()), true
}

// nodeKey is equal for nodes with the same operator, attributes and inputs; ok is false for those that may not be shared.
func nodeKey(n *Node) (string, bool) {
	if !foldable(n) || len(n.In) == 0 {
		return "", false
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %d %d %d", n.Domain, n.Type, n.Since, n.Attrs.Opset, len(n.Out))
	for _, v := range n.In {
		fmt.Fprintf(&b, " %p", v)
	}
	for _, name := range n.Attrs.Names() {
		a, _ := n.Attrs.Lookup(name)
		switch a.Type {
		case AttrFloat, AttrInt, AttrString, AttrFloats, AttrInts, AttrStrings:
			fmt.Fprintf(&b, " %q=%d %b %d %q %b %d %q", a.Name, a.Type, a.F, a.I, a.S, a.Floats, a.Ints, a.Strings)
		default:
			return "", false
		}
	}
	return b.String(), true
}
