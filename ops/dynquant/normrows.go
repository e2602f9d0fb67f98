package dynquant

import (
	"fmt"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) normRows() []graph.Def {
	return []graph.Def{{Domain: "qrun", Op: "NormQuantizeRows", Since: 1, New: l.newNormRows, Types: []tensor.DType{tensor.Float32}}}
}

// normRows is LayerNormalization over the last dimension, or with rms RMSNormalization, followed by QuantizeRows in profile
// row, some rows at a time, so that the second reads what the first wrote from the first-level cache. Inputs: X float32
// [..., K], gamma [K], beta [K] or absent. Outputs: those of QuantizeRows and, when it is read, the normalized X.
type normRows struct {
	quantizeRows
	eps float32
	rms bool
}

func (l lib) newNormRows(a *graph.Attrs) (graph.Op, error) {
	o := &normRows{eps: a.Float("epsilon", 1e-5), rms: a.Bool("rms", false)}
	op, err := l.newQuantizeRows(a)
	if err != nil {
		return nil, err
	}
	if o.quantizeRows = *op.(*quantizeRows); o.tensor {
		return nil, fmt.Errorf("%w: profile onnx", graph.ErrUnsupported)
	}
	return o, nil
}

func (o *normRows) Infer(c *graph.InferCtx) error {
	x := c.In(0)
	if c.NumIn() < 2 || c.NumIn() > 3 {
		return fmt.Errorf("want 2 or 3 inputs, got %d", c.NumIn())
	}
	if x.DType != tensor.Float32 {
		return fmt.Errorf("want an input of type float32, got %v", x)
	}
	for i := 1; i < c.NumIn(); i++ {
		p := c.In(i)
		if c.Has(i) && (p.DType != tensor.Float32 || p.Ranked && (len(p.Dims) != 1 || x.Rank() > 0 && !agree(p.Dims, x.Dims[len(x.Dims)-1:]))) {
			return fmt.Errorf("input %d is %v, want one number for each of the last dimension of %v", i, p, x)
		}
	}
	if err := o.infer(c); err != nil {
		return err
	}
	c.Out(4, x)
	return nil
}

// normBytes is how much of the rows is normalized before it is quantized.
const normBytes = 16 << 10

func (o *normRows) Run(c *graph.RunCtx) error {
	j := graph.State[normJob](c)
	defer func() { *j = normJob{} }()
	j.rows = o.job(c)
	n := j.rows.width
	j.block = max(1, normBytes/4/max(1, n))
	j.rms = o.rms
	j.norm = backend.Rows{N: n, SrcStep: n, DstStep: n, Eps: o.eps, Gamma: tensor.View[float32](c.In[1])}
	if b := at(c.In, 2); b != nil {
		j.norm.Beta = tensor.View[float32](b)
	}
	if c.Wants(4) {
		j.y = tensor.View[float32](c.Out[4])
	} else {
		j.own = scratch[float32](c, c.Threads()*j.block*n)
	}
	if n == 0 {
		return c.For(len(j.rows.sum), 1, &j.rows)
	}
	return c.For(len(j.rows.sum), j.rows.grain(), j)
}

// normJob normalizes and quantizes rows.
type normJob struct {
	rows  rowsJob
	norm  backend.Rows // but for Src, Dst and Rows
	rms   bool
	block int
	y     []float32 // nil: own
	own   []float32 // a block for each goroutine
}

// Do is for a loop that is one call.
func (j *normJob) Do(lo, hi int) { j.DoAs(0, lo, hi) }

// DoAs handles rows lo to hi in the memory of a goroutine.
func (j *normJob) DoAs(worker, lo, hi int) {
	n, r := j.rows.width, j.norm
	for ; lo < hi; lo += j.block {
		r.Rows = min(j.block, hi-lo)
		end := lo + r.Rows
		r.Src = j.rows.x[lo*n : end*n]
		if r.Dst = j.own; j.y != nil {
			r.Dst = j.y[lo*n : end*n]
		} else {
			r.Dst = r.Dst[worker*j.block*n:][:r.Rows*n]
		}
		if j.rms {
			j.rows.k.RMSNormRows(&r)
		} else {
			j.rows.k.LayerNormRows(&r)
		}
		j.rows.quantize(r.Dst, lo, end)
	}
}

// FuseNorms is the pass that puts a normalization over the last dimension into the QuantizeRows that reads it.
func FuseNorms() graph.Pass {
	return graph.Pass{Name: "norm-quantize", Stage: graph.Epilogue, Run: fuseNorms, Doc: "a normalization and the quantization of its rows in one pass over them"}
}

func fuseNorms(g *graph.Graph, pc *graph.PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		if !normalizesRows(pc, n) {
			continue
		}
		var q *graph.Node
		for _, r := range pc.Readers(n.Out[0]) {
			if r.Domain == "qrun" && r.Type == "QuantizeRows" && r.StrAttr("profile", "row") == "row" && pc.Home(r) == pc.Home(n) {
				q = r
				break
			}
		}
		if q == nil {
			continue
		}
		attrs := []graph.Attr{graph.FloatA("epsilon", n.FloatAttr("epsilon", 1e-5)), graph.IntA("rms", int64(b2i(n.Type == "RMSNormalization")))}
		if r := q.IntsAttr("repeat"); r != nil {
			attrs = append(attrs, graph.IntsA("repeat", r...))
		}
		out := append(q.Out[:4:4], n.Out[0])
		if len(pc.Readers(n.Out[0])) == 1 && !pc.IsOutput(n.Out[0]) {
			out = out[:4]
		}
		m, err := pc.Make(n, "qrun", "NormQuantizeRows", n.In, out, attrs...)
		if err != nil {
			return changed, err
		}
		pc.Replace(n, m)
		pc.Remove(q)
		changed++
	}
	return changed, nil
}

// normalizesRows reports whether n normalizes float32 rows with one gamma, and beta, for each of their elements.
func normalizesRows(pc *graph.PassCtx, n *graph.Node) bool {
	if !n.Is("LayerNormalization", "RMSNormalization") || len(n.In) < 2 || n.Out[0] == nil || n.In[0].Spec.DType != tensor.Float32 || n.In[0].Spec.Rank() < 1 {
		return false
	}
	if axis := n.IntAttr("axis", -1); axis != -1 && axis != int64(n.In[0].Spec.Rank()-1) {
		return false
	}
	for _, v := range n.Out[1:] {
		if v != nil && pc.Needed(v) {
			return false
		}
	}
	k := n.In[0].Spec.Dims[n.In[0].Spec.Rank()-1]
	for _, v := range n.In[1:] {
		if v != nil && (v.Spec.Rank() != 1 || !k.Known() || v.Spec.Dims[0].Size != k.Size) {
			return false
		}
	}
	return true
}
