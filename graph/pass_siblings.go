package graph

import "strings"

const (
	maxSiblings    = 4  // products in one node
	siblingsWithin = 24 // nodes of the graph between the first and the last of them: their results live side by side
)

// joinSiblings makes one node of the products of one value with constant weights, as those that make queries, keys and
// values, or gate and values: their parts are spread over the goroutines together, each computed as before. Biases are
// constants, and there are no residuals.
func joinSiblings(g *Graph, pc *PassCtx) (changed int, err error) {
	first := map[*Value][]*Node{}
	at := map[*Node]int{}
	var order []*Value
	for i, n := range g.Nodes {
		if !pc.gone[n] && pc.joinable(n) {
			if first[n.In[0]] == nil {
				order = append(order, n.In[0])
			}
			first[n.In[0]] = append(first[n.In[0]], n)
			at[n] = i
		}
	}
	for _, x := range order {
		list := first[x]
		for len(list) > 1 {
			k := 1
			for k < min(len(list), maxSiblings) && list[k].Type == list[0].Type && sameActivation(list[0], list[k]) && at[list[k]]-at[list[0]] <= siblingsWithin {
				k++
			}
			if k > 1 && pc.Has("qrun", list[0].Type+"s") {
				if err := pc.emitSiblings(list[:k]); err != nil {
					return changed, err
				}
				changed++
			}
			list = list[k:]
		}
	}
	return changed, nil
}

// siblingInputs are the inputs of a linear layer that all of its siblings have, and the number of those of its own.
func siblingInputs(op string) (common, own int) {
	if op == "QLinear" {
		return 4, 4 // Q, scale, zero, sum; W, wscale, wzero, bias
	}
	return 1, 2 // A; B, bias
}

func (pc *PassCtx) joinable(n *Node) bool {
	if n.Domain != "qrun" || n.Type != "FusedMatMul" && n.Type != "QLinear" || len(n.Out) != 1 {
		return false
	}
	common, own := siblingInputs(n.Type)
	if len(n.In) > common+own || n.IntAttr("transA", 0) != 0 || n.FloatAttr("alpha", 1) == 0 {
		return false
	}
	for _, v := range n.In[common:] {
		if v != nil && v.Const == nil {
			return false
		}
	}
	return n.In[common].Const.Rank() == 2 && n.In[common].Const.Len() > 0
}

// sameActivation reports whether siblings read the same quantized value.
func sameActivation(a, b *Node) bool {
	common, _ := siblingInputs(a.Type)
	for i := range common {
		if a.In[i] != b.In[i] {
			return false
		}
	}
	return true
}

func (pc *PassCtx) emitSiblings(list []*Node) error {
	op := list[0].Type
	common, own := siblingInputs(op)
	in := append([]*Value{}, list[0].In[:common]...)
	trans, alphas := Attr{Name: "transB", Type: AttrInts}, Attr{Name: "alpha", Type: AttrFloats}
	acts, names := Attr{Name: "activation", Type: AttrStrings}, Attr{Name: "nodes", Type: AttrStrings}
	p0, p1 := Attr{Name: "p0", Type: AttrFloats}, Attr{Name: "p1", Type: AttrFloats}
	repeats := Attr{Name: "repeats", Type: AttrInts}
	var repeat []int64
	var out []*Value
	for _, n := range list {
		part := make([]*Value, own)
		copy(part, n.In[common:])
		in, out = append(in, part...), append(out, n.Out[0])
		trans.Ints, alphas.Floats = append(trans.Ints, n.IntAttr("transB", 0)), append(alphas.Floats, n.FloatAttr("alpha", 1))
		acts.Strings, names.Strings = append(acts.Strings, n.StrAttr("activation", "")), append(names.Strings, n.Name)
		p0.Floats, p1.Floats = append(p0.Floats, n.FloatAttr("p0", 0)), append(p1.Floats, n.FloatAttr("p1", 0))
		r := n.IntsAttr("repeat")
		repeats.Ints = append(repeats.Ints, int64(len(r)))
		repeat = append(repeat, r...)
	}
	attrs := []Attr{trans, alphas, acts, names, p0, p1}
	if len(repeat) > 0 {
		attrs = append(attrs, repeats, IntsA("repeat", repeat...))
	}
	m, err := pc.Make(list[0], "qrun", op+"s", in, out, attrs...)
	if err != nil {
		return err
	}
	m.Name = strings.Join(names.Strings, " + ")
	m.Attrs.Name = m.Name
	pc.Insert(list[0], m)
	for _, n := range list {
		pc.Remove(n)
	}
	return nil
}
