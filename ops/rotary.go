package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func rotaries(l lib) []graph.Def {
	return []graph.Def{
		{Op: "RotaryEmbedding", Since: 23, New: l.newRotary, Types: attentionTypes},
		{Domain: "qrun", Op: "Rotary", Since: 1, New: l.newFusedRotary, Types: dtypes{tensor.Float32}},
		{Domain: "com.microsoft", Op: "RotaryEmbedding", Since: 1, New: l.newContribRotary, Types: attentionTypes},
	}
}

// rotary turns pairs of a head's elements by the angle of their position. Pairs are the two halves of the first size
// elements, or neighbours when interleaved.
type rotary struct {
	l             lib
	contrib       bool // com.microsoft: positions are input 1, and may be one number where they start
	heads, size   int  // 0: not given
	interleaved   bool
	pos, cos, sin int // input numbers
}

func (l lib) newRotary(a *graph.Attrs) (graph.Op, error) {
	o := &rotary{l: l, cos: 1, sin: 2, pos: 3}
	return o, o.attributes(a)
}

func (l lib) newContribRotary(a *graph.Attrs) (graph.Op, error) {
	o := &rotary{l: l, contrib: true, pos: 1, cos: 2, sin: 3}
	a.Only("is_packed_batching", 0)
	if s := a.Float("scale", 1); s != 1 {
		return nil, fmt.Errorf("%w: attribute scale=%v", graph.ErrUnsupported, s)
	}
	return o, o.attributes(a)
}

func (o *rotary) attributes(a *graph.Attrs) error {
	o.heads, o.size, o.interleaved = int(a.Int("num_heads", 0)), int(a.Int("rotary_embedding_dim", 0)), a.Bool("interleaved", false)
	if o.heads < 0 || o.size < 0 || o.size%2 != 0 {
		return fmt.Errorf("attributes num_heads and rotary_embedding_dim are %d and %d", o.heads, o.size)
	}
	return nil
}

func (o *rotary) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 3+b2i(o.contrib), 4); err != nil {
		return err
	}
	d, err := sameType(c, 0, o.cos, o.sin)
	if err != nil {
		return err
	}
	if err := checkType("rotary embedding", d, attentionTypes); err != nil {
		return err
	}
	x, cos := c.In(0), c.In(o.cos)
	if p := c.In(o.pos); p.DType != tensor.Undefined && p.DType != tensor.Int64 {
		return fmt.Errorf("positions of type %v, want int64", p.DType)
	}
	if cos.Ranked {
		if err := wantDims("sin_cache", c.In(o.sin), cos.Dims); err != nil {
			return err
		}
	}
	if shape, ok := x.Shape(); ok && cos.Ranked {
		if err := o.check(c, shape); err != nil {
			return err
		}
	}
	c.Out(0, tensor.Ranked(d, x.Dims))
	if !x.Ranked {
		c.Out(0, tensor.Unranked(d))
	}
	return nil
}

// headCount is the number of heads of an input of three dimensions.
func (o *rotary) headCount(hidden, half int) int {
	if o.heads > 0 || !o.contrib || o.size > 0 || half == 0 {
		return o.heads
	}
	return hidden / (2 * half)
}

func (o *rotary) check(c *graph.InferCtx, x []int) error {
	cos := c.In(o.cos)
	half := cos.Dims[len(cos.Dims)-1]
	size, seq := 0, 0
	switch len(x) {
	case 4:
		seq, size = x[2], x[3]
	case 3:
		heads := o.headCount(x[2], max(half.Size, 0))
		if heads == 0 || x[2]%heads != 0 {
			return fmt.Errorf("input %v cannot be cut into %d heads", c.In(0), heads)
		}
		seq, size = x[1], x[2]/heads
	default:
		return fmt.Errorf("input %v, want three or four dimensions", c.In(0))
	}
	turned := o.size
	if turned == 0 {
		turned = size
	}
	if turned > size || half.Known() && half.Size*2 != turned {
		return fmt.Errorf("cos_cache %v does not fit %d of %d elements of a head", cos, turned, size)
	}
	if !c.Has(o.pos) {
		return wantDims("cos_cache", cos, []tensor.Dim{tensor.Fixed(x[0]), tensor.Fixed(seq), half})
	}
	if len(cos.Dims) != 2 {
		return fmt.Errorf("cos_cache %v, want two dimensions", cos)
	}
	if p := c.In(o.pos); o.contrib && len(p.Dims) == 1 {
		return wantDims("position_ids", p, []tensor.Dim{tensor.Fixed(1)})
	}
	return wantDims("position_ids", c.In(o.pos), []tensor.Dim{tensor.Fixed(x[0]), tensor.Fixed(seq)})
}

func (o *rotary) Run(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d {
	case tensor.Float32:
		return o.runFloat32(c)
	case tensor.Float16, tensor.BFloat16:
		return o.l.asFloat32(c, o.runFloat32)
	default:
		return graph.UnsupportedType("rotary embedding", d)
	}
}

func (o *rotary) runFloat32(c *graph.RunCtx) error {
	j := graph.State[turning](c)
	cos := c.In[o.cos].Shape()
	half := cos[len(cos)-1]
	heads := o.heads
	if s := c.In[0].Shape(); len(s) == 3 {
		heads = o.headCount(s[2], half)
	}
	var batch int
	j.src, batch, j.heads, j.seq, j.size = headed(c.In[0], heads)
	j.dst, _, _, _, _ = headed(c.Out[0], heads)
	j.half, j.interleaved = half, o.interleaved
	j.cos, j.sin = tensor.View[float32](c.In[o.cos]), tensor.View[float32](c.In[o.sin])
	if o.pos < len(c.In) && c.In[o.pos] != nil {
		j.pos = tensor.View[int64](c.In[o.pos])
		for i, p := range j.pos {
			last := p
			if len(j.pos) == 1 && o.contrib && c.In[o.pos].Rank() == 1 {
				last += int64(j.seq) - 1
			}
			if p < 0 || last >= int64(cos[0]) {
				return fmt.Errorf("position_ids[%d] is %d, want 0 to %d", i, p, int64(cos[0])-1-(last-p))
			}
		}
		j.start = o.contrib && c.In[o.pos].Rank() == 1
	}
	j.k = o.l.k
	err := c.For(batch*j.seq, 1+4096/(1+j.heads*j.size), j)
	*j = turning{}
	return err
}

// turning is the job of a rotary, by positions.
type turning struct {
	k                *backend.Kernels
	src, dst         headView
	heads, seq, size int
	half             int // pairs that are turned
	interleaved      bool
	cos, sin         []float32
	pos              []int64 // nil: row i of the caches is position i of all
	start            bool    // pos is where positions start
}

func (j *turning) Do(lo, hi int) {
	for i := lo; i < hi; i++ {
		b, s := i/j.seq, i%j.seq
		at := i
		switch {
		case j.start:
			at = int(j.pos[0]) + s
		case j.pos != nil:
			at = int(j.pos[i])
		}
		cos, sin := j.cos[at*j.half:(at+1)*j.half], j.sin[at*j.half:(at+1)*j.half]
		turnHeads(j.k, &j.dst, &j.src, b, s, j.heads, j.size, cos, sin, j.interleaved)
	}
}

// turnHeads rotates the first len(cos) pairs of all heads of position s of entry b; dst may be src.
func turnHeads(k *backend.Kernels, dst, src *headView, b, s, heads, size int, cos, sin []float32, interleaved bool) {
	n := len(cos)
	if heads > 0 && !interleaved {
		k.TurnHalves(&backend.Turns{Dst: dst.at(b, 0, s), DstStep: dst.head, X: src.at(b, 0, s), XStep: src.head, Rows: heads, Half: n, Cos: cos, Sin: sin})
	}
	for h := range heads {
		to, from := dst.at(b, h, s)[:size], src.at(b, h, s)[:size]
		if interleaved {
			for i := range n {
				x, y := from[2*i], from[2*i+1]
				to[2*i] = float32(cos[i]*x) - float32(sin[i]*y)
				to[2*i+1] = float32(sin[i]*x) + float32(cos[i]*y)
			}
		}
		copy(to[2*n:], from[2*n:])
	}
}
