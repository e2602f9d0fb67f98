package graph

import (
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// fuseAttention makes qrun's Attention of softmax(min(scale*Q*K^T + mask, limit))*V over [batch, heads, seq, size]. The
// Transposes that bring the heads of Q, K, V and the result to the front are taken in: the operator reads and writes
// [batch, seq, heads, size] in place, and the Reshapes around them, which are views, stay. So nothing has to be proven
// about shapes: the operator broadcasts as the products do. The scale may stand on the scores or on Q and K; as one factor
// of the scores it is rounded otherwise, which is the only difference of the results.
func fuseAttention(g *Graph, pc *PassCtx) (changed int, err error) {
	if !pc.Has("qrun", "Attention") {
		return 0, nil
	}
	for n := range pc.Nodes(g) {
		if !n.Is("MatMul") || n.In[0].Spec.DType != tensor.Float32 {
			continue
		}
		var a attentionMatch
		var ok bool
		switch n.In[0].Spec.Rank() {
		case 4:
			a, ok, err = pc.matchAttention(n)
		case 3:
			if a, ok, err = pc.matchFlatAttention(n); err == nil && !ok {
				a, ok, err = pc.matchHeadsAttention(n)
			}
		}
		if err != nil {
			return changed, err
		}
		if !ok {
			continue
		}
		if err := pc.emitAttention(a); err != nil {
			return changed, err
		}
		changed++
	}
	return changed, nil
}

// attentionMatch is a recognised attention, which ends at node last.
type attentionMatch struct {
	q, k, v headOperand
	scores  scoreChain
	nanZero bool
	yLayout string
	last    *Node
	lift    bool // all is of three dimensions, to which one of 1 is put in front
}

// matchAttention recognises the product of probabilities and values of four dimensions.
func (pc *PassCtx) matchAttention(n *Node) (a attentionMatch, ok bool, err error) {
	a = attentionMatch{yLayout: "bhsd", last: n}
	soft := pc.probabilities(n.In[0], &a)
	if soft == nil || !overLastAxis(soft, 4) {
		return a, false, nil
	}
	if a.scores, ok, err = pc.scoresOf(soft.In[0], 4); err != nil || !ok || a.scores.flat {
		return a, false, err
	}
	if ok, err = pc.operands(&a, n, &headWalk{}); err != nil || !ok {
		return a, false, err
	}
	if t := pc.onlyReader(n.Out[0], n); t.Is("Transpose") && slices.Equal(permOf(t), []int64{0, 2, 1, 3}) {
		a.yLayout, a.last = "bshd", t
	}
	return a, true, nil
}

// matchFlatAttention recognises the same over [batch*heads, seq, size], which Reshapes make of four dimensions, the mask
// being added to four in between or to three of all alike.
func (pc *PassCtx) matchFlatAttention(n *Node) (a attentionMatch, ok bool, err error) {
	a = attentionMatch{yLayout: "bhsd"}
	p, narrow := n.In[0], (*Value)(nil)
	if r := pc.step(p, "Reshape"); r != nil && r.In[0].Spec.Rank() == 4 {
		p, narrow = r.In[0], p
	}
	soft := pc.probabilities(p, &a)
	if soft == nil || !overLastAxis(soft, p.Spec.Rank()) {
		return a, false, nil
	}
	if a.scores, ok, err = pc.scoresOf(soft.In[0], 3); err != nil || !ok {
		return a, false, err
	}
	w := &headWalk{flat: true}
	if ok, err = pc.operands(&a, n, w); err != nil || !ok {
		return a, false, err
	}
	if narrow != nil {
		if a.scores.wide == nil || a.scores.narrow != nil {
			return a, false, nil
		}
		if same, err := pc.joinsFirstTwo(a.scores.wide, narrow); err != nil || !same {
			return a, false, err
		}
	}
	if a.scores.wide != nil {
		if wide, ok, _ := pc.exactDims(a.scores.wide); !ok || !sameExact(wide[:2], w.heads) {
			return a, false, nil
		}
	}
	if !a.scores.alike() {
		return a, false, nil
	}
	y := pc.onlyReader(n.Out[0], n)
	if !y.Is("Reshape") || y.Out[0].Spec.Rank() != 4 {
		return a, false, nil
	}
	if wide, ok, err := pc.exactDims(y.Out[0]); err != nil || !ok || !sameExact(wide[:2], w.heads) {
		return a, false, err
	}
	a.last = y
	if t := pc.onlyReader(y.Out[0], y); t.Is("Transpose") && slices.Equal(permOf(t), []int64{0, 2, 1, 3}) {
		a.yLayout, a.last = "bshd", t
	}
	return a, true, nil
}

// matchHeadsAttention recognises the same over [heads, seq, size], each of three dimensions.
func (pc *PassCtx) matchHeadsAttention(n *Node) (a attentionMatch, ok bool, err error) {
	a = attentionMatch{yLayout: "bhsd", last: n, lift: true}
	soft := pc.probabilities(n.In[0], &a)
	if soft == nil || !overLastAxis(soft, 3) {
		return a, false, nil
	}
	if a.scores, ok, err = pc.scoresOf(soft.In[0], 3); err != nil || !ok || a.scores.wide != nil {
		return a, false, err
	}
	if ok, err = pc.operands(&a, n, &headWalk{lift: true}); err != nil || !ok {
		return a, false, err
	}
	if t := pc.onlyReader(n.Out[0], n); t.Is("Transpose") && slices.Equal(permOf(t), []int64{1, 0, 2}) {
		a.yLayout, a.last = "bshd", t
	}
	return a, true, nil
}

// operands finds where the queries, keys and values of the product n come from.
func (pc *PassCtx) operands(a *attentionMatch, n *Node, w *headWalk) (ok bool, err error) {
	for _, x := range []struct {
		o       *headOperand
		v       *Value
		layouts map[string]string
	}{{&a.q, a.scores.product.In[0], rowLayouts}, {&a.k, a.scores.product.In[1], keyLayouts}, {&a.v, n.In[1], rowLayouts}} {
		if *x.o, ok, err = pc.headOperand(x.v, x.layouts, x.o != &a.v, w); err != nil || !ok {
			return false, err
		}
	}
	if a.q.repeats > 0 || a.k.repeats != a.v.repeats || a.k.repeats > 0 && (a.k.heads != a.v.heads || a.q.heads != a.k.heads*a.k.repeats) {
		return false, nil
	}
	// Packed heads have to be as many as the others.
	if a.q.packed != nil || a.k.packed != nil || a.v.packed != nil {
		ok = a.q.heads > 0 && a.k.heads == a.q.heads && a.v.heads == a.q.heads
	}
	return ok && a.scale() != 0, nil
}

func (a *attentionMatch) scale() float64 { return a.scores.scale * a.q.scale * a.k.scale }

// probabilities is the Softmax that makes p, also where its rows of NaN are set to zero after it.
func (pc *PassCtx) probabilities(p *Value, a *attentionMatch) *Node {
	w := pc.step(p, "Where")
	if w == nil {
		return pc.step(p, "Softmax")
	}
	s := w.In[2]
	test := pc.Only(w.In[0], "IsNaN")
	if test == nil || test.In[0] != s || !IsScalar(w.In[1], 0) || len(pc.readers[s]) != 2 || pc.listed[s] > 0 {
		return nil
	}
	a.nanZero = true
	return pc.MadeBy(s, "Softmax")
}

// overLastAxis reports whether a Softmax is one of each row of so many dimensions.
func overLastAxis(n *Node, rank int) bool {
	def := int64(-1)
	if n.Attrs.Opset < 13 {
		def = 1
	}
	axis := n.IntAttr("axis", def)
	return n.In[0].Spec.Rank() == rank && (axis == -1 || axis == int64(rank-1))
}

// emitAttention puts the operator in the place of what was recognised.
func (pc *PassCtx) emitAttention(a attentionMatch) error {
	attrs := []Attr{FloatA("scale", float32(a.scale())), StrA("y_layout", a.yLayout)}
	if a.q.packed != nil || a.k.packed != nil || a.v.packed != nil {
		attrs = append(attrs, IntA("num_heads", int64(a.q.heads)))
	}
	if a.nanZero {
		attrs = append(attrs, IntA("nan_zero", 1))
	}
	in := make([]*Value, 5)
	for i, o := range []headOperand{a.q, a.k, a.v} {
		name := string("qkv"[i])
		attrs = append(attrs, StrA(name+"_layout", o.layout))
		if o.packed != nil {
			attrs = append(attrs, IntA(name+"_first", int64(o.part*o.heads)))
		}
		var err error
		if in[i], err = pc.operandValue(a.last, o, a.lift); err != nil {
			return err
		}
	}
	var err error
	if in[3], in[4], err = pc.emitMasks(a.last, a.scores); err != nil {
		return err
	}
	if !a.lift {
		m, err := pc.Make(a.last, "qrun", "Attention", in, a.last.Out, attrs...)
		if err == nil {
			pc.Replace(a.last, m)
		}
		return err
	}
	y := pc.NewValue(a.last.Out[0].Name+"_heads", tensor.Spec{}, nil)
	m, err := pc.Make(a.last, "qrun", "Attention", in, []*Value{y}, attrs...)
	if err != nil {
		return err
	}
	pc.Insert(a.last, m)
	back, err := pc.Make(a.last, "", "Squeeze", []*Value{y, pc.ints("axes", 0)}, a.last.Out)
	if err != nil {
		return err
	}
	pc.Replace(a.last, back)
	return nil
}

// ints is a constant list of integers.
func (pc *PassCtx) ints(name string, v ...int64) *Value {
	t, err := tensor.Of(v, len(v))
	if err != nil {
		panic(err) // the shape is that of the list
	}
	return pc.NewValue(name, tensor.Spec{}, t)
}
