package dynquant

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// Quantize replaces the matrix products of g and its bodies that have a constant weight by quantized ones, as c says, and
// reports on every candidate. g has been inferred, and has none of the Epilogue passes' fused products yet.
func Quantize(g *graph.Graph, reg *graph.Registry, c Config) (*Report, error) {
	s, err := newSelection(c)
	if err != nil {
		return nil, err
	}
	p := &pass{c: c, sel: s, report: &Report{Mode: "int8, profile " + c.Profile}, weights: map[weightKey]*product8{}}
	if c.Half {
		p.report.Mode = "fp16"
	}
	if _, err := graph.Apply(g, reg, graph.Pass{Name: "quantize", Run: p.run}, graph.PassOptions{}); err != nil {
		return nil, err
	}
	names := make([]string, len(p.report.Nodes))
	for i, d := range p.report.Nodes {
		names[i] = d.Node
	}
	return p.report, s.unmatched(names)
}

// pass is one Quantize.
type pass struct {
	c       Config
	sel     *selection
	report  *Report
	pc      *graph.PassCtx
	weights map[weightKey]*product8
	seen    map[*graph.Node]bool
	rows    map[*graph.Value]*graph.Node // the QuantizeRows node of an activation, in the graph at hand
}

// weightKey says which constant a node reads, and how: nodes with equal keys share the quantized weight.
type weightKey struct {
	v     *graph.Value
	trans bool
	alpha float32
}

// product8 is a weight as constants of the graph.
type product8 struct {
	w              *weight
	q              *quantized
	err            error
	wv, scale, zer *graph.Value
}

// plannedNode is a candidate that will be replaced.
type plannedNode struct {
	n    *graph.Node
	side int // the input that is the weight
	form linearForm
	p    *product8
	at   int // its Decision
}

// run is the pass on one graph: it decides on every node, quantizes the weights, some at a time, and rewrites.
func (p *pass) run(g *graph.Graph, pc *graph.PassCtx) (int, error) {
	p.pc, p.rows = pc, map[*graph.Value]*graph.Node{}
	if p.seen == nil {
		p.seen = map[*graph.Node]bool{}
	}
	var plan []plannedNode
	for n := range pc.Nodes(g) {
		if !n.Is(candidateTypes...) || p.seen[n] {
			continue
		}
		p.seen[n] = true
		pn, d := p.decide(n)
		p.report.Nodes = append(p.report.Nodes, d)
		if d.Reason == "" {
			pn.at = len(p.report.Nodes) - 1
			plan = append(plan, pn)
		}
	}
	p.quantizeAll(plan)
	changed := 0
	for _, pn := range plan {
		d := &p.report.Nodes[pn.at]
		if pn.p.err != nil {
			d.Decision, d.Reason, d.BytesAfter = "float32", pn.p.err.Error(), d.BytesBefore
			continue
		}
		if err := p.rewrite(pn); err != nil {
			return changed, err
		}
		d.BytesAfter = p.bytesAfter(pn.p)
		changed++
	}
	return changed, nil
}

func (p *pass) bytesAfter(w *product8) int64 {
	if p.c.Half {
		return int64(len(w.wv.Const.Bytes()))
	}
	return w.q.bytes()
}

// decide says what becomes of a node.
func (p *pass) decide(n *graph.Node) (plannedNode, Decision) {
	d := Decision{Node: n.Name, Op: n.Type, Decision: "int8"}
	if p.c.Half {
		d.Decision = "fp16"
	}
	keep := func(reason string) (plannedNode, Decision) {
		d.Decision, d.Reason, d.BytesAfter = "float32", reason, d.BytesBefore
		return plannedNode{}, d
	}
	refused := p.sel.refuse(n.Name, n.Type)
	form, err := formOf(n)
	if err != nil {
		return keep(err.Error())
	}
	side, w, reason := p.findWeight(n, form)
	if w == nil {
		return keep(reason)
	}
	d.WeightShape, d.BytesBefore = w.shape, w.bytes()
	x := n.In[1-side]
	switch {
	case refused != "":
		return keep(refused)
	case w.elements() < p.sel.min:
		return keep(fmt.Sprintf("the weight has fewer than %d elements", p.sel.min))
	case x.Spec.DType != tensor.Float32:
		return keep(fmt.Sprintf("the activation is %v", x.Spec))
	case !p.c.Half && w.depth() > maxDepth:
		return keep(fmt.Sprintf("a depth of %d overflows int32 sums, the largest is %d", w.depth(), maxDepth))
	case (side == 0 || form.transA && side == 1) && !x.Spec.Ranked:
		return keep("the rank of the activation is not known")
	}
	key := weightKey{n.In[side], w.trans, form.alpha}
	if p.weights[key] == nil {
		p.weights[key] = &product8{w: w}
	}
	return plannedNode{n: n, side: side, form: form, p: p.weights[key]}, d
}

// findWeight looks for the constant: on the right, else on the left, where the product is computed transposed.
func (p *pass) findWeight(n *graph.Node, f linearForm) (side int, w *weight, reason string) {
	w, reason = p.constWeight(n.In[1], f.transB)
	if w != nil {
		return 1, w, ""
	}
	if left, _ := p.constWeight(n.In[0], !f.transA); left != nil {
		return 0, left, ""
	}
	return 1, nil, reason
}

// quantizeAll quantizes each weight once, on as many goroutines as the session may use.
func (p *pass) quantizeAll(plan []plannedNode) {
	var todo []*product8
	seen := map[*product8]bool{}
	for _, pn := range plan {
		if !seen[pn.p] && pn.p.wv == nil {
			seen[pn.p] = true
			todo = append(todo, pn.p)
		}
	}
	var next atomic.Int32
	work := func() {
		for i := int(next.Add(1)) - 1; i < len(todo); i = int(next.Add(1)) - 1 {
			if !p.c.Half {
				todo[i].q, todo[i].err = todo[i].w.quantize()
			}
		}
	}
	var others sync.WaitGroup
	for range min(p.c.Threads, len(todo)) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
}
