package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func contribAttentions(l lib) []graph.Def {
	return []graph.Def{
		{Domain: "com.microsoft", Op: "Attention", Since: 1, New: l.newContribAttention, Types: attentionTypes},
		{Domain: "com.microsoft", Op: "MultiHeadAttention", Since: 1, New: l.newMultiHead, Types: attentionTypes},
		{Domain: "com.microsoft", Op: "GroupQueryAttention", Since: 1, New: l.newGroupQuery, Types: attentionTypes},
	}
}

// contribAttention is com.microsoft's Attention: one product makes queries, keys and values of the input.
//
//	inputs  X [batch, seq, in], W [in, q+k+v], bias?, mask?, past? [2, batch, heads, past, size], attention bias?
//	outputs [batch, seq, v], present [2, batch, heads, past+seq, size]
type contribAttention struct {
	l              lib
	heads          int
	causal, scaled bool
	scale, filter  float32
	sizes          []int64 // of q, k and v; nil: a third each
	pack           *backend.PackedF32
	shapeW         []int
}

func (l lib) newContribAttention(a *graph.Attrs) (graph.Op, error) {
	a.Require("num_heads")
	o := &contribAttention{l: l, heads: int(a.Int("num_heads", 1)), causal: a.Bool("unidirectional", false), sizes: a.Ints("qkv_hidden_sizes")}
	o.scale, o.filter = a.Float("scale", 0), a.Float("mask_filter_value", -10000)
	a.Only("do_rotary", 0)
	a.Only("past_present_share_buffer", 0)
	a.Ignore("rotary_embedding_dim") // only has a meaning with do_rotary
	if o.heads < 1 || o.sizes != nil && len(o.sizes) != 3 {
		return nil, fmt.Errorf("attributes num_heads and qkv_hidden_sizes are %d and %v", o.heads, o.sizes)
	}
	o.scaled = o.scale != 0
	return o, nil
}

// widths are those of all queries, keys and values, from the shape of W.
func (o *contribAttention) widths(n int) (q, k, v int, err error) {
	q, k, v = n/3, n/3, n/3
	if o.sizes != nil {
		q, k, v = int(o.sizes[0]), int(o.sizes[1]), int(o.sizes[2])
	}
	if q != k || q+k+v != n || q < 1 || v < 1 || q%o.heads != 0 || v%o.heads != 0 {
		return q, k, v, fmt.Errorf("weights of %d columns cannot be cut into queries, keys and values (qkv_hidden_sizes %v) of %d heads", n, o.sizes, o.heads)
	}
	return q, k, v, nil
}

func (o *contribAttention) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 2, 6); err != nil {
		return err
	}
	floats := []int{0, 1}
	for _, i := range []int{2, 4, 5} {
		if c.Has(i) {
			floats = append(floats, i)
		}
	}
	d, err := sameType(c, floats...)
	if err != nil {
		return err
	}
	if err := checkType("attention", d, attentionTypes); err != nil {
		return err
	}
	return o.inferShapes(c, d, 3, 4, 5)
}

// inferShapes checks the shapes of the inputs, of which mask, past and score bias have these numbers, and sets the outputs.
func (o *contribAttention) inferShapes(c *graph.InferCtx, d tensor.DType, mask, past, bias int) error {
	x, w := c.In(0), c.In(1)
	shapeW, known := w.Shape()
	if !x.Ranked || !known {
		c.Out(0, tensor.Unranked(d))
		return nil
	}
	if len(x.Dims) != 3 || len(shapeW) != 2 || !agree(x.Dims[2], w.Dims[0]) {
		return fmt.Errorf("input %v and weights %v do not fit together", x, w)
	}
	q, _, v, err := o.widths(shapeW[1])
	if err != nil {
		return err
	}
	if err := wantDims("bias", c.In(2), []tensor.Dim{w.Dims[1]}); err != nil {
		return err
	}
	heads, total := tensor.Fixed(o.heads), x.Dims[1]
	if c.Has(past) {
		old := c.In(past)
		if err := wantDims("past", old, []tensor.Dim{tensor.Fixed(2), x.Dims[0], heads, tensor.AnyDim, tensor.Fixed(q / o.heads)}); err != nil {
			return err
		}
		total = tensor.AnyDim
		if old.Ranked && old.Dims[3].Known() && x.Dims[1].Known() {
			total = tensor.Fixed(old.Dims[3].Size + x.Dims[1].Size)
		}
	}
	if c.NumOut() > 1 && q != v {
		return fmt.Errorf("%w: present keys and values of different sizes", graph.ErrUnsupported)
	}
	if err := checkContribMask(c.In(mask), x.Dims[0], x.Dims[1], total); err != nil {
		return err
	}
	if err := checkScoreBias(c.In(bias), x.Dims[0], heads, x.Dims[1], total); err != nil {
		return err
	}
	c.Out(0, tensor.Ranked(d, []tensor.Dim{x.Dims[0], x.Dims[1], tensor.Fixed(v)}))
	c.Out(1, tensor.Ranked(d, []tensor.Dim{tensor.Fixed(2), x.Dims[0], heads, total, tensor.Fixed(q / o.heads)}))
	return nil
}

// Prepack packs constant weights.
func (o *contribAttention) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	if len(consts) < 2 || consts[1] == nil || consts[1].Rank() != 2 {
		return o, nil, nil
	}
	w, ok := o.l.constFloat32(consts[1])
	if !ok {
		return o, nil, nil
	}
	p := *o
	p.shapeW = consts[1].Shape()
	p.pack = o.l.k.PackF32(w, p.shapeW[0], p.shapeW[1], p.shapeW[1], false)
	return &p, []int{1}, nil
}

func (o *contribAttention) Run(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d {
	case tensor.Float32:
		return o.runFloat32(c)
	case tensor.Float16, tensor.BFloat16:
		return o.l.asFloat32(c, o.runFloat32)
	default:
		return graph.UnsupportedType("attention", d)
	}
}

// contribAttentionState is what a run of a contribAttention keeps.
type contribAttentionState struct {
	gemm backend.GemmF32
	core attention
}

func (o *contribAttention) runFloat32(c *graph.RunCtx) error {
	st := graph.State[contribAttentionState](c)
	shape, pack, shapeW := c.In[0].Shape(), o.pack, o.shapeW
	if pack == nil {
		shapeW = c.In[1].Shape()
		pack = o.l.k.PackF32(tensor.View[float32](c.In[1]), shapeW[0], shapeW[1], shapeW[1], false)
	}
	n := shapeW[1]
	batch, seq := shape[0], shape[1]
	proj := floatScratch(c, batch*seq*n)
	if len(proj) == 0 {
		return nil
	}
	st.gemm = backend.GemmF32{M: batch * seq, A: tensor.View[float32](c.In[0]), LDA: shape[2], B: pack, C: proj, LDC: n}
	st.gemm.Epi.Bias = optional(c, 2)
	if err := runGemm(c, o.l.k, &st.gemm); err != nil {
		return err
	}
	return o.attend(c, &st.core, attended{proj, batch, seq, n, input(c, 3), input(c, 4), input(c, 5)})
}

// attended is what attend works on: a projection [batch, seq, n], and mask, past and score bias, which may be nil.
type attended struct {
	proj             []float32
	batch, seq, n    int
	mask, past, bias *tensor.Tensor
}

// attend computes the attention of a projection.
func (o *contribAttention) attend(c *graph.RunCtx, j *attention, in attended) error {
	seq, n := in.seq, in.n
	q, k, v, err := o.widths(n)
	if err != nil {
		return err
	}
	j.k, j.batch, j.heads, j.kvHeads, j.sq, j.sk, j.d, j.dv = o.l.k, in.batch, o.heads, o.heads, seq, seq, q/o.heads, v/o.heads
	at := func(first, size int) headView { return headView{in.proj[first:], seq * n, size, n} }
	j.q, j.key, j.val, j.out = at(0, j.d), at(q, j.d), at(q+k, j.dv), bsh(outFloats(c, 0), seq, o.heads, j.dv)
	past := 0
	var old, present [2][]float32
	if in.past != nil {
		past = in.past.Shape()[3]
		f := tensor.View[float32](in.past)
		old = [2][]float32{f[:len(f)/2], f[len(f)/2:]}
	}
	if p := outFloats(c, 1); p != nil {
		present = [2][]float32{p[:len(p)/2], p[len(p)/2:]}
	}
	j.joinPast(c, past, old, present)
	j.plain(o.scaled, o.scale)
	j.causal, j.offset = o.causal, past
	j.setContribMask(c, in.mask, in.bias, o.filter)
	return j.run(c)
}

// plain sets an attention without extras, to be called when its sizes are known.
func (j *attention) plain(scaled bool, scale float32) {
	j.scale = scale
	if !scaled {
		j.scale = float32(1 / math.Sqrt(float64(j.d)))
	}
	j.softcap, j.causal, j.offset, j.window = 0, false, 0, 0
	j.keyT, j.stage, j.scores, j.mask = false, scoreNone, nil, nil
}

// input is an input that may be absent.
func input(c *graph.RunCtx, i int) *tensor.Tensor {
	if i < len(c.In) {
		return c.In[i]
	}
	return nil
}
