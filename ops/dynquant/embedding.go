package dynquant

import (
	"fmt"
	"slices"
	"unsafe"

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
//
// A T of float32 is rounded where it is read, with the same result: a row to int8 as a table is by quantizeTable, or, with
// attribute half, to float16. A table in a mapped file stays there, and is neither read nor copied as a whole. A row that
// is not finite is not rounded to int8.
type embedding struct {
	k    *backend.Kernels
	half bool
}

func (l lib) newEmbedding(a *graph.Attrs) (graph.Op, error) {
	return embedding{l.k, a.Bool("half", false)}, nil
}

func (o embedding) Infer(c *graph.InferCtx) error {
	t, ix := c.In(0), c.In(1)
	if t.DType != tensor.Int8 && t.DType != tensor.Float16 && t.DType != tensor.Float32 || !t.Ranked || len(t.Dims) == 0 {
		return fmt.Errorf("want a table of type int8, float16 or float32 with at least one dimension, got %v", t)
	}
	if ix.DType != tensor.Int32 && ix.DType != tensor.Int64 {
		return fmt.Errorf("want indices of type int32 or int64, got %v", ix)
	}
	if c.Has(2) != (t.DType == tensor.Int8) {
		return fmt.Errorf("a table of type int8 has a scale per row, and no other has")
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
	n := c.In[1].Len()
	switch {
	case t.DType() == tensor.Int8:
		j.table, j.scale = tensor.View[int8](t), tensor.View[float32](c.In[2])
	case t.DType() == tensor.Float16:
		j.half = halfView(t)
	case o.half:
		j.float, j.bits = tensor.View[float32](t), scratch[uint16](c, n*j.width)
	default:
		j.float, j.bytes = tensor.View[float32](t), scratch[int8](c, n*j.width)
	}
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
	float []float32
	bytes []int8 // for rows of float on their way to int8
	bits  []uint16
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
		switch {
		case j.half != nil:
			j.k.HalfToFloat(dst, j.half[from:from+j.width])
		case j.bits != nil:
			bits := j.bits[i*j.width : (i+1)*j.width]
			j.k.RoundHalf(bits, j.float[from:from+j.width], dst)
			j.k.HalfToFloat(dst, bits)
		case j.float != nil:
			j.rounded(dst, j.float[from:from+j.width], j.bytes[i*j.width:(i+1)*j.width])
		default:
			j.k.DequantizeI8(dst, j.table[from:from+j.width], j.scale[r], 0)
		}
	}
}

// rounded is a row as the int8 table would give it.
func (j *lookup) rounded(dst, row []float32, q []int8) {
	s, err := rowScale(j.k, row)
	if err != nil {
		copy(dst, row)
		return
	}
	roundRow(j.k, q, row, s)
	j.k.DequantizeI8(dst, q, s, 0)
}

// rowScale is the scale of a row of an int8 table.
func rowScale(k *backend.Kernels, row []float32) (float32, error) {
	mn, mx, finite := k.MinMax(row)
	if !finite {
		return 0, errNotFinite
	}
	return scaleOf(max(-mn, mx))
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
		if err := p.quantizeTable(v, e); err != nil {
			return err
		}
	}
	var attrs []graph.Attr
	if p.c.Half {
		attrs = append(attrs, graph.IntA("half", 1))
	}
	node, err := p.pc.Make(n, "qrun", "QGather", []*graph.Value{e.t, n.In[1], e.scale}, n.Out, attrs...)
	if err != nil {
		return err
	}
	p.pc.Replace(n, node)
	d.BytesAfter = d.BytesBefore / 2
	if !p.c.Half {
		d.BytesAfter = d.BytesBefore/4 + 4*int64(d.WeightShape[0])
	}
	return nil
}

// table is an embedding table as constants of the graph; without a scale its rows are rounded where they are read.
type table struct{ t, scale *graph.Value }

// quantizeTable leaves a table in a mapped file where it is, and one with rows that are not finite.
func (p *pass) quantizeTable(v *graph.Value, e *table) error {
	e.t = v
	if graph.InFile(v.Const) {
		return nil
	}
	src := v.Const
	x := tensor.View[float32](src)
	rows := src.Shape()[0]
	width := src.Len() / rows
	const block = 256
	blocks := (rows + block - 1) / block
	if p.c.Half {
		h := make([]tensor.F16, len(x))
		p.each(blocks, func(b int) {
			lo, hi := b*block*width, min((b+1)*block, rows)*width
			bits := unsafe.Slice((*uint16)(unsafe.Pointer(&h[lo])), hi-lo)
			p.c.Kernels.RoundHalf(bits, x[lo:hi], make([]float32, hi-lo))
		})
		t, err := tensor.Of(h, src.Shape()...)
		if err == nil {
			e.t = p.constant(v.Name+"_float16", t)
		}
		return err
	}
	q, scale := make([]int8, len(x)), make([]float32, rows)
	bad := make([]bool, blocks)
	p.each(blocks, func(b int) {
		for r := b * block; r < min((b+1)*block, rows); r++ {
			row, out := x[r*width:(r+1)*width], q[r*width:(r+1)*width]
			s, err := rowScale(p.c.Kernels, row)
			if err != nil {
				bad[b] = true
				return
			}
			scale[r] = s
			roundRow(p.c.Kernels, out, row, s)
		}
	})
	if slices.Contains(bad, true) {
		return nil
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
