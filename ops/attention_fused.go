package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// fusedAttention is softmax(min(scale*Q*K^T + mask, cap))*V as fusion passes emit it, qrun.Attention:
//
//	inputs     Q, K, V, mask?, cap?
//	attributes scale (default 1/sqrt(size)), causal, nan_zero, num_heads, kv_num_heads (default num_heads),
//	           q_layout, k_layout, v_layout, y_layout, q_first, k_first, v_first
//
// The layout of Q, K, V and the result Y is "bhsd", [batch, heads, seq, size], or "bshd"; K's may be "bhds". An operand of
// three dimensions is [batch, seq, heads*size]. Of an operand in layout "bshd" the heads from q_first, k_first or v_first
// on are read, num_heads or kv_num_heads of them when these are given. Y has three dimensions with layout "bsh" or, where
// no layout is given, when Q has.
//
// Batches, and heads of which there is one, are broadcast; so are mask and cap, float32, with [batch, heads, queries, keys]
// as in Add, so that they may repeat a single query or key, too. Several heads of Q may share one of K and V. A query
// whose scores are all -Inf gives NaN; with nan_zero every row of probabilities that is NaN counts as zeros.
type fusedAttention struct {
	l              lib
	q, k, v        attentionOperand
	y              string
	scale          float32
	scaled, causal bool
	blind          blindRule
}

// attentionOperand says where the heads of an operand are.
type attentionOperand struct {
	name, layout string
	first, heads int // heads 0: all there are
}

func (l lib) newFusedAttention(a *graph.Attrs) (graph.Op, error) {
	o := &fusedAttention{l: l, scaled: a.Has("scale"), scale: a.Float("scale", 1), causal: a.Bool("causal", false), blind: blindNaN}
	if a.Bool("nan_zero", false) {
		o.blind = blindNaNZero
	}
	heads := a.Int("num_heads", 0)
	kvHeads := a.Int("kv_num_heads", heads)
	o.q = attentionOperand{"query", a.OneOf("q_layout", "bhsd", "bshd"), int(a.Int("q_first", 0)), int(heads)}
	o.k = attentionOperand{"key", a.OneOf("k_layout", "bhsd", "bshd", "bhds"), int(a.Int("k_first", 0)), int(kvHeads)}
	o.v = attentionOperand{"value", a.OneOf("v_layout", "bhsd", "bshd"), int(a.Int("v_first", 0)), int(kvHeads)}
	o.y = a.OneOf("y_layout", "", "bhsd", "bshd", "bsh")
	for _, p := range []attentionOperand{o.q, o.k, o.v} {
		if p.heads < 0 || p.first < 0 || p.first > 0 && (p.heads == 0 || p.layout != "bshd") {
			return nil, fmt.Errorf("heads %d and on, %d of them, of a %s in layout %s", p.first, p.heads, p.name, p.layout)
		}
	}
	return o, nil
}

// dims are the sizes of an operand.
func (p *attentionOperand) dims(s tensor.Spec) (d attentionDims, err error) {
	if s.Ranked && len(s.Dims) == 3 || p.layout == "bhsd" {
		return newAttentionDims(p.name, s, p.heads)
	}
	d = attentionDims{tensor.AnyDim, tensor.AnyDim, tensor.AnyDim, tensor.AnyDim, false}
	if !s.Ranked {
		return d, nil
	}
	if len(s.Dims) != 4 {
		return d, fmt.Errorf("%s %v, want three or four dimensions", p.name, s)
	}
	d.batch, d.heads, d.size, d.seq = s.Dims[0], s.Dims[1], s.Dims[2], s.Dims[3]
	if p.layout == "bshd" {
		d.seq, d.heads, d.size = s.Dims[1], s.Dims[2], s.Dims[3]
	}
	if p.heads > 0 {
		if d.heads.Known() && (d.heads.Size < p.first+p.heads || p.first == 0 && p.layout != "bshd" && d.heads.Size != p.heads) {
			return d, fmt.Errorf("%s %v does not have heads %d to %d", p.name, s, p.first, p.first+p.heads-1)
		}
		d.heads = tensor.Fixed(p.heads)
	}
	return d, nil
}

func (o *fusedAttention) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 3, 5); err != nil {
		return err
	}
	for i := range c.NumIn() {
		if c.Has(i) {
			if err := checkType("fused attention", c.In(i).DType, dtypes{tensor.Float32}); err != nil {
				return err
			}
		}
	}
	q, err := o.q.dims(c.In(0))
	if err != nil {
		return err
	}
	k, err := o.k.dims(c.In(1))
	if err != nil {
		return err
	}
	v, err := o.v.dims(c.In(2))
	if err != nil {
		return err
	}
	if !c.In(0).Ranked || !c.In(1).Ranked || !c.In(2).Ranked || c.Has(3) && !c.In(3).Ranked || c.Has(4) && !c.In(4).Ranked {
		c.Out(0, tensor.Unranked(tensor.Float32))
		return nil
	}
	if err := shareHeads(&q, &k, &v); err != nil {
		return err
	}
	batch, queries, err := o.broadcast(c, &q, k, v)
	if err != nil {
		return err
	}
	q.batch, k.batch, v.batch, q.seq, k.seq = batch, batch, batch, queries, v.seq
	if err := checkAttention(q, k, v); err != nil {
		return err
	}
	y := o.y
	if y == "" && q.flat {
		y = "bsh"
	}
	out := []tensor.Dim{q.batch, q.heads, q.seq, v.size}
	switch y {
	case "bshd":
		out[1], out[2] = q.seq, q.heads
	case "bsh":
		out = []tensor.Dim{q.batch, q.seq, tensor.AnyDim}
		if v.size.Known() && q.heads.Known() {
			out[2] = tensor.Fixed(v.size.Size * q.heads.Size)
		}
	}
	c.Out(0, tensor.Ranked(tensor.Float32, out))
	return nil
}

// shareHeads sets the heads of keys and values to the larger number of them, and so those of a single query head.
func shareHeads(q, k, v *attentionDims) error {
	h, ok := broadcastDim(k.heads, v.heads)
	if !ok {
		return fmt.Errorf("keys of %v heads and values of %v do not fit together", k.heads, v.heads)
	}
	if k.heads, v.heads = h, h; q.heads.Size == 1 {
		q.heads = h
	}
	return nil
}

// broadcast is the batch and the number of queries of the result, as the products and the sum with the mask have them.
// A single head of q becomes as many as the mask has.
func (o *fusedAttention) broadcast(c *graph.InferCtx, q *attentionDims, k, v attentionDims) (batch, queries tensor.Dim, err error) {
	sum := func(dims ...tensor.Dim) tensor.Spec { return tensor.Ranked(tensor.Float32, dims) }
	one := tensor.Fixed(1)
	scores := []tensor.Spec{sum(q.batch, q.heads, q.seq, k.seq), sum(k.batch, one, one, one)}
	for i := 3; i < 5; i++ {
		if !c.Has(i) {
			continue
		}
		m := c.In(i)
		if len(m.Dims) > 4 {
			return batch, queries, fmt.Errorf("mask %v, want at most four dimensions", m)
		}
		if i := len(m.Dims) - 3; i >= 0 && m.Dims[i].Size != 1 && q.heads.Size != 1 && !agree(m.Dims[i], q.heads) {
			return batch, queries, fmt.Errorf("mask %v does not fit %v heads", m, q.heads)
		}
		scores = append(scores, m)
	}
	s, err := broadcastSpecs(tensor.Float32, scores...)
	if err != nil {
		return batch, queries, err
	}
	if q.heads = s.Dims[1]; !agree(s.Dims[3], v.seq) {
		return batch, queries, fmt.Errorf("scores of %v keys and %v values do not fit together", s.Dims[3], v.seq)
	}
	b, ok := broadcastDim(s.Dims[0], v.batch)
	if !ok {
		return batch, queries, fmt.Errorf("%v values for a batch of %v", v.batch, s.Dims[0])
	}
	return b, s.Dims[2], nil
}

// headSizes are the sizes of a headView.
type headSizes struct{ batch, heads, seq, size int }

// view is where the heads of an operand lie, and how many there are. Of a transposed key the rows are those of size.
func (p *attentionOperand) view(t *tensor.Tensor) (v headView, n headSizes) {
	s, data := t.Shape(), tensor.View[float32](t)
	switch {
	case len(s) == 3:
		n = headSizes{s[0], p.heads, s[1], s[2] / p.heads}
		return bsh(data, n.seq, n.heads, n.size), n
	case p.layout == "bhds":
		return bhs(data, s[1], s[2], s[3]), headSizes{s[0], s[1], s[3], s[2]}
	case p.layout == "bhsd":
		return bhs(data, s[1], s[2], s[3]), headSizes{s[0], s[1], s[2], s[3]}
	}
	n = headSizes{s[0], s[2], s[1], s[3]}
	v = bsh(data, n.seq, n.heads, n.size)
	if p.heads > 0 {
		n.heads = p.heads
	}
	v.data = v.data[min(p.first*n.size, len(v.data)):]
	return v, n
}

func (o *fusedAttention) Run(c *graph.RunCtx) error {
	j := graph.State[attention](c)
	j.k = o.l.k
	var q, k, v headSizes
	j.q, q = o.q.view(c.In[0])
	j.key, k = o.k.view(c.In[1])
	j.val, v = o.v.view(c.In[2])
	j.heads, j.kvHeads, j.d, j.dv, j.sk = q.heads, max(k.heads, v.heads), q.size, v.size, v.seq
	j.keyT = o.k.layout == "bhds" && c.In[1].Rank() == 4
	o.setOut(c.Out[0], j)
	if q.seq != j.sq {
		j.q = repeated(c, j.q, q, j.sq)
	}
	if k.seq != j.sk && j.sk > 0 {
		j.key, j.keyT = repeated(c, j.key, k, j.sk), false
	}
	for _, x := range []struct {
		v *headView
		n headSizes
	}{{&j.q, q}, {&j.key, k}, {&j.val, v}} {
		if x.n.batch == 1 {
			x.v.batch = 0
		}
		if x.n.heads == 1 {
			x.v.head = 0
		}
	}
	j.scale = o.scale
	if !o.scaled {
		j.scale = float32(1 / math.Sqrt(float64(j.d)))
	}
	j.softcap, j.causal, j.offset, j.window = 0, o.causal, 0, 0
	j.stage, j.scores, j.mask, j.limit.data, j.blind = scoreNone, nil, nil, nil, o.blind
	if len(c.In) > 4 && c.In[4] != nil && j.sk > 0 {
		o.setMask(c, j, c.In[4])
		j.limit = scoreLimit{j.mask, j.maskB, j.maskH, j.maskS}
		j.mask = nil
	}
	if len(c.In) > 3 && c.In[3] != nil && j.sk > 0 {
		o.setMask(c, j, c.In[3])
	}
	return j.run(c)
}

// setOut takes batch and queries from the result.
func (o *fusedAttention) setOut(t *tensor.Tensor, j *attention) {
	s, data := t.Shape(), tensor.View[float32](t)
	j.batch = s[0]
	if len(s) == 3 || o.y == "bshd" {
		if j.sq = s[1]; len(s) == 4 {
			j.heads = s[2]
		} else if j.dv > 0 {
			j.heads = s[2] / j.dv
		}
		j.out = bsh(data, j.sq, j.heads, j.dv)
		return
	}
	j.heads, j.sq = s[1], s[2]
	j.out = bhs(data, j.heads, j.sq, j.dv)
}

// repeated copies an operand of one row in each head to seq rows. One row is the same in either layout of a key.
func repeated(c *graph.RunCtx, v headView, n headSizes, seq int) headView {
	out := bhs(floatScratch(c, n.batch*n.heads*seq*n.size), n.heads, seq, n.size)
	for i := range n.batch * n.heads * seq {
		b, h, s := i/(n.heads*seq), i/seq%n.heads, i%seq
		copy(out.at(b, h, s)[:n.size], v.at(b, h, 0))
	}
	return out
}

func (o *fusedAttention) setMask(c *graph.RunCtx, j *attention, t *tensor.Tensor) {
	shape, m := t.Shape(), tensor.View[float32](t)
	if len(shape) == 0 || shape[len(shape)-1] != j.sk { // one number for all keys
		wide := floatScratch(c, len(m)*j.sk)
		for i, v := range m {
			fillFloats(wide[i*j.sk:(i+1)*j.sk], v)
		}
		m = wide
	}
	j.mask = m
	j.maskStrides(shape)
}
