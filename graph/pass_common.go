package graph

import (
	varint "encoding/binary"
	"math"

	"github.com/qrun-onnx/qrun/tensor"
)

// shareBytes is the largest constant that is compared by content.
const shareBytes = 256

// shareCommon lets nodes of one graph that compute the same from the same share one result.
func shareCommon(g *Graph, pc *PassCtx) (changed int, err error) {
	consts := map[string]*Value{}
	first := make(map[string]*Node, len(g.Nodes))
	var key keyBuilder
	for n := range pc.Nodes(g) {
		for i, v := range n.In {
			if key.constant(v) {
				c := consts[string(key.b)]
				if c == nil {
					consts[string(key.b)], c = v, v
				}
				pc.SetIn(n, i, c)
			}
		}
		if !key.node(n) {
			continue
		}
		if f := first[string(key.b)]; f == nil {
			first[string(key.b)] = n
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

// keyBuilder makes keys that are equal for what computes the same.
type keyBuilder struct {
	b   []byte
	ids map[*Value]int
}

// constant makes the key of a small constant; ok is false for anything else.
func (k *keyBuilder) constant(v *Value) (ok bool) {
	if v == nil || v.Const == nil || v.Const.Kind() != tensor.KindTensor || v.Const.DType() == tensor.String || len(v.Const.Bytes()) > shareBytes {
		return false
	}
	k.b = append(k.b[:0], byte(v.Const.DType()))
	k.number(v.Const.Rank())
	for _, d := range v.Const.Shape() {
		k.number(d)
	}
	k.b = append(k.b, v.Const.Bytes()...)
	return true
}

// node makes a key of the operator, attributes and inputs; ok is false for a node that may not be shared.
func (k *keyBuilder) node(n *Node) (ok bool) {
	if !foldable(n) || len(n.In) == 0 {
		return false
	}
	k.b = k.b[:0]
	k.text(n.Domain)
	k.text(n.Type)
	k.number(n.Since)
	k.number(n.Attrs.Opset)
	k.number(len(n.Out))
	k.number(len(n.In))
	for _, v := range n.In {
		k.number(k.id(v))
	}
	for _, name := range n.Attrs.Names() {
		a, _ := n.Attrs.Lookup(name)
		switch a.Type {
		case AttrFloat, AttrInt, AttrString, AttrFloats, AttrInts, AttrStrings:
			k.attribute(a)
		default:
			return false
		}
	}
	return true
}

func (k *keyBuilder) attribute(a Attr) {
	k.text(a.Name)
	k.number(int(a.Type))
	k.number(int(math.Float32bits(a.F)))
	k.b = varint.AppendVarint(k.b, a.I)
	k.text(a.S)
	k.number(len(a.Floats))
	for _, f := range a.Floats {
		k.number(int(math.Float32bits(f)))
	}
	k.number(len(a.Ints))
	for _, i := range a.Ints {
		k.b = varint.AppendVarint(k.b, i)
	}
	k.number(len(a.Strings))
	for _, s := range a.Strings {
		k.text(s)
	}
}

func (k *keyBuilder) number(n int) { k.b = varint.AppendUvarint(k.b, uint64(n)) }

func (k *keyBuilder) text(s string) {
	k.number(len(s))
	k.b = append(k.b, s...)
}

// id numbers values, an absent one as 0.
func (k *keyBuilder) id(v *Value) int {
	if v == nil {
		return 0
	}
	if k.ids == nil {
		k.ids = map[*Value]int{}
	}
	n, ok := k.ids[v]
	if !ok {
		n = len(k.ids) + 1
		k.ids[v] = n
	}
	return n
}
