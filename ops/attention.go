package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

var attentionTypes = dtypes{tensor.Float32, tensor.Float16, tensor.BFloat16}

func attentions(l lib) []graph.Def {
	return []graph.Def{
		{Op: "Attention", Since: 23, New: l.newAttention, Types: attentionTypes},
		{Domain: "qrun", Op: "Attention", Since: 1, New: l.newFusedAttention, Types: dtypes{tensor.Float32}},
	}
}

// Inputs of Attention.
const (
	attQ = iota
	attK
	attV
	attMask
	attPastK
	attPastV
	attLens
)

// onnxAttention is Attention of opset 23 and 24: Q, K and V are [batch, heads, seq, size] or [batch, seq, heads*size],
// past keys and values come first, a mask is added or, being bool, says which keys take part.
type onnxAttention struct {
	l              lib
	heads, kvHeads int // 0: from four dimensions
	scale          float32
	scaled, causal bool
	softcap        float32
	stage          scoreStage
}

func (l lib) newAttention(a *graph.Attrs) (graph.Op, error) {
	o := &onnxAttention{l: l, heads: int(a.Int("q_num_heads", 0)), kvHeads: int(a.Int("kv_num_heads", 0)), causal: a.Bool("is_causal", false)}
	o.scaled, o.scale, o.softcap = a.Has("scale"), a.Float("scale", 1), a.Float("softcap", 0)
	mode := a.Int("qk_matmul_output_mode", 0)
	if mode < 0 || mode > 3 {
		return nil, fmt.Errorf("attribute qk_matmul_output_mode is %d, want 0 to 3", mode)
	}
	o.stage = scoreRaw + scoreStage(mode)
	a.Only("softmax_precision", 1, 10, 16) // float32 is what is computed in, at least as good as what is asked for
	if o.heads < 0 || o.kvHeads < 0 {
		return nil, fmt.Errorf("attributes q_num_heads and kv_num_heads are %d and %d", o.heads, o.kvHeads)
	}
	return o, nil
}

// attentionDims are the sizes of an operand, from either form of its tensor.
type attentionDims struct {
	batch, heads, seq, size tensor.Dim
	flat                    bool
}

func newAttentionDims(name string, s tensor.Spec, heads int) (d attentionDims, err error) {
	d = attentionDims{tensor.AnyDim, tensor.AnyDim, tensor.AnyDim, tensor.AnyDim, false}
	if heads > 0 {
		d.heads = tensor.Fixed(heads)
	}
	switch {
	case !s.Ranked:
	case len(s.Dims) == 4:
		if !agree(d.heads, s.Dims[1]) {
			return d, fmt.Errorf("%s %v, want %d heads", name, s, heads)
		}
		d.batch, d.heads, d.seq, d.size = s.Dims[0], s.Dims[1], s.Dims[2], s.Dims[3]
	case len(s.Dims) == 3 && heads > 0:
		d.batch, d.seq, d.flat = s.Dims[0], s.Dims[1], true
		if n := s.Dims[2]; n.Known() {
			if n.Size%heads != 0 {
				return d, fmt.Errorf("%s %v cannot be cut into %d heads", name, s, heads)
			}
			d.size = tensor.Fixed(n.Size / heads)
		}
	case len(s.Dims) == 3:
		return d, fmt.Errorf("%s %v of three dimensions needs the number of heads as attribute", name, s)
	default:
		return d, fmt.Errorf("%s %v, want three or four dimensions", name, s)
	}
	return d, nil
}

func (o *onnxAttention) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 3, 7); err != nil {
		return err
	}
	floats := []int{attQ, attK, attV}
	for _, i := range []int{attPastK, attPastV} {
		if c.Has(i) {
			floats = append(floats, i)
		}
	}
	dt, err := sameType(c, floats...)
	if err != nil {
		return err
	}
	if err := checkType("attention", dt, attentionTypes); err != nil {
		return err
	}
	q, err := newAttentionDims("query", c.In(attQ), o.heads)
	if err != nil {
		return err
	}
	k, err := newAttentionDims("key", c.In(attK), o.kvHeads)
	if err != nil {
		return err
	}
	v, err := newAttentionDims("value", c.In(attV), o.kvHeads)
	if err != nil {
		return err
	}
	if !c.In(attQ).Ranked || !c.In(attK).Ranked || !c.In(attV).Ranked {
		c.Out(0, tensor.Unranked(dt))
		return nil
	}
	if err := checkAttention(q, k, v); err != nil {
		return err
	}
	total, err := o.inferPast(c, k, v)
	if err != nil {
		return err
	}
	if err := o.inferMask(c, dt, q, total); err != nil {
		return err
	}
	out := []tensor.Dim{q.batch, q.heads, q.seq, v.size}
	if q.flat {
		out = []tensor.Dim{q.batch, q.seq, tensor.AnyDim}
		if v.size.Known() {
			out[2] = tensor.Fixed(v.size.Size * o.heads)
		}
	}
	c.Out(0, tensor.Ranked(dt, out))
	c.Out(1, tensor.Ranked(dt, []tensor.Dim{k.batch, k.heads, total, k.size}))
	c.Out(2, tensor.Ranked(dt, []tensor.Dim{v.batch, v.heads, total, v.size}))
	c.Out(3, tensor.Ranked(dt, []tensor.Dim{q.batch, q.heads, q.seq, total}))
	return nil
}

func checkAttention(q, k, v attentionDims) error {
	if !agree(q.batch, k.batch) || !agree(k.batch, v.batch) || !agree(q.size, k.size) || !agree(k.heads, v.heads) || !agree(k.seq, v.seq) {
		return fmt.Errorf("query [%v %v %v %v], key [%v %v %v %v] and value [%v %v %v %v] (batch, heads, sequence, size) do not fit together",
			q.batch, q.heads, q.seq, q.size, k.batch, k.heads, k.seq, k.size, v.batch, v.heads, v.seq, v.size)
	}
	if q.heads.Known() && k.heads.Known() && (k.heads.Size == 0 || q.heads.Size%k.heads.Size != 0) {
		return fmt.Errorf("%d query heads cannot share %d key heads evenly", q.heads.Size, k.heads.Size)
	}
	return nil
}

// inferPast checks the past keys and values and returns the number of keys with them.
func (o *onnxAttention) inferPast(c *graph.InferCtx, k, v attentionDims) (tensor.Dim, error) {
	if c.Has(attPastK) != c.Has(attPastV) {
		return k.seq, fmt.Errorf("past_key and past_value must be given together")
	}
	if !c.Has(attPastK) {
		return k.seq, nil
	}
	if c.Has(attLens) {
		return k.seq, fmt.Errorf("nonpad_kv_seqlen cannot be used together with past_key")
	}
	total := tensor.AnyDim
	past := c.In(attPastK)
	if err := wantDims("past_key", past, []tensor.Dim{k.batch, k.heads, tensor.AnyDim, k.size}); err != nil {
		return total, err
	}
	if past.Ranked && past.Dims[2].Known() && k.seq.Known() {
		total = tensor.Fixed(past.Dims[2].Size + k.seq.Size)
	}
	want := []tensor.Dim{v.batch, v.heads, tensor.AnyDim, v.size}
	if past.Ranked {
		want[2] = past.Dims[2]
	}
	return total, wantDims("past_value", c.In(attPastV), want)
}

func (o *onnxAttention) inferMask(c *graph.InferCtx, dt tensor.DType, q attentionDims, total tensor.Dim) error {
	if err := wantDims("nonpad_kv_seqlen", c.In(attLens), []tensor.Dim{q.batch}); err != nil {
		return err
	}
	if s := c.In(attLens); s.DType != tensor.Undefined && s.DType != tensor.Int64 {
		return fmt.Errorf("nonpad_kv_seqlen of type %v, want int64", s.DType)
	}
	m := c.In(attMask)
	if m.DType != tensor.Undefined && m.DType != tensor.Bool && m.DType != dt && !isHalf(m.DType) && m.DType != tensor.Float32 {
		return graph.UnsupportedType("attention mask", m.DType)
	}
	if !c.Has(attMask) || !m.Ranked {
		return nil
	}
	full := []tensor.Dim{q.batch, q.heads, q.seq, total}
	if len(m.Dims) < 1 || len(m.Dims) > 4 {
		return fmt.Errorf("mask %v, want two to four dimensions", m)
	}
	for i, d := range m.Dims {
		at := 4 - len(m.Dims) + i
		ok := agree(d, full[at]) || d.Size == 1
		if at == 3 {
			ok = !d.Known() || !total.Known() || d.Size <= total.Size
		}
		if !ok {
			return fmt.Errorf("mask %v does not fit the scores %v", m, full)
		}
	}
	return nil
}

func (o *onnxAttention) Run(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d {
	case tensor.Float32:
		return o.runFloat32(c)
	case tensor.Float16, tensor.BFloat16:
		return o.l.asFloat32(c, o.runFloat32)
	default:
		return graph.UnsupportedType("attention", d)
	}
}

// headed is the view of an operand in either form, with its sizes.
func headed(t *tensor.Tensor, heads int) (v headView, batch, n, seq, size int) {
	s := t.Shape()
	data := tensor.View[float32](t)
	if len(s) == 4 {
		return bhs(data, s[1], s[2], s[3]), s[0], s[1], s[2], s[3]
	}
	size = s[2] / heads
	return bsh(data, s[1], heads, size), s[0], heads, s[1], size
}

func (o *onnxAttention) runFloat32(c *graph.RunCtx) error {
	j := graph.State[attention](c)
	j.k = o.l.k
	j.q, j.batch, j.heads, j.sq, j.d = headed(c.In[attQ], o.heads)
	j.key, _, j.kvHeads, j.sk, _ = headed(c.In[attK], o.kvHeads)
	j.val, _, _, _, j.dv = headed(c.In[attV], o.kvHeads)
	j.out, _, _, _, _ = headed(c.Out[0], o.heads)
	past := 0
	if len(c.In) > attPastK && c.In[attPastK] != nil {
		past = c.In[attPastK].Shape()[2]
	}
	j.joinPast(c, past, [2][]float32{optional(c, attPastK), optional(c, attPastV)}, [2][]float32{outFloats(c, 1), outFloats(c, 2)})
	j.scale = o.scale
	if !o.scaled {
		j.scale = float32(1 / math.Sqrt(float64(j.d)))
	}
	j.softcap, j.causal, j.offset, j.window = o.softcap, o.causal, past, 0
	j.keyT, j.stage, j.scores = false, scoreNone, outFloats(c, 3)
	if j.scores != nil {
		j.stage = o.stage
	}
	if len(c.In) > attLens && c.In[attLens] != nil {
		if err := j.setLens(tensor.View[int64](c.In[attLens])); err != nil {
			return err
		}
	}
	if err := o.setMask(c, j); err != nil {
		return err
	}
	return j.run(c)
}

// setLens takes the number of keys of each entry; with a causal mask its last query sees all of them.
func (j *attention) setLens(lens []int64) error {
	j.ends = make([]int, len(lens))
	if j.causal {
		j.offsets = make([]int, len(lens))
	}
	for b, n := range lens {
		if n < 0 || n > int64(j.sk) {
			return fmt.Errorf("nonpad_kv_seqlen[%d] is %d, want 0 to %d", b, n, j.sk)
		}
		j.ends[b] = int(n)
		if j.causal {
			j.offsets[b] = int(n) - j.sq
		}
	}
	return nil
}
