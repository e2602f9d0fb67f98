package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// fusedAttention is the core of attention as fusion passes emit it, qrun.Attention:
//
//	inputs     Q, K, V, mask?   (or, with packed, QKV and mask at input 3)
//	attributes num_heads, kv_num_heads (default num_heads), scale (default 1/sqrt(size)), causal,
//	           key_transposed, packed, flat_output
//
// Q, K and V are [batch, heads, seq, size] or, with num_heads, [batch, seq, heads*size], each on its own; K may be
// [batch, heads, size, seq] with key_transposed. With packed, input 0 is [batch, seq, (heads+2*kv_heads)*size] holding
// all three. The result is flat, [batch, seq, heads*size], when Q is or with flat_output. The mask is float32 and
// broadcasts to [batch, heads, queries, keys].
type fusedAttention struct {
	l                                    lib
	heads, kvHeads                       int
	scale                                float32
	scaled, causal, keyT, packed, toFlat bool
}

func (l lib) newFusedAttention(a *graph.Attrs) (graph.Op, error) {
	o := &fusedAttention{l: l, heads: int(a.Int("num_heads", 0)), scaled: a.Has("scale"), scale: a.Float("scale", 1),
		causal: a.Bool("causal", false), keyT: a.Bool("key_transposed", false), packed: a.Bool("packed", false), toFlat: a.Bool("flat_output", false)}
	o.kvHeads = int(a.Int("kv_num_heads", int64(o.heads)))
	if o.heads < 0 || o.kvHeads < 0 || o.packed && (o.heads == 0 || o.kvHeads == 0) {
		return nil, fmt.Errorf("attributes num_heads and kv_num_heads are %d and %d", o.heads, o.kvHeads)
	}
	return o, nil
}

// dims are the sizes of Q, K and V.
func (o *fusedAttention) dims(c *graph.InferCtx) (q, k, v attentionDims, err error) {
	if o.packed {
		all := o.heads + 2*o.kvHeads
		if q, err = newAttentionDims("packed query, key and value", c.In(0), all); err != nil {
			return q, k, v, err
		}
		k = q
		q.heads, k.heads = tensor.Fixed(o.heads), tensor.Fixed(o.kvHeads)
		return q, k, k, nil
	}
	if q, err = newAttentionDims("query", c.In(0), o.heads); err != nil {
		return q, k, v, err
	}
	if k, err = newAttentionDims("key", c.In(1), o.kvHeads); err != nil {
		return q, k, v, err
	}
	if o.keyT {
		k.seq, k.size = k.size, k.seq
	}
	v, err = newAttentionDims("value", c.In(2), o.kvHeads)
	return q, k, v, err
}

func (o *fusedAttention) Infer(c *graph.InferCtx) error {
	need := 3
	if o.packed {
		need = 1
	}
	if err := needInputs(c, need, 4); err != nil {
		return err
	}
	for i := range c.NumIn() {
		if c.Has(i) {
			if err := checkType("fused attention", c.In(i).DType, dtypes{tensor.Float32}); err != nil {
				return err
			}
		}
	}
	q, k, v, err := o.dims(c)
	if err != nil {
		return err
	}
	if !c.In(0).Ranked {
		c.Out(0, tensor.Unranked(tensor.Float32))
		return nil
	}
	if o.keyT && k.flat {
		return fmt.Errorf("a transposed key has four dimensions, got %v", c.In(1))
	}
	if err := checkAttention(q, k, v); err != nil {
		return err
	}
	if m := c.In(3); c.Has(3) && m.Ranked {
		full := []tensor.Dim{q.batch, q.heads, q.seq, k.seq}
		ok := len(m.Dims) >= 1 && len(m.Dims) <= 4
		for i := 0; ok && i < len(m.Dims); i++ {
			d := full[4-len(m.Dims)+i]
			ok = agree(m.Dims[i], d) || m.Dims[i].Size == 1
		}
		if !ok {
			return fmt.Errorf("mask %v does not fit the scores %v", m, full)
		}
	}
	out := []tensor.Dim{q.batch, q.heads, q.seq, v.size}
	if q.flat || o.toFlat {
		out = []tensor.Dim{q.batch, q.seq, tensor.AnyDim}
		if v.size.Known() && q.heads.Known() {
			out[2] = tensor.Fixed(v.size.Size * q.heads.Size)
		}
	}
	c.Out(0, tensor.Ranked(tensor.Float32, out))
	return nil
}

// KernelName says which kernels compute the products.
func (o *fusedAttention) KernelName() string { return "f32/" + o.l.k.Name() }

func (o *fusedAttention) Run(c *graph.RunCtx) error {
	j := graph.State[attention](c)
	j.k = o.l.k
	if o.packed {
		o.unpack(c, j)
	} else {
		j.q, j.batch, j.heads, j.sq, j.d = headed(c.In[0], o.heads)
		j.key, _, j.kvHeads, j.sk, _ = headed(c.In[1], o.kvHeads)
		j.val, _, _, j.sk, j.dv = headed(c.In[2], o.kvHeads)
	}
	j.out, _, _, _, _ = headed(c.Out[0], j.heads)
	j.scale = o.scale
	if !o.scaled {
		j.scale = float32(1 / math.Sqrt(float64(j.d)))
	}
	j.softcap, j.causal, j.offset, j.window = 0, o.causal, 0, 0
	j.keyT, j.stage, j.scores, j.mask = o.keyT, scoreNone, nil, nil
	if len(c.In) > 3 && c.In[3] != nil && j.sk > 0 {
		o.setMask(c, j)
	}
	return j.run(c)
}

func (o *fusedAttention) unpack(c *graph.RunCtx, j *attention) {
	s := c.In[0].Shape()
	j.batch, j.sq, j.sk, j.heads, j.kvHeads = s[0], s[1], s[1], o.heads, o.kvHeads
	j.d = s[2] / (o.heads + 2*o.kvHeads)
	j.dv = j.d
	data := tensor.View[float32](c.In[0])
	at := func(first int) headView { return headView{data[min(first*j.d, len(data)):], s[1] * s[2], j.d, s[2]} }
	j.q, j.key, j.val = at(0), at(o.heads), at(o.heads+o.kvHeads)
}

func (o *fusedAttention) setMask(c *graph.RunCtx, j *attention) {
	shape, m := c.In[3].Shape(), tensor.View[float32](c.In[3])
	if n := shape[len(shape)-1]; n != j.sk { // one number for all keys
		wide := floatScratch(c, len(m)*j.sk)
		for i, v := range m {
			fillFloats(wide[i*j.sk:(i+1)*j.sk], v)
		}
		m = wide
	}
	j.mask = m
	j.maskStrides(shape)
}
