package dynquant

import (
	"fmt"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/ops"
	"github.com/qrun-onnx/qrun/tensor"
)

// linearGroup is several products QLinear of one quantized activation, qrun.QLinears: their tasks are spread over the
// goroutines together. Inputs: Q, scale, zero and sum, then W of two dimensions, wscale, wzero and bias of each (the last
// two may be absent). Outputs: the results. Attributes of QLinear are lists here; repeats says how many of the channels in
// repeat each has, nodes names the layers.
type linearGroup struct{ parts []*linear }

// The inputs of a layer, from its first on.
const (
	groupFirst = 4
	groupOwn   = 4
)

func (l lib) newLinearGroup(a *graph.Attrs) (graph.Op, error) {
	a.Ignore("nodes")
	g, err := ops.GroupAttrsOf(a)
	if err != nil {
		return nil, err
	}
	counts, repeat := a.Ints("repeats"), a.Ints("repeat")
	if counts == nil {
		counts = make([]int64, g.N)
	}
	if len(counts) != g.N {
		return nil, fmt.Errorf("want %d numbers of repeated channels, got %d", g.N, len(counts))
	}
	o := &linearGroup{}
	for i := range g.N {
		p := &linear{l: l, trans: g.TransB[i] != 0, p0: g.P0[i], p1: g.P1[i], alpha: g.Alpha[i]}
		if counts[i] < 0 || counts[i] > int64(len(repeat)) {
			return nil, fmt.Errorf("repeat has %d channels, layer %d wants %d", len(repeat), i, counts[i])
		}
		for _, c := range repeat[:counts[i]] {
			if c < 0 {
				return nil, fmt.Errorf("repeat has channel %d", c)
			}
			p.repeat = append(p.repeat, int(c))
		}
		repeat = repeat[counts[i]:]
		if p.act, err = backend.ParseActivation(g.Activation[i]); err != nil {
			return nil, err
		}
		o.parts = append(o.parts, p)
	}
	return o, nil
}

func (o *linearGroup) KernelName() string { return o.parts[0].KernelName() }

func (o *linearGroup) Infer(c *graph.InferCtx) error {
	last := groupFirst + groupOwn*len(o.parts)
	if c.NumIn() <= last-groupOwn+1 || c.NumIn() > last {
		return fmt.Errorf("want %d to %d inputs, got %d", last-groupOwn+2, last, c.NumIn())
	}
	for i, p := range o.parts {
		at := groupFirst + groupOwn*i
		if w := c.In(at); w.Rank() != 2 {
			return fmt.Errorf("weight %d is %v, want a matrix", i, w)
		}
		y, err := p.result(c.In(linQ), c.In(at), c.In(at+1), c.Has(at+2))
		if err != nil {
			return err
		}
		c.Out(i, y)
	}
	if c.NumOut() != len(o.parts) {
		return fmt.Errorf("want %d outputs, got %d", len(o.parts), c.NumOut())
	}
	return nil
}

func (o *linearGroup) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	g := &linearGroup{}
	var used []int
	for i, p := range o.parts {
		at := groupFirst + groupOwn*i
		op, took, err := p.Prepack(layerInputs(consts, at))
		if err != nil {
			return nil, nil, err
		}
		for _, k := range took {
			used = append(used, at+k-linW)
		}
		g.parts = append(g.parts, op.(*linear))
	}
	return g, used, nil
}

// layerInputs are the inputs of a layer whose own begin at number first, as QLinear has them.
func layerInputs(in []*tensor.Tensor, first int) []*tensor.Tensor {
	list := make([]*tensor.Tensor, linInputs)
	copy(list, in[:groupFirst])
	copy(list[linW:], in[first:min(first+groupOwn, len(in))])
	return list
}

// WeightBytes is the memory of the packed weights.
func (o *linearGroup) WeightBytes() (n int64) {
	for _, p := range o.parts {
		n += p.WeightBytes()
	}
	return n
}

// Operations counts those of all products.
func (o *linearGroup) Operations(in, out []tensor.Spec) (n int64) {
	for i := range min(len(out), len(o.parts)) {
		n += productOperations(in, out[i:i+1], groupFirst+groupOwn*i, o.parts[i].trans)
	}
	return n
}

// gemmGroup is the job of several products, whose tasks are numbered through.
type gemmGroup struct {
	gemms []backend.GemmU8S8
	ends  []int // the number of tasks of a product and those before it
}

func (o *linearGroup) Run(c *graph.RunCtx) error {
	j := graph.State[gemmGroup](c)
	defer func() { clear(j.gemms) }()
	if cap(j.gemms) < len(o.parts) {
		j.gemms, j.ends = make([]backend.GemmU8S8, len(o.parts)), make([]int, len(o.parts))
	}
	j.gemms, j.ends = j.gemms[:len(o.parts)], j.ends[:len(o.parts)]
	q := c.In[linQ].Shape()
	rows, stride, end := c.In[linSum].Len(), q[len(q)-1], 0
	for i, p := range o.parts {
		first := groupFirst + groupOwn*i
		packs := p.packs
		if packs == nil {
			packs = p.pack(layerInputs(c.In, first))
		}
		if c.Out[i] != nil {
			p.start(c, &j.gemms[i], layerProduct{(*packs)[0], tensor.View[float32](c.Out[i]), at(c.In, first+linBias-linW), nil}, 0, 0, rows, stride)
			end += j.gemms[i].Tasks()
		}
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

// LayerNames are the names of the layers whose quantized products a node computes, one for each of its outputs.
func LayerNames(n *graph.Node) []string {
	switch {
	case n.Domain != "qrun":
		return nil
	case n.Type == "QLinear", n.Type == "QConv":
		return []string{n.Name}
	case n.Type == "QLinears":
		a, _ := n.Attrs.Lookup("nodes")
		return a.Strings
	}
	return nil
}
