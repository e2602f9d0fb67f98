package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// multiHead is com.microsoft's MultiHeadAttention.
//
//	inputs  query, key?, value?, bias?, mask?, attention bias?, past key?, past value?
//	outputs [batch, seq, v], present key, present value [batch, heads, past+keys, size]
//
// The query is [batch, seq, q], or [batch, seq, heads, 3, size] with all three in it; the key [batch, keys, k],
// [batch, keys, heads, 2, size] with the value in it, or [batch, heads, keys, size] as the value is then too.
type multiHead struct {
	l              lib
	heads          int
	causal, scaled bool
	scale, filter  float32
}

func (l lib) newMultiHead(a *graph.Attrs) (graph.Op, error) {
	a.Require("num_heads")
	o := &multiHead{l: l, heads: int(a.Int("num_heads", 1)), causal: a.Bool("unidirectional", false), filter: a.Float("mask_filter_value", -10000)}
	o.scale = a.Float("scale", 0)
	o.scaled = o.scale != 0
	if o.heads < 1 {
		return nil, fmt.Errorf("attribute num_heads is %d", o.heads)
	}
	return o, nil
}

// multiSizes are the sizes of an operand of a multiHead.
type multiSizes struct {
	batch, sq, sk, d, dv int
	form                 int // where keys and values are: apart, in the key, in the query, apart with heads first
}

const (
	formApart = iota
	formKey
	formQuery
	formHeads
)

func (o *multiHead) sizes(q, k, v []int) (s multiSizes, err error) {
	bad := fmt.Errorf("query %v, key %v and value %v do not fit together with %d heads", q, k, v, o.heads)
	switch {
	case len(q) == 5 && k == nil && v == nil:
		s = multiSizes{q[0], q[1], q[1], q[4], q[4], formQuery}
		if q[2] != o.heads || q[3] != 3 {
			return s, bad
		}
		return s, nil
	case len(q) != 3 || k == nil || q[2]%o.heads != 0:
		return s, bad
	}
	s.batch, s.sq, s.d = q[0], q[1], q[2]/o.heads
	switch {
	case len(k) == 5 && v == nil:
		s.form, s.sk, s.dv = formKey, k[1], k[4]
		if k[0] != s.batch || k[2] != o.heads || k[3] != 2 || k[4] != s.d {
			return s, bad
		}
	case len(k) == 4 && len(v) == 4:
		s.form, s.sk, s.dv = formHeads, k[2], v[3]
		if k[0] != s.batch || v[0] != s.batch || k[1] != o.heads || v[1] != o.heads || v[2] != k[2] || k[3] != s.d {
			return s, bad
		}
	case len(k) == 3 && len(v) == 3:
		s.sk, s.dv = k[1], v[2]/o.heads
		if k[0] != s.batch || v[0] != s.batch || v[1] != k[1] || k[2] != q[2] || v[2]%o.heads != 0 {
			return s, bad
		}
	default:
		return s, bad
	}
	return s, nil
}

func (o *multiHead) Infer(c *graph.InferCtx) error {
	if c.Has(8) || c.Has(9) {
		return fmt.Errorf("%w: past_sequence_length and cache_indirection", graph.ErrUnsupported)
	}
	if err := needInputs(c, 1, 10); err != nil {
		return err
	}
	floats, known := []int{}, true
	for i := range min(c.NumIn(), 8) {
		if !c.Has(i) || i == 4 {
			continue
		}
		floats = append(floats, i)
		_, ok := c.In(i).Shape()
		known = known && (ok || i > 2)
	}
	d, err := sameType(c, floats...)
	if err != nil {
		return err
	}
	if err := checkType("attention", d, attentionTypes); err != nil {
		return err
	}
	if !known {
		c.Out(0, tensor.Unranked(d))
		return nil
	}
	var shapes [3][]int
	for i := range shapes {
		shapes[i], _ = c.In(i).Shape()
	}
	s, err := o.sizes(shapes[0], shapes[1], shapes[2])
	if err != nil {
		return err
	}
	total := tensor.Fixed(s.sk)
	if c.Has(6) != c.Has(7) {
		return fmt.Errorf("past key and value must be given together")
	}
	batch, heads := tensor.Fixed(s.batch), tensor.Fixed(o.heads)
	if past := c.In(6); c.Has(6) {
		if err := wantDims("past key", past, []tensor.Dim{batch, heads, tensor.AnyDim, tensor.Fixed(s.d)}); err != nil {
			return err
		}
		if total = tensor.AnyDim; past.Ranked && past.Dims[2].Known() {
			total = tensor.Fixed(past.Dims[2].Size + s.sk)
			if err := wantDims("past value", c.In(7), []tensor.Dim{batch, heads, past.Dims[2], tensor.Fixed(s.dv)}); err != nil {
				return err
			}
		}
	}
	if err := wantDims("bias", c.In(3), []tensor.Dim{tensor.Fixed(o.heads * (2*s.d + s.dv))}); err != nil {
		return err
	}
	if err := checkContribMask(c.In(4), batch, tensor.Fixed(s.sq), total); err != nil {
		return err
	}
	if err := checkScoreBias(c.In(5), batch, heads, tensor.Fixed(s.sq), total); err != nil {
		return err
	}
	c.Out(0, tensor.SpecOf(d, s.batch, s.sq, o.heads*s.dv))
	c.Out(1, tensor.Ranked(d, []tensor.Dim{batch, heads, total, tensor.Fixed(s.d)}))
	c.Out(2, tensor.Ranked(d, []tensor.Dim{batch, heads, total, tensor.Fixed(s.dv)}))
	return nil
}

func (o *multiHead) Run(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d {
	case tensor.Float32:
		return o.runFloat32(c)
	case tensor.Float16, tensor.BFloat16:
		return o.l.asFloat32(c, o.runFloat32)
	default:
		return graph.UnsupportedType("attention", d)
	}
}

func (o *multiHead) runFloat32(c *graph.RunCtx) error {
	j := graph.State[attention](c)
	var shapes [3][]int
	for i := range shapes {
		if t := input(c, i); t != nil {
			shapes[i] = t.Shape()
		}
	}
	s, err := o.sizes(shapes[0], shapes[1], shapes[2])
	if err != nil {
		return err
	}
	j.k, j.batch, j.heads, j.kvHeads, j.sq, j.sk, j.d, j.dv = o.l.k, s.batch, o.heads, o.heads, s.sq, s.sk, s.d, s.dv
	j.out = bsh(outFloats(c, 0), s.sq, o.heads, s.dv)
	q := optional(c, 0)
	j.q = bsh(q, s.sq, o.heads, s.d)
	switch s.form {
	case formQuery:
		part := func(i int) headView { return packedHeads(q, s.sq, o.heads, 3, s.d, i) }
		j.q, j.key, j.val = part(0), part(1), part(2)
	case formKey:
		k := optional(c, 1)
		j.key, j.val = packedHeads(k, s.sk, o.heads, 2, s.d, 0), packedHeads(k, s.sk, o.heads, 2, s.d, 1)
	case formHeads:
		j.key, j.val = bhs(optional(c, 1), o.heads, s.sk, s.d), bhs(optional(c, 2), o.heads, s.sk, s.dv)
	default:
		j.key, j.val = bsh(optional(c, 1), s.sk, o.heads, s.d), bsh(optional(c, 2), s.sk, o.heads, s.dv)
	}
	if bias := optional(c, 3); bias != nil {
		n := o.heads * s.d
		j.q = j.biased(c, j.q, bias[:n], s.sq, s.d)
		if s.form != formHeads {
			j.key = j.biased(c, j.key, bias[n:2*n], s.sk, s.d)
			j.val = j.biased(c, j.val, bias[2*n:], s.sk, s.dv)
		}
	}
	past := 0
	if t := input(c, 6); t != nil {
		past = t.Shape()[2]
	}
	j.joinPast(c, past, [2][]float32{optional(c, 6), optional(c, 7)}, [2][]float32{outFloats(c, 1), outFloats(c, 2)})
	j.plain(o.scaled, o.scale)
	j.causal, j.offset = o.causal, past
	j.setContribMask(c, input(c, 4), input(c, 5), o.filter)
	return j.run(c)
}

// packedHeads is part i of [batch, seq, heads, parts, size].
func packedHeads(data []float32, seq, heads, parts, size, i int) headView {
	return headView{data[min(i*size, len(data)):], seq * heads * parts * size, parts * size, heads * parts * size}
}

// biased is a copy of an operand with a bias added to every position.
func (j *attention) biased(c *graph.RunCtx, v headView, bias []float32, seq, size int) headView {
	out := bsh(floatScratch(c, j.batch*seq*j.heads*size), seq, j.heads, size)
	for b := range j.batch {
		for s := range seq {
			for h := range j.heads {
				j.k.Binary(backend.Add, out.at(b, h, s)[:size], v.at(b, h, s)[:size], bias[h*size:(h+1)*size])
			}
		}
	}
	return out
}
