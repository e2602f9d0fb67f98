package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// matMulGroup is several products FusedMatMul of one A with constant matrices, qrun.FusedMatMuls: their tasks are spread
// over the goroutines together. Inputs: A, then B [K, N], with transB [N, K], and bias [N] or absent of each. Outputs: the
// results. Attributes of FusedMatMul are lists here; nodes names the layers.
type matMulGroup struct{ parts []*matMul }

func (l lib) newFusedMatMuls(a *graph.Attrs) (graph.Op, error) {
	a.Ignore("nodes")
	g, err := GroupAttrsOf(a)
	if err != nil {
		return nil, err
	}
	o := &matMulGroup{}
	for i := range g.N {
		p := &matMul{l: l, alpha: g.Alpha[i], bias: 1}
		p.b.trans = g.TransB[i] != 0
		p.act = fusedActivation{p0: g.P0[i], p1: g.P1[i]}
		if p.act.act, err = activationByName(g.Activation[i]); err != nil {
			return nil, err
		}
		o.parts = append(o.parts, p)
	}
	return o, nil
}

// GroupAttrs are the attributes of several linear layers in one node.
type GroupAttrs struct {
	N             int
	TransB        []int64
	Alpha, P0, P1 []float32
	Activation    []string
}

// GroupAttrsOf reads the attributes, one of each for every layer.
func GroupAttrsOf(a *graph.Attrs) (g GroupAttrs, err error) {
	g = GroupAttrs{TransB: a.Ints("transB"), Alpha: a.Floats("alpha"), P0: a.Floats("p0"), P1: a.Floats("p1"), Activation: a.Strings("activation")}
	g.N = len(g.TransB)
	if g.N == 0 || len(g.Alpha) != g.N || len(g.P0) != g.N || len(g.P1) != g.N || len(g.Activation) != g.N {
		return g, fmt.Errorf("want attributes transB, alpha, activation, p0 and p1 of the same number of layers")
	}
	return g, nil
}

func (o *matMulGroup) Infer(c *graph.InferCtx) error {
	if most := 1 + 2*len(o.parts); c.NumIn() < most-1 || c.NumIn() > most {
		return fmt.Errorf("want %d or %d inputs, got %d", most-1, most, c.NumIn())
	}
	a := c.In(0)
	if err := checkType("matrix product", a.DType, dtypes{tensor.Float32}); err != nil {
		return err
	}
	if a.Ranked && len(a.Dims) < 2 {
		return fmt.Errorf("matrix product of %v, want at least two dimensions", a)
	}
	for i, p := range o.parts {
		b, bias := c.In(1+2*i), c.In(2+2*i)
		if b.DType != tensor.Float32 || !b.Complete() || len(b.Dims) != 2 {
			return fmt.Errorf("weight %d is %v, want a float32 matrix of known shape", i, b)
		}
		y, err := p.result(a, b, tensor.Float32)
		if err != nil {
			return err
		}
		if c.Has(2+2*i) && (bias.Rank() != 1 || y.Ranked && !agree(bias.Dims[0], y.Dims[len(y.Dims)-1])) {
			return fmt.Errorf("bias %v does not fit the result %v", bias, y)
		}
		c.Out(i, y)
	}
	if c.NumOut() != len(o.parts) {
		return fmt.Errorf("want %d outputs, got %d", len(o.parts), c.NumOut())
	}
	return nil
}

// Prepack packs the constant matrices.
func (o *matMulGroup) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	g := &matMulGroup{}
	var used []int
	for i, p := range o.parts {
		op, took, err := p.Prepack([]*tensor.Tensor{nil, consts[1+2*i]})
		if err != nil {
			return nil, nil, err
		}
		if len(took) > 0 {
			used = append(used, 1+2*i)
		}
		g.parts = append(g.parts, op.(*matMul))
	}
	return g, used, nil
}

func (o *matMulGroup) KernelName() string { return o.parts[0].KernelName() }

// WeightBytes is the memory of the packed matrices.
func (o *matMulGroup) WeightBytes() (n int64) {
	for _, p := range o.parts {
		n += p.WeightBytes()
	}
	return n
}

// Operations counts those of all products.
func (o *matMulGroup) Operations(in, out []tensor.Spec) (n int64) {
	for i := range min(len(out), len(o.parts)) {
		n += o.parts[i].Operations(in, out[i:i+1])
	}
	return n
}

// gemmGroup is the job of several products, whose tasks are numbered through.
type gemmGroup struct {
	gemms []backend.GemmF32
	ends  []int // the number of tasks of a product and those before it
}

func (o *matMulGroup) Run(c *graph.RunCtx) error {
	j := graph.State[gemmGroup](c)
	defer func() { clear(j.gemms) }()
	if cap(j.gemms) < len(o.parts) {
		j.gemms, j.ends = make([]backend.GemmF32, len(o.parts)), make([]int, len(o.parts))
	}
	j.gemms, j.ends = j.gemms[:len(o.parts)], j.ends[:len(o.parts)]
	a, k := tensor.View[float32](c.In[0]), c.In[0].Shape()[c.In[0].Rank()-1]
	rows, end := c.In[0].Len()/max(k, 1), 0
	for i, p := range o.parts {
		packs := p.packs
		if packs == nil {
			op, _, err := p.Prepack([]*tensor.Tensor{nil, c.In[1+2*i]})
			if err != nil {
				return err
			}
			packs = op.(*matMul).packs
		}
		n := packs[0].N
		e := backend.Epilogue{Act: p.act.act, P0: p.act.p0, P1: p.act.p1}
		if 2+2*i < len(c.In) && c.In[2+2*i] != nil {
			e.Bias = tensor.View[float32](c.In[2+2*i])
		}
		if j.ends[i] = end; c.Out[i] == nil || rows == 0 {
			continue
		}
		j.gemms[i] = backend.GemmF32{M: rows, A: a, LDA: k, B: packs[0], C: tensor.View[float32](c.Out[i]), LDC: n, Alpha: p.alpha, Epi: e}
		j.gemms[i].Init(p.l.k, c.Threads())
		end += j.gemms[i].Tasks()
		j.ends[i] = end
	}
	return c.For(end, 1, j)
}

// Do computes tasks lo to hi.
func (j *gemmGroup) Do(lo, hi int) {
	start := 0
	for i, end := range j.ends {
		if from, to := max(lo, start), min(hi, end); from < to {
			j.gemms[i].Do(from-start, to-start)
		}
		start = end
	}
}
