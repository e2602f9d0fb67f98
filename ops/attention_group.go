package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// groupQuery is com.microsoft's GroupQueryAttention, causal, with a cache of keys and values.
//
//	inputs  query [batch, seq, heads*size], key, value [batch, seq, kvHeads*size]   (or all in the query)
//	        past key?, past value? [batch, kvHeads, room, size], lengths int32[batch] (of all keys, less one),
//	        total int32, cos?, sin?, positions?, attention bias?
//	outputs [batch, seq, heads*size], present key, present value [batch, kvHeads, max(room, total), size]
type groupQuery struct {
	l                   lib
	heads, kvHeads      int
	scale, softcap      float32
	window              int
	rotary, interleaved bool
}

// Inputs of GroupQueryAttention.
const (
	gqaPastK = 3
	gqaPastV = 4
	gqaLens  = 5
	gqaTotal = 6
	gqaCos   = 7
	gqaSin   = 8
	gqaPos   = 9
	gqaBias  = 10
	gqaSink  = 11
)

func (l lib) newGroupQuery(a *graph.Attrs) (graph.Op, error) {
	a.Require("num_heads", "kv_num_heads")
	o := &groupQuery{l: l, heads: int(a.Int("num_heads", 1)), kvHeads: int(a.Int("kv_num_heads", 1)), scale: a.Float("scale", 0), softcap: a.Float("softcap", 0)}
	o.rotary, o.interleaved = a.Bool("do_rotary", false), a.Bool("rotary_interleaved", false)
	o.window = int(a.Int("local_window_size", -1))
	a.Only("smooth_softmax", 0, -1)
	a.Only("qk_output", 0)
	if k := a.Str("k_quant_type", "NONE"); k != "NONE" {
		return nil, fmt.Errorf("%w: k_quant_type %q", graph.ErrUnsupported, k)
	}
	if v := a.Str("v_quant_type", "NONE"); v != "NONE" {
		return nil, fmt.Errorf("%w: v_quant_type %q", graph.ErrUnsupported, v)
	}
	if o.heads < 1 || o.kvHeads < 1 || o.heads%o.kvHeads != 0 {
		return nil, fmt.Errorf("attributes num_heads %d and kv_num_heads %d, want a multiple", o.heads, o.kvHeads)
	}
	return o, nil
}

func (o *groupQuery) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 1, 12); err != nil {
		return err
	}
	if c.Has(gqaSink) {
		return fmt.Errorf("%w: head_sink", graph.ErrUnsupported)
	}
	if !c.Has(gqaLens) || !c.Has(gqaTotal) || c.Has(1) != c.Has(2) || c.Has(gqaPastK) != c.Has(gqaPastV) || o.rotary && (!c.Has(gqaCos) || !c.Has(gqaSin)) {
		return fmt.Errorf("seqlens_k and total_sequence_length are needed; key and value, past_key and past_value, and with do_rotary the caches, go together")
	}
	floats := []int{0}
	for _, i := range []int{1, 2, gqaPastK, gqaPastV, gqaCos, gqaSin, gqaBias} {
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
	q, known := c.In(0).Shape()
	if !known {
		c.Out(0, tensor.Unranked(d))
		return nil
	}
	size, err := o.inferSize(c, q)
	if err != nil {
		return err
	}
	batch := tensor.Fixed(q[0])
	for i, name := range map[int]string{gqaLens: "seqlens_k", gqaTotal: "total_sequence_length"} {
		if s := c.In(i); s.DType != tensor.Undefined && s.DType != tensor.Int32 {
			return fmt.Errorf("%s of type %v, want int32", name, s.DType)
		}
	}
	if s := c.In(gqaLens); s.Ranked && len(s.Dims) == 1 {
		if err := wantDims("seqlens_k", s, []tensor.Dim{batch}); err != nil {
			return err
		}
	}
	total, err := o.inferCache(c, q, size)
	if err != nil {
		return err
	}
	c.Out(0, tensor.SpecOf(d, q[0], q[1], o.heads*size))
	present := tensor.Ranked(d, []tensor.Dim{batch, tensor.Fixed(o.kvHeads), total, tensor.Fixed(size)})
	c.Out(1, present)
	c.Out(2, present)
	return nil
}

func (o *groupQuery) inferSize(c *graph.InferCtx, q []int) (int, error) {
	heads := o.heads
	if !c.Has(1) {
		heads += 2 * o.kvHeads
	}
	if len(q) != 3 || q[2]%heads != 0 {
		return 0, fmt.Errorf("query %v cannot be cut into %d heads", q, heads)
	}
	size := q[2] / heads
	for i := 1; i < 3; i++ {
		if err := wantDims("key or value", c.In(i), fixedDims([]int{q[0], q[1], o.kvHeads * size})); err != nil {
			return 0, err
		}
	}
	return size, nil
}

func (o *groupQuery) inferCache(c *graph.InferCtx, q []int, size int) (tensor.Dim, error) {
	want := []tensor.Dim{tensor.Fixed(q[0]), tensor.Fixed(o.kvHeads), tensor.AnyDim, tensor.Fixed(size)}
	for _, i := range []int{gqaPastK, gqaPastV} {
		past := c.In(i)
		if err := wantDims("past", past, want); err != nil {
			return tensor.AnyDim, err
		}
		if past.Ranked {
			want[2] = past.Dims[2]
		}
	}
	total, ok := c.Ints(gqaTotal)
	if !ok || len(total) != 1 || !total[0].Known() || c.Has(gqaPastK) && !want[2].Known() {
		return tensor.AnyDim, nil
	}
	n := max(total[0].Size, want[2].Size)
	return tensor.Fixed(n), checkScoreBias(c.In(gqaBias), want[0], tensor.Fixed(o.heads), tensor.Fixed(q[1]), total[0])
}

func (o *groupQuery) Run(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d {
	case tensor.Float32:
		return o.runFloat32(c)
	case tensor.Float16, tensor.BFloat16:
		return o.l.asFloat32(c, o.runFloat32)
	default:
		return graph.UnsupportedType("attention", d)
	}
}

func (o *groupQuery) runFloat32(c *graph.RunCtx) error {
	j := graph.State[attention](c)
	shape := c.In[0].Shape()
	batch, seq := shape[0], shape[1]
	j.k, j.batch, j.heads, j.kvHeads, j.sq = o.l.k, batch, o.heads, o.kvHeads, seq
	q := optional(c, 0)
	if k := input(c, 1); k != nil {
		j.d = shape[2] / o.heads
		j.q, j.key, j.val = bsh(q, seq, o.heads, j.d), bsh(optional(c, 1), seq, o.kvHeads, j.d), bsh(optional(c, 2), seq, o.kvHeads, j.d)
	} else {
		j.d = shape[2] / (o.heads + 2*o.kvHeads)
		at := func(first int) headView { return headView{q[min(first*j.d, len(q)):], seq * shape[2], j.d, shape[2]} }
		j.q, j.key, j.val = at(0), at(o.heads), at(o.heads+o.kvHeads)
	}
	j.dv = j.d
	j.out = bsh(outFloats(c, 0), seq, o.heads, j.d)
	total := int(tensor.View[int32](c.In[gqaTotal])[0])
	if err := o.setLens(c, j, total); err != nil {
		return err
	}
	j.plain(o.scale != 0, o.scale)
	j.softcap, j.causal = o.softcap, true
	if o.window > 0 {
		j.window = o.window
	}
	if o.rotary {
		if err := o.turn(c, j, total == seq); err != nil {
			return err
		}
	}
	if err := o.cache(c, j, total); err != nil {
		return err
	}
	if bias := input(c, gqaBias); bias != nil {
		j.sk = total // the bias covers the keys of this run, the cache may have room for more
		j.mask = tensor.View[float32](bias)
		j.maskStrides(bias.Shape())
	}
	return j.run(c)
}

// setLens sets how many keys each entry has, with the new ones, and how many it had.
func (o *groupQuery) setLens(c *graph.RunCtx, j *attention, total int) error {
	lens := tensor.View[int32](c.In[gqaLens])
	room := 0
	if t := input(c, gqaPastK); t != nil {
		room = t.Shape()[2]
	}
	if len(lens) != j.batch || total < j.sq {
		return fmt.Errorf("%d seqlens_k and total_sequence_length %d, want %d and at least %d", len(lens), total, j.batch, j.sq)
	}
	j.ends, j.offsets = make([]int, j.batch), make([]int, j.batch)
	for b, n := range lens {
		j.ends[b] = int(n) + 1
		if total > j.sq { // else the first run, with nothing in the cache
			j.offsets[b] = j.ends[b] - j.sq
		}
		if j.ends[b] < 1 || j.ends[b] > total || j.offsets[b] < 0 || j.offsets[b] > room {
			return fmt.Errorf("seqlens_k[%d] is %d with %d new keys, total_sequence_length %d and room for %d in the cache", b, n, j.sq, total, room)
		}
	}
	return nil
}

// turn rotates copies of the queries and keys.
func (o *groupQuery) turn(c *graph.RunCtx, j *attention, first bool) error {
	cos, sin := optional(c, gqaCos), optional(c, gqaSin)
	shape := c.In[gqaCos].Shape()
	if len(shape) != 2 || shape[1]*2 > j.d || len(sin) != len(cos) {
		return fmt.Errorf("cos_cache %v does not fit heads of %d elements", c.In[gqaCos], j.d)
	}
	pos := input(c, gqaPos)
	if pos != nil && pos.Len() != j.batch*j.sq {
		return fmt.Errorf("position_ids %v, want one for each of %d new keys of %d entries", pos, j.sq, j.batch)
	}
	for _, x := range []struct {
		v     *headView
		heads int
	}{{&j.q, j.heads}, {&j.key, j.kvHeads}} {
		out := bsh(floatScratch(c, j.batch*j.sq*x.heads*j.d), j.sq, x.heads, j.d)
		for i := range j.batch * j.sq {
			b, s := i/j.sq, i%j.sq
			at := j.offsets[b] + s
			switch {
			case pos != nil && first: // of the first run only the first position counts, so the operator's documentation
				at = int(tensor.View[int64](pos)[0]) + s
			case pos != nil:
				at = int(tensor.View[int64](pos)[i])
			}
			if at < 0 || at >= shape[0] {
				return fmt.Errorf("position %d is not in cos_cache %v", at, c.In[gqaCos])
			}
			turnHeads(j.k, &out, x.v, b, s, x.heads, j.d, cos[at*shape[1]:(at+1)*shape[1]], sin[at*shape[1]:(at+1)*shape[1]], o.interleaved)
		}
		*x.v = out
	}
	return nil
}

// cache writes the present keys and values and lets the job read them.
func (o *groupQuery) cache(c *graph.RunCtx, j *attention, total int) error {
	room := 0
	if t := input(c, gqaPastK); t != nil {
		room = t.Shape()[2]
	}
	j.sk = max(total, room)
	for i, v := range []*headView{&j.key, &j.val} {
		out := outFloats(c, 1+i)
		if out == nil {
			out = floatScratch(c, j.batch*j.kvHeads*j.sk*j.d)
		}
		present, old := bhs(out, j.kvHeads, j.sk, j.d), bhs(optional(c, gqaPastK+i), j.kvHeads, room, j.d)
		for b := range j.batch {
			past := j.offsets[b]
			for h := range j.kvHeads {
				dst := present.at(b, h, 0)[:j.sk*j.d]
				if past > 0 {
					copy(dst[:past*j.d], old.at(b, h, 0))
				}
				last := min(past+j.sq, j.sk)
				for s := past; s < last; s++ {
					copy(dst[s*j.d:(s+1)*j.d], v.at(b, h, s-past))
				}
				clear(dst[last*j.d:])
			}
		}
		*v = present
	}
	return nil
}
