package graph

import (
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// fuseAttention makes qrun's Attention of softmax(scale*Q*K^T + mask)*V over [batch, heads, seq, size]. The Transposes that
// bring the heads of Q, K, V and the result to the front are taken in: the operator reads and writes [batch, seq, heads,
// size] in place, and the Reshapes around them, which are views, stay. So nothing has to be proven about shapes but the
// number of heads. The scale may stand on the scores or on Q and K; as one factor of the scores it is rounded otherwise,
// which is the only difference of the results.
func fuseAttention(g *Graph, pc *PassCtx) (changed int, err error) {
	if !pc.Has("qrun", "Attention") {
		return 0, nil
	}
	for n := range pc.Nodes(g) {
		a, ok, err := pc.matchAttention(n)
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
	mask    *Value
	scale   float64
	nanZero bool
	yLayout string
	last    *Node
}

// headOperand is where an operand of an attention comes from.
type headOperand struct {
	v      *Value // nil: reshaped from packed
	layout string
	packed *Value // [batch, seq, parts, heads, size], of which part is read
	part   int
	heads  int
}

// matchAttention recognises the product of probabilities and values.
func (pc *PassCtx) matchAttention(n *Node) (a attentionMatch, ok bool, err error) {
	if !n.Is("MatMul") || n.In[0].Spec.DType != tensor.Float32 {
		return a, false, nil
	}
	a = attentionMatch{scale: 1, yLayout: "bhsd", last: n}
	soft := pc.probabilities(n.In[0], &a)
	if soft == nil || !overLastAxis(soft) {
		return a, false, nil
	}
	product := pc.scores(soft.In[0], &a)
	if product == nil {
		return a, false, nil
	}
	for _, x := range []struct {
		o       *headOperand
		v       *Value
		layouts map[string]string
	}{{&a.q, product.In[0], rowLayouts}, {&a.k, product.In[1], keyLayouts}, {&a.v, n.In[1], rowLayouts}} {
		factor := 1.0
		if *x.o, factor, ok, err = pc.headOperand(x.v, x.layouts, x.o != &a.v); err != nil || !ok {
			return a, false, err
		}
		a.scale *= factor
	}
	if a.q.heads < 1 || a.k.heads != a.q.heads || a.v.heads != a.q.heads || a.scale == 0 || !maskOfHeads(a.mask, a.q.heads) {
		return a, false, nil
	}
	if t := pc.onlyReader(n.Out[0], n); t.Is("Transpose") && slices.Equal(permOf(t), []int64{0, 2, 1, 3}) {
		a.yLayout, a.last = "bshd", t
	}
	return a, true, nil
}

// probabilities is the Softmax that makes p, also where its rows of NaN are set to zero after it.
func (pc *PassCtx) probabilities(p *Value, a *attentionMatch) *Node {
	w := pc.Only(p, "Where")
	if w == nil {
		return pc.Only(p, "Softmax")
	}
	s := w.In[2]
	test := pc.Only(w.In[0], "IsNaN")
	if test == nil || test.In[0] != s || !IsScalar(w.In[1], 0) || len(pc.readers[s]) != 2 || pc.listed[s] > 0 {
		return nil
	}
	a.nanZero = true
	return pc.MadeBy(s, "Softmax")
}

// overLastAxis reports whether a Softmax is one of each row of four dimensions.
func overLastAxis(n *Node) bool {
	def := int64(-1)
	if n.Attrs.Opset < 13 {
		def = 1
	}
	axis := n.IntAttr("axis", def)
	return n.In[0].Spec.Rank() == 4 && (axis == -1 || axis == 3)
}

// scores is the product of queries and keys whose scaled and masked result is x.
func (pc *PassCtx) scores(x *Value, a *attentionMatch) *Node {
	if m := pc.scaledProduct(x, a); m != nil {
		return m
	}
	add := pc.Only(x, "Add")
	if add == nil || len(add.In) != 2 {
		return nil
	}
	for i, mask := range add.In {
		if mask.Spec.DType != tensor.Float32 || !mask.Spec.Ranked || len(mask.Spec.Dims) > 4 {
			continue
		}
		if m := pc.scaledProduct(add.In[1-i], a); m != nil {
			a.mask = mask
			return m
		}
	}
	return nil
}

func (pc *PassCtx) scaledProduct(x *Value, a *attentionMatch) *Node {
	scale := 1.0
	for n := pc.Only(x, "Mul", "Div"); n != nil; n = pc.Only(x, "Mul", "Div") {
		y, c, ok := factor(n)
		if !ok {
			return nil
		}
		x, scale = y, scale*c
	}
	m := pc.Only(x, "MatMul")
	if m == nil || x.Spec.Rank() != 4 {
		return nil
	}
	a.scale *= scale
	return m
}

// factor is what a Mul or Div by a number multiplies, and by how much.
func factor(n *Node) (x *Value, c float64, ok bool) {
	x, c, ok = Operands(n)
	if !ok || n.Out[0].Spec.Rank() != x.Spec.Rank() || x.Spec.Rank() < 0 {
		return nil, 0, false
	}
	if n.Type == "Mul" {
		return x, c, true
	}
	return x, 1 / c, x == n.In[0] && c != 0
}

// The layouts of an operand, by how the product's operand is a transpose of it.
var (
	rowLayouts = map[string]string{"0123": "bhsd", "0213": "bshd"}
	keyLayouts = map[string]string{"0132": "bhsd", "0231": "bshd", "0123": "bhds"}
)

// headOperand finds the value that an operand of a product is a transpose of, and the factor that it is multiplied with.
func (pc *PassCtx) headOperand(v *Value, layouts map[string]string, scaled bool) (o headOperand, scale float64, ok bool, err error) {
	scale = 1
	perm := []int64{0, 1, 2, 3}
	for v.Spec.Rank() == 4 {
		if layout := layouts[permKey(perm)]; layout != "" {
			o, ok = headOperand{v: v, layout: layout}, true
		}
		next, p, c, err := pc.headStep(v, scaled)
		if err != nil {
			return o, scale, false, err
		}
		if next == nil {
			break
		}
		q := make([]int64, 4)
		for i, k := range perm {
			q[i] = p[k]
		}
		v, perm, scale = next, q, scale*c
	}
	if !ok || o.v != v {
		return o, scale, false, nil
	}
	at := 1
	if o.layout == "bshd" {
		at = 2
	}
	o.heads = v.Spec.Dims[at].Size
	if o.layout == "bhsd" {
		pc.packedOperand(&o)
	}
	return o, scale, true, nil
}

func permKey(perm []int64) string {
	b := make([]byte, len(perm))
	for i, k := range perm {
		b[i] = '0' + byte(k)
	}
	return string(b)
}

// headStep is what v is a transpose, or with scaled a multiple, of.
func (pc *PassCtx) headStep(v *Value, scaled bool) (x *Value, perm []int64, c float64, err error) {
	same := []int64{0, 1, 2, 3}
	if n := pc.MadeBy(v, "Mul", "Div"); n != nil && scaled {
		if x, c, ok := factor(n); ok {
			return x, same, c, nil
		}
	}
	if n := pc.MadeBy(v, "Transpose"); n != nil {
		return n.In[0], permOf(n), 1, nil
	}
	x, err = pc.flatTransposed(v)
	return x, []int64{0, 1, 3, 2}, 1, err
}

// flatTransposed recognises the exchange of the last two dimensions of four between two Reshapes, as [batch*heads, seq,
// size], and returns what is transposed.
func (pc *PassCtx) flatTransposed(v *Value) (*Value, error) {
	after := pc.MadeBy(v, "Reshape")
	if after == nil {
		return nil, nil
	}
	t := pc.MadeBy(after.In[0], "Transpose")
	if t == nil || !slices.Equal(permOf(t), []int64{0, 2, 1}) {
		return nil, nil
	}
	before := pc.MadeBy(t.In[0], "Reshape")
	if before == nil || before.In[0].Spec.Rank() != 4 {
		return nil, nil
	}
	x, okX, err := pc.exactDims(before.In[0])
	if err != nil {
		return nil, err
	}
	flat, okFlat, _ := pc.exactDims(before.Out[0])
	y, okY, _ := pc.exactDims(v)
	if !okX || !okFlat || !okY || !sameExact(flat[1:], x[2:]) || !sameExact(y, []tensor.Dim{x[0], x[1], x[3], x[2]}) {
		return nil, nil
	}
	return before.In[0], nil
}

// packedOperand recognises an operand that is one part of a Transpose of [batch, seq, parts, heads, size] to [parts, batch,
// heads, seq, size].
func (pc *PassCtx) packedOperand(o *headOperand) {
	part, x, ok := pc.partOf(o.v)
	if !ok {
		return
	}
	t := pc.MadeBy(x, "Transpose")
	if t == nil || !slices.Equal(permOf(t), []int64{2, 0, 3, 1, 4}) || t.In[0].Spec.Rank() != 5 {
		return
	}
	dims := t.In[0].Spec.Dims[2:]
	if dims[0].Size < 1 || dims[1].Size != o.heads || dims[2].Size < 1 {
		return
	}
	if part < 0 {
		part += dims[0].Size
	}
	if part < 0 || part >= dims[0].Size {
		return
	}
	o.v, o.packed, o.part, o.layout = nil, t.In[0], part, "bshd"
}

// partOf recognises v as entry part of x along its first dimension.
func (pc *PassCtx) partOf(v *Value) (part int, x *Value, ok bool) {
	if n := pc.MadeBy(v, "Gather"); n != nil && n.IntAttr("axis", 0) == 0 {
		i, ok := Scalar(n.In[1])
		return int(i), n.In[0], ok && n.In[1].Spec.Rank() == 0
	}
	sq := pc.MadeBy(v, "Squeeze")
	if sq == nil || sq.In[0].Spec.Rank() != 5 || v.Spec.Rank() != 4 || !squeezesFirst(sq) {
		return 0, nil, false
	}
	n := pc.MadeBy(sq.In[0], "Slice")
	if n == nil {
		return 0, nil, false
	}
	var ranges [3]int64 // starts, ends, axes
	for i, name := range []string{"starts", "ends", "axes"} {
		list := n.IntsAttr(name)
		if c := n.Arg(i + 1); c != nil && c.Const != nil {
			list, _ = ConstInts(c.Const)
		}
		if len(list) != 1 {
			return 0, nil, false
		}
		ranges[i] = list[0]
	}
	step, hasStep := Scalar(n.Arg(4))
	ok = ranges[2] == 0 && ranges[0] >= 0 && ranges[1] == ranges[0]+1 && (n.Arg(4) == nil || hasStep && step == 1)
	return int(ranges[0]), n.In[0], ok
}

func squeezesFirst(n *Node) bool {
	axes := n.IntsAttr("axes")
	if c := n.Arg(1); c != nil && c.Const != nil {
		axes, _ = ConstInts(c.Const)
	}
	return slices.Equal(axes, []int64{0}) || slices.Equal(axes, []int64{-5})
}

// maskOfHeads reports whether the sum with the mask leaves the number of heads as it is.
func maskOfHeads(mask *Value, heads int) bool {
	if mask == nil || len(mask.Spec.Dims) < 3 || heads > 1 {
		return true
	}
	return mask.Spec.Dims[len(mask.Spec.Dims)-3].Size == 1
}

// emitAttention puts the operator in the place of what was recognised.
func (pc *PassCtx) emitAttention(a attentionMatch) error {
	attrs := []Attr{FloatA("scale", float32(a.scale)), IntA("num_heads", int64(a.q.heads)), StrA("y_layout", a.yLayout)}
	if a.nanZero {
		attrs = append(attrs, IntA("nan_zero", 1))
	}
	in := make([]*Value, 3, 4)
	for i, o := range []headOperand{a.q, a.k, a.v} {
		name := string("qkv"[i])
		attrs = append(attrs, StrA(name+"_layout", o.layout))
		if in[i] = o.v; o.packed == nil {
			continue
		}
		v, err := pc.mergeParts(a.last, o)
		if err != nil {
			return err
		}
		in[i] = v
		attrs = append(attrs, IntA(name+"_first", int64(o.part*o.heads)))
	}
	m, err := pc.Make(a.last, "qrun", "Attention", append(in, a.mask), a.last.Out, attrs...)
	if err != nil {
		return err
	}
	pc.Replace(a.last, m)
	return nil
}

// mergeParts is a packed operand as [batch, seq, parts*heads, size].
func (pc *PassCtx) mergeParts(at *Node, o headOperand) (*Value, error) {
	d := o.packed.Spec.Dims
	shape, err := tensor.Of([]int64{0, 0, int64(d[2].Size * d[3].Size), int64(d[4].Size)}, 4)
	if err != nil {
		return nil, err
	}
	spec := tensor.Ranked(tensor.Float32, []tensor.Dim{d[0], d[1], tensor.Fixed(d[2].Size * d[3].Size), d[4]})
	v := pc.NewValue(o.packed.Name+"_heads", spec, nil)
	m, err := pc.Make(at, "", "Reshape", []*Value{o.packed, pc.NewValue("heads_shape", tensor.Spec{}, shape)}, []*Value{v})
	if err != nil {
		return nil, err
	}
	m.Name = at.Name + "/" + v.Name
	pc.Insert(at, m)
	return v, nil
}
