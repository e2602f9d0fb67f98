package graph

import (
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// fuseRotary makes qrun's Rotary of x*cos + turned(x)*sin over the last of four dimensions, where turned(x) is
// [-second half, first half], or with neighbours as pairs [-x1, x0, -x3, x2, ...]. A part behind the turned elements that
// is joined to them unchanged, and a Transpose of x that brings heads to the front, are taken in. Each element is computed
// as before, so that the bits stay.
func fuseRotary(g *Graph, pc *PassCtx) (changed int, err error) {
	if !pc.Has("qrun", "Rotary") {
		return 0, nil
	}
	for n := range pc.Nodes(g) {
		if !n.Is("Add") || len(n.In) != 2 || n.Out[0].Spec.Rank() != 4 || n.Out[0].Spec.DType != tensor.Float32 {
			continue
		}
		m, ok, err := pc.matchRotary(n)
		if err != nil {
			return changed, err
		}
		if !ok {
			continue
		}
		pc.restOfHead(&m)
		layout := pc.headsInFront(&m)
		attrs := []Attr{StrA("layout", layout), IntA("size", int64(m.size))}
		if m.interleaved {
			attrs = append(attrs, IntA("interleaved", 1))
		}
		fused, err := pc.Make(m.last, "qrun", "Rotary", []*Value{m.x, m.cos, m.sin}, m.last.Out, attrs...)
		if err != nil {
			return changed, err
		}
		pc.Replace(m.last, fused)
		changed++
	}
	return changed, nil
}

// rotaryMatch is a recognised rotary embedding, which ends at node last.
type rotaryMatch struct {
	x, cos, sin *Value
	size        int // elements that are turned
	interleaved bool
	last        *Node
	nodes       []*Node // that read x
}

// matchRotary recognises the sum n.
func (pc *PassCtx) matchRotary(n *Node) (m rotaryMatch, ok bool, err error) {
	for i := range n.In {
		plain, turned := pc.Only(n.In[i], "Mul"), pc.Only(n.In[1-i], "Mul")
		if plain == nil || turned == nil {
			continue
		}
		for k := range turned.In {
			m = rotaryMatch{sin: turned.In[1-k], last: n}
			if ok, err = pc.matchTurned(&m, turned.In[k]); err != nil {
				return m, false, err
			}
			if !ok {
				continue
			}
			if m.cos = Other(plain, m.x); m.cos == nil || !turnsBy(m.cos, m.size) || !turnsBy(m.sin, m.size) {
				continue
			}
			m.nodes = append(m.nodes, plain)
			return m, true, nil
		}
	}
	return m, false, nil
}

// turnsBy reports whether v is a table of cosines or sines for so many elements.
func turnsBy(v *Value, size int) bool {
	d := v.Spec.Dims
	return v.Spec.Ranked && v.Spec.DType == tensor.Float32 && len(d) >= 1 && len(d) <= 4 && d[len(d)-1].Size == size
}

// matchTurned recognises t as the turned elements of m.x.
func (pc *PassCtx) matchTurned(m *rotaryMatch, t *Value) (bool, error) {
	if r := pc.Only(t, "Reshape", "Flatten"); r != nil && r.In[0].Spec.Rank() == 5 {
		ok := pc.matchPairs(m, r)
		if !ok {
			return false, nil
		}
		m.interleaved = true
		return pc.sameExactShape(t, m.x)
	}
	cat := pc.Only(t, "Concat")
	if cat == nil || len(cat.In) != 2 || !lastAxis(cat, 4) {
		return false, nil
	}
	neg := pc.Only(cat.In[0], "Neg")
	if neg == nil {
		return false, nil
	}
	second, ok2 := pc.partOfLast(neg.In[0])
	first, ok1 := pc.partOfLast(cat.In[1])
	if !ok1 || !ok2 || first.x != second.x || first.x.Spec.Rank() != 4 || first.step != 1 || second.step != 1 {
		return false, nil
	}
	m.x, m.size = first.x, first.x.Spec.Dims[3].Size
	m.nodes = []*Node{first.node, second.node}
	half := m.size / 2
	return m.size > 0 && m.size%2 == 0 && first.from == 0 && first.to == half && second.from == half && second.to == m.size, nil
}

// matchPairs recognises a view r of four dimensions of pairs [-x1, x0] of m.x.
func (pc *PassCtx) matchPairs(m *rotaryMatch, r *Node) bool {
	cat := pc.step(r.In[0], "Concat")
	if cat == nil || len(cat.In) != 2 || !lastAxis(cat, 5) {
		return false
	}
	var parts [2]lastPart
	for i, v := range cat.In {
		u := pc.Only(v, "Unsqueeze")
		if u == nil || u.In[0].Spec.Rank() != 4 {
			return false
		}
		if axes := squeezed(u); !slices.Equal(axes, []int64{-1}) && !slices.Equal(axes, []int64{4}) {
			return false
		}
		x := u.In[0]
		if i == 0 {
			neg := pc.Only(x, "Neg")
			if neg == nil {
				return false
			}
			x = neg.In[0]
		}
		var ok bool
		if parts[i], ok = pc.partOfLast(x); !ok || parts[i].step != 2 || parts[i].from != 1-i {
			return false
		}
	}
	m.x = parts[0].x
	if m.x != parts[1].x || m.x.Spec.Rank() != 4 {
		return false
	}
	m.size = m.x.Spec.Dims[3].Size
	m.nodes = []*Node{parts[0].node, parts[1].node}
	return m.size > 0 && m.size%2 == 0 && parts[0].to == m.size && parts[1].to == m.size
}

func lastAxis(n *Node, rank int64) bool {
	axis := n.IntAttr("axis", 0)
	return axis == -1 || axis == rank-1
}

// lastPart is a range of the last dimension of x, its end within that.
type lastPart struct {
	x              *Value
	from, to, step int
	node           *Node
}

// partOfLast recognises v as part of the last dimension of another value.
func (pc *PassCtx) partOfLast(v *Value) (p lastPart, ok bool) {
	n := pc.Maker(v)
	if !n.Is("Slice", "Split") || !n.In[0].Spec.Ranked || n.In[0].Spec.Rank() < 1 {
		return p, false
	}
	x := n.In[0]
	rank := x.Spec.Rank()
	size := x.Spec.Dims[rank-1].Size
	if p = (lastPart{x: x, step: 1, node: n}); size < 1 {
		return p, false
	}
	if n.Type == "Split" {
		if !lastAxis(n, int64(rank)) {
			return p, false
		}
		for _, out := range n.Out {
			if out == nil || out.Spec.Rank() != rank || out.Spec.Dims[rank-1].Size < 0 {
				return p, false
			}
			if p.to = p.from + out.Spec.Dims[rank-1].Size; out == v {
				return p, true
			}
			p.from = p.to
		}
		return p, false
	}
	first, end, axis, step, ok := sliceSteps(n)
	if !ok || axis != -1 && axis != int64(rank-1) || first >= int64(size) || step > 2 {
		return p, false
	}
	p.from, p.to, p.step = int(first), int(min(end, int64(size))), int(step)
	return p, true
}

// restOfHead takes in what is joined behind the turned elements: the rest of a value whose first elements they are.
func (pc *PassCtx) restOfHead(m *rotaryMatch) {
	cat := pc.onlyReader(m.last.Out[0], m.last)
	if !cat.Is("Concat") || len(cat.In) != 2 || cat.In[0] != m.last.Out[0] || !lastAxis(cat, 4) {
		return
	}
	first, ok1 := pc.partOfLast(m.x)
	rest, ok2 := pc.partOfLast(cat.In[1])
	if !ok1 || !ok2 || first.x != rest.x || first.step != 1 || rest.step != 1 || first.from != 0 || first.to != m.size || rest.from != m.size ||
		rest.to != first.x.Spec.Dims[3].Size || !pc.readOnlyBy(m.x, m.nodes) {
		return
	}
	m.x, m.last, m.nodes = first.x, cat, []*Node{first.node, rest.node}
}

// headsInFront takes in a Transpose of x that exchanges its second and third dimensions, and returns the layout that x has.
func (pc *PassCtx) headsInFront(m *rotaryMatch) string {
	t := pc.MadeBy(m.x, "Transpose")
	if t == nil || !slices.Equal(permOf(t), []int64{0, 2, 1, 3}) || !pc.readOnlyBy(m.x, m.nodes) {
		return "bhsd"
	}
	m.x = t.In[0]
	return "bshd"
}

// readOnlyBy reports whether nothing but these nodes reads v, its shape aside.
func (pc *PassCtx) readOnlyBy(v *Value, nodes []*Node) bool {
	return pc.listed[v] == 0 && !slices.ContainsFunc(pc.readers[v], func(n *Node) bool { return !n.Is("Shape") && !slices.Contains(nodes, n) })
}
