package dynquant

import (
	"fmt"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) embeddings() []graph.Def {
	return []graph.Def{{Domain: "qrun", Op: "QGather", Since: 1, New: l.newEmbedding, Types: []tensor.DType{tensor.Int8, tensor.Float16}}}
}

// embedding is Gather on axis 0 of a float table that is kept in int8 with a scale per row, or in float16, and widened row
// by row where it is read: Y[i..., :] = float32(T[index[i...], :])*scale[index[i...]]. Inputs: T int8 or float16 [V, ...],
// indices int32 or int64, scale float32 [V] (int8 alone). Y is float32.
type embedding struct{ k *backend.Kernels }

func (l lib) newEmbedding(*graph.Attrs) (graph.Op, error) { return embedding{l.k}, nil }

func (o embedding) Infer(c *graph.InferCtx) error {
	t, ix := c.In(0), c.In(1)
	if t.DType != tensor.Int8 && t.DType != tensor.Float16 || !t.Ranked || len(t.Dims) == 0 {
		return fmt.Errorf("want a table of type int8 or float16 with at least one dimension, got %v", t)
	}
	if ix.DType != tensor.Int32 && ix.DType != tensor.Int64 {
		return fmt.Errorf("want indices of type int32 or int64, got %v", ix)
	}
	if t.DType == tensor.Int8 && c.In(2).DType != tensor.Float32 {
		return fmt.Errorf("want a float32 scale per row, got %v", c.In(2))
	}
	if !ix.Ranked {
		c.Out(0, tensor.Unranked(tensor.Float32))
		return nil
	}
	dims := append([]tensor.Dim{}, ix.Dims...)
	c.Out(0, tensor.Ranked(tensor.Float32, append(dims, t.Dims[1:]...)))
	return nil
}

func (o embedding) Run(c *graph.RunCtx) error {
	j := graph.State[lookup](c)
	defer func() { *j = lookup{} }()
	t := c.In[0]
	rows := t.Shape()[0]
	*j = lookup{k: o.k, out: tensor.View[float32](c.Out[0])}
	if rows > 0 {
		j.width = t.Len() / rows
	}
	if t.DType() == tensor.Int8 {
		j.table, j.scale = tensor.View[int8](t), tensor.View[float32](c.In[2])
	} else {
		j.half = halfView(t)
	}
	n := c.In[1].Len()
	if c.In[1].DType() == tensor.Int64 {
		j.long = tensor.View[int64](c.In[1])
	} else {
		j.short = tensor.View[int32](c.In[1])
	}
	for i := range n {
		if at := j.index(i); at < -int64(rows) || at >= int64(rows) {
			return fmt.Errorf("index %d is outside a table of %d rows", at, rows)
		}
	}
	j.rows = int64(rows)
	return c.For(n, max(1, 8192/max(1, j.width)), j)
}

// lookup widens the rows that the indices name.
type lookup struct {
	k     *backend.Kernels
	out   []float32
	table []int8
	half  []uint16
	scale []float32
	long  []int64
	short []int32
	width int
	rows  int64
}

func (j *lookup) index(i int) int64 {
	if j.long != nil {
		return j.long[i]
	}
	return int64(j.short[i])
}

func (j *lookup) Do(lo, hi int) {
	for i := lo; i < hi; i++ {
		r := j.index(i)
		if r < 0 {
			r += j.rows
		}
		dst, from := j.out[i*j.width:(i+1)*j.width], int(r)*j.width
		if j.half != nil {
			j.k.HalfToFloat(dst, j.half[from:from+j.width])
		} else {
			j.k.DequantizeI8(dst, j.table[from:from+j.width], j.scale[r], 0)
		}
	}
}

// decideEmbedding says what becomes of a Gather.
func (p *pass) decideEmbedding(n *graph.Node) (d Decision, ok bool) {
	t := n.In[0].Const
	if t == nil || t.DType() != tensor.Float32 || t.Rank() < 2 || gatherAxis(n) != 0 {
		return d, false // an index into a shape, or a computed table
	}
	d = Decision{Node: n.Name, Op: n.Type, Decision: "int8", WeightShape: t.Shape(), BytesBefore: int64(len(t.Bytes()))}
	if p.c.Half {
		d.Decision = "fp16"
	}
	keep := func(reason string) (Decision, bool) {
		d.Decision, d.Reason, d.BytesAfter = "float32", reason, d.BytesBefore
		return d, true
	}
	least := max(p.sel.min, minTable)
	switch refused := p.sel.refuse(n.Name, n.Type); {
	case refused != "":
		return keep(refused)
	case t.Len() < least:
		return keep(fmt.Sprintf("the table has fewer than %d elements", least))
	}
	return d, true
}

// minTable is the smallest table worth the widening.
const minTable = 4096

func gatherAxis(n *graph.Node) int {
	a, _ := n.Attrs.Lookup("axis")
	return int(a.I)
}

// rewriteEmbedding replaces a Gather by one on the quantized table; nodes on one table share it.
func (p *pass) rewriteEmbedding(n *graph.Node, d *Decision) error {
	v := n.In[0]
	e := p.tables[v]
	if e == nil {
		e = &table{}
		p.tables[v] = e
		e.err = p.quantizeTable(v, e)
	}
	if e.err != nil {
		d.Decision, d.Reason, d.BytesAfter = "float32", e.err.Error(), d.BytesBefore
		return nil
	}
	node, err := p.pc.Make(n, "qrun", "QGather", []*graph.Value{e.t, n.In[1], e.scale}, n.Out)
	if err != nil {
		return err
	}
	p.pc.Replace(n, node)
	d.BytesAfter = int64(len(e.t.Const.Bytes()))
	if e.scale != nil {
		d.BytesAfter += int64(len(e.scale.Const.Bytes()))
	}
	return nil
}

// table is an embedding table as constants of the graph.
type table struct {
	t, scale *graph.Value
	err      error
}

func (p *pass) quantizeTable(v *graph.Value, e *table) error {
	src := v.Const
	x := tensor.View[float32](src)
	rows := src.Shape()[0]
	width := src.Len() / rows
	if p.c.Half {
		w := weight{float: x, shape: src.Shape()}
		h, err := w.half(1)
		if err == nil {
			e.t = p.constant(v.Name+"_float16", h)
		}
		return err
	}
	q, scale := make([]int8, len(x)), make([]float32, rows)
	const block = 256
	bad := make([]bool, (rows+block-1)/block)
	p.each(len(bad), func(b int) {
		for r := b * block; r < min((b+1)*block, rows); r++ {
			row, out := x[r*width:(r+1)*width], q[r*width:(r+1)*width]
			mn, mx, finite := p.c.Kernels.MinMax(row)
			s, err := scaleOf(max(-mn, mx))
			if err != nil || !finite {
				bad[b] = true
				return
			}
			scale[r] = s
			roundRow(p.c.Kernels, out, row, s)
		}
	})
	for _, b := range bad {
		if b {
			return errNotFinite
		}
	}
	qt, err := tensor.Of(q, src.Shape()...)
	if err != nil {
		return err
	}
	st, err := tensor.Of(scale, rows)
	if err != nil {
		return err
	}
	e.t, e.scale = p.constant(v.Name+"_quantized", qt), p.constant(v.Name+"_scale", st)
	return nil
}
