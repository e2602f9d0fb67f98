package dynquant

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// Quantize replaces the matrix products of z's graph and its bodies that have a constant weight by quantized ones, as c says, and
// reports on every candidate. The graph has none of the Epilogue passes' fused products yet.
func Quantize(z *graph.Optimizer, c Config) (*Report, error) {
	s, err := newSelection(c)
	if err != nil {
		return nil, err
	}
	p := &pass{c: c, sel: s, report: &Report{Mode: "int8, profile " + c.Profile}, weights: map[weightKey]*weight{},
		layers: map[layerKey]*layerWeight{}, split: map[*weight][]int{}, tables: map[*graph.Value]*table{}}
	if c.Half {
		p.report.Mode = "fp16"
	}
	if _, err := z.Apply(graph.Pass{Name: "quantize", Run: p.run}, graph.PassOptions{}); err != nil {
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
	weights map[weightKey]*weight
	layers  map[layerKey]*layerWeight
	tables  map[*graph.Value]*table
	split   map[*weight][]int // channels that a weight wants repeated
	seen    map[*graph.Node]bool
	rows    map[rowsKey]*graph.Node // the QuantizeRows node of an activation, in the graph at hand
}

// weightKey says which constant a node reads, and how: nodes with equal keys share the weight.
type weightKey struct {
	v     *graph.Value
	trans bool
}

// layerKey says which quantized form of a weight a node reads.
type layerKey struct {
	w      *weight
	alpha  float32
	repeat string
}

// rowsKey is an activation with the channels that are repeated.
type rowsKey struct {
	x      *graph.Value
	repeat string
}

// layerWeight is a weight as constants of the graph.
type layerWeight struct {
	w              *weight
	repeat         []int
	q              *quantized // of one that is integer in the file
	scales         []float32  // of a float one, which is quantized when it is packed
	err            error
	wv, scale, zer *graph.Value
}

// plannedNode is a candidate that will be replaced.
type plannedNode struct {
	n    *graph.Node
	side int // the input that is the weight
	form linearForm
	w    *weight
	p    *layerWeight
	at   int // its Decision
}

// activation is what the node multiplies with the weight, and whether its rows are columns there.
func (pn *plannedNode) activation() (x *graph.Value, across bool) {
	if pn.side == 0 {
		return pn.n.In[1], !pn.form.transB
	}
	return pn.n.In[0], pn.form.transA
}

// run is the pass on one graph: it decides on every node, quantizes the weights, some at a time, and rewrites.
func (p *pass) run(g *graph.Graph, pc *graph.PassCtx) (int, error) {
	p.pc, p.rows = pc, map[rowsKey]*graph.Node{}
	if p.seen == nil {
		p.seen = map[*graph.Node]bool{}
	}
	var plan []plannedNode
	var lookups []plannedNode // Gather nodes
	var convs []plannedNode
	for n := range pc.Nodes(g) {
		if !n.Is(candidateTypes...) && !p.wantsConv(n) || p.seen[n] {
			continue
		}
		p.seen[n] = true
		if n.Is("Conv") {
			d := p.decideConv(n)
			if p.report.Nodes = append(p.report.Nodes, d); d.Reason == "" {
				convs = append(convs, plannedNode{n: n, at: len(p.report.Nodes) - 1})
			}
			continue
		}
		if n.Is("Gather") {
			if d, ok := p.decideEmbedding(n); ok {
				if p.report.Nodes = append(p.report.Nodes, d); d.Reason == "" {
					lookups = append(lookups, plannedNode{n: n, at: len(p.report.Nodes) - 1})
				}
			}
			continue
		}
		pn, d := p.decide(n)
		p.report.Nodes = append(p.report.Nodes, d)
		if d.Reason == "" {
			pn.at = len(p.report.Nodes) - 1
			plan = append(plan, pn)
		}
	}
	p.quantizeAll(plan)
	changed := 0
	for _, pn := range lookups {
		if err := p.rewriteEmbedding(pn.n, &p.report.Nodes[pn.at]); err != nil {
			return changed, err
		}
		changed++
	}
	for _, pn := range convs {
		if err := p.rewriteConv(pn.n); err != nil {
			return changed, err
		}
		changed++
	}
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

func (p *pass) bytesAfter(w *layerWeight) int64 {
	switch n := int64(w.w.elements()); {
	case p.c.Half:
		return 2 * n
	case w.q != nil:
		return w.q.bytes()
	default:
		return n/int64(w.w.depth())*int64(w.w.depth()+len(w.repeat)) + 4*int64(len(w.scales))
	}
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
	case p.isIndicator(x):
		return keep("the activation is zeros and ones: the product looks rows of the weight up")
	case w.elements() < p.sel.min:
		return keep(fmt.Sprintf("the weight has fewer than %d elements", p.sel.min))
	case x.Spec.DType != tensor.Float32:
		return keep(fmt.Sprintf("the activation is %v", x.Spec))
	case !p.c.Half && w.depth() > maxDepth:
		return keep(fmt.Sprintf("a depth of %d overflows int32 sums, the largest is %d", w.depth(), maxDepth))
	case (side == 0 || form.transA && side == 1) && !x.Spec.Ranked:
		return keep("the rank of the activation is not known")
	}
	key := weightKey{n.In[side], w.trans}
	if p.weights[key] == nil {
		p.weights[key] = w
	}
	return plannedNode{n: n, side: side, form: form, w: p.weights[key]}, d
}

// isIndicator reports whether v is a one-hot encoding or another cast of truth values. Such a product adds up rows of the
// weight, as an embedding table does: int8 would only round them.
func (p *pass) isIndicator(v *graph.Value) bool {
	for {
		n := p.pc.Maker(v)
		switch {
		case n.Is("Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Identity"):
			v = n.In[0]
		case n.Is("Cast"):
			return n.In[0].Spec.DType == tensor.Bool
		default:
			return n.Is("OneHot")
		}
	}
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

// quantizeAll quantizes each weight once, on as many goroutines as the session may use. Layers on one activation agree
// on the channels that it repeats.
func (p *pass) quantizeAll(plan []plannedNode) {
	p.findSplits(plan)
	repeat := p.agreeOnRepeats(plan)
	var todo []*layerWeight
	for i := range plan {
		pn := &plan[i]
		r := repeat[i]
		if pn.w.ints != nil {
			r = nil
		}
		key := layerKey{pn.w, pn.form.alpha, fmt.Sprint(r)}
		if p.layers[key] == nil {
			p.layers[key] = &layerWeight{w: pn.w, repeat: r}
			todo = append(todo, p.layers[key])
		}
		pn.p = p.layers[key]
	}
	if p.c.Half {
		return
	}
	p.each(len(todo), func(i int) {
		if l := todo[i]; l.w.ints != nil {
			l.q, l.err = l.w.quantize(p.c.Kernels, l.repeat)
		} else {
			l.scales, l.err = l.w.scales(p.c.Kernels, l.repeat)
			l.w.release()
		}
	})
}

// findSplits asks each weight which channels it wants repeated, in profile row alone: profile onnx has no such thing.
func (p *pass) findSplits(plan []plannedNode) {
	if p.c.Half || p.c.Profile != "row" {
		return
	}
	var todo []*weight
	for _, pn := range plan {
		if _, ok := p.split[pn.w]; !ok {
			p.split[pn.w] = nil
			todo = append(todo, pn.w)
		}
	}
	lists := make([][]int, len(todo))
	p.each(len(todo), func(i int) {
		lists[i] = todo[i].splits(p.c.Kernels)
		todo[i].release()
	})
	for i, w := range todo {
		p.split[w] = lists[i]
	}
}

// agreeOnRepeats returns for each node the channels that its activation repeats: each as often as the layer that wants
// it most does.
func (p *pass) agreeOnRepeats(plan []plannedNode) [][]int {
	type source struct {
		x      *graph.Value
		across bool
	}
	most := map[source]map[int]int{}
	for i := range plan {
		x, across := plan[i].activation()
		s := source{x, across}
		if most[s] == nil {
			most[s] = map[int]int{}
		}
		count := map[int]int{}
		for _, c := range p.split[plan[i].w] {
			count[c]++
			most[s][c] = max(most[s][c], count[c])
		}
	}
	lists := make([][]int, len(plan))
	for i := range plan {
		x, across := plan[i].activation()
		m := most[source{x, across}]
		for _, c := range slices.Sorted(maps.Keys(m)) {
			for range m[c] {
				lists[i] = append(lists[i], c)
			}
		}
	}
	return lists
}

// each calls f for 0 <= i < n on as many goroutines as the session may use.
func (p *pass) each(n int, f func(i int)) {
	var next atomic.Int32
	work := func() {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			f(i)
		}
	}
	var others sync.WaitGroup
	for range min(p.c.Threads, n) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
}
