package graph

import (
	"fmt"
	"iter"
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// PassCtx is a graph with its bodies under rewriting: who makes and who reads each value, kept right by its methods. Node
// lists of graphs change only when the pass is done, so iterating over them is safe meanwhile.
type PassCtx struct {
	Options PassOptions

	reg     *Registry
	root    *Graph
	all     []*Graph
	order   []*Graph // all of them, inner ones first
	maker   map[*Value]*Node
	readers map[*Value][]*Node // once per input that reads, nodes in bodies included
	listed  map[*Value]int     // how often a value is an output of a graph
	home    map[*Node]*Graph
	gone    map[*Node]bool
	before  map[*Node][]*Node // to be put in front of a node, also when that is gone
	names   map[string]bool
	known   *inference      // of the graph as it was when the pass began, the contents of values included
	exact   *inference      // with a symbol of its own for each open dimension of the inputs
	spliced map[*Graph]bool // graphs whose node list lacks nodes that a pass moved there
}

func newPassCtx(g *Graph, reg *Registry, known *inference) *PassCtx {
	size := len(g.Nodes)
	pc := &PassCtx{reg: reg, root: g, known: known, maker: make(map[*Value]*Node, size), readers: make(map[*Value][]*Node, 2*size),
		listed: map[*Value]int{}, home: make(map[*Node]*Graph, size), gone: map[*Node]bool{}, before: map[*Node][]*Node{}, spliced: map[*Graph]bool{}}
	pc.addGraph(g)
	pc.order = pc.graphs()
	return pc
}

func (pc *PassCtx) addGraph(g *Graph) {
	pc.all = append(pc.all, g)
	for _, v := range g.Outputs {
		pc.listed[v]++
	}
	for _, n := range g.Nodes {
		pc.addNode(g, n)
	}
}

func (pc *PassCtx) addNode(g *Graph, n *Node) {
	pc.home[n] = g
	for _, v := range n.In {
		if v != nil {
			pc.readers[v] = append(pc.readers[v], n)
		}
	}
	for _, v := range n.Out {
		if v != nil {
			pc.maker[v] = n
		}
	}
	for _, name := range bodyNames(n) {
		pc.addGraph(n.Bodies[name])
	}
}

// graphs lists the model's graph and all bodies, inner ones first.
func (pc *PassCtx) graphs() []*Graph {
	var list []*Graph
	var walk func(g *Graph)
	walk = func(g *Graph) {
		for _, n := range g.Nodes {
			for _, name := range bodyNames(n) {
				walk(n.Bodies[name])
			}
		}
		list = append(list, g)
	}
	walk(pc.root)
	return list
}

// commit writes the changes to the node lists.
func (pc *PassCtx) commit() {
	for _, g := range pc.all {
		pc.commitGraph(g)
	}
}

func (pc *PassCtx) commitGraph(g *Graph) {
	nodes := make([]*Node, 0, len(g.Nodes))
	var put func(n *Node)
	put = func(n *Node) {
		for _, b := range pc.before[n] {
			put(b)
		}
		if !pc.gone[n] {
			nodes = append(nodes, n)
		}
	}
	for _, n := range g.Nodes {
		put(n)
	}
	g.Nodes = nodes
}

// Nodes ranges over the nodes of g in order, leaving out those that the pass has removed. Nodes that the pass adds are
// seen in the next round.
func (pc *PassCtx) Nodes(g *Graph) iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		for _, n := range g.Nodes {
			if !pc.gone[n] && !yield(n) {
				return
			}
		}
	}
}

// Has reports whether the registry knows an operator.
func (pc *PassCtx) Has(domain, op string) bool { _, ok := pc.reg.Newest(domain, op); return ok }

// Make makes a node of the newest version of an operator, to be put in place of node at, whose name it gets. The operator
// has to exist (see Has); trailing nil inputs are dropped.
func (pc *PassCtx) Make(at *Node, domain, op string, in, out []*Value, attrs ...Attr) (*Node, error) {
	def, ok := pc.reg.Newest(domain, op)
	if !ok {
		return nil, fmt.Errorf("%w: operator %s", ErrUnsupported, qualified(domain, op))
	}
	opset := def.Since
	if domain == "" {
		opset = MaxOpset
	}
	n := &Node{Name: at.Name, Domain: domain, Type: op, In: trimAbsent(in), Out: out}
	n.Attrs = NewAttrs(domain, op, opset, attrs...)
	n.Attrs.Name, n.Attrs.NumIn, n.Attrs.NumOut = n.Name, len(n.In), len(n.Out)
	n.Attrs.Absent = absent(n.In)
	if err := n.bind(def); err != nil {
		return nil, nodeError(n, pc.root, err)
	}
	return n, nil
}

// Replace puts n in the place of old, the last node of a pattern, and removes old and what nobody reads any more then.
// n usually makes old's outputs.
func (pc *PassCtx) Replace(old, n *Node) {
	pc.Insert(old, n)
	pc.Remove(old)
}

// Insert puts n in front of node at.
func (pc *PassCtx) Insert(at, n *Node) {
	pc.before[at] = append(pc.before[at], n)
	pc.addNode(pc.home[at], n)
}

// Remove takes a node out, and with it the nodes of which nobody reads a result any more.
func (pc *PassCtx) Remove(n *Node) {
	if pc.gone[n] {
		return
	}
	pc.gone[n] = true
	for _, v := range n.Out {
		if v != nil && pc.maker[v] == n {
			delete(pc.maker, v)
		}
	}
	for _, name := range bodyNames(n) {
		pc.dropGraph(n.Bodies[name])
	}
	for _, v := range n.In {
		if v != nil {
			pc.unread(v, n)
		}
	}
}

func (pc *PassCtx) dropGraph(g *Graph) {
	for _, v := range g.Outputs {
		pc.listed[v]--
		pc.sweep(v)
	}
	for _, n := range g.Nodes {
		pc.Remove(n)
	}
}

func (pc *PassCtx) unread(v *Value, n *Node) {
	r := pc.readers[v]
	if i := slices.Index(r, n); i >= 0 {
		pc.readers[v] = slices.Delete(r, i, i+1)
	}
	pc.sweep(v)
}

// sweep removes the maker of v when none of its outputs is needed.
func (pc *PassCtx) sweep(v *Value) {
	if m := pc.maker[v]; m != nil && !pc.needed(m) {
		pc.Remove(m)
	}
}

func (pc *PassCtx) needed(n *Node) bool {
	return slices.ContainsFunc(n.Out, func(v *Value) bool { return v != nil && pc.Needed(v) })
}

// Needed reports whether a node or a graph's output list reads v.
func (pc *PassCtx) Needed(v *Value) bool { return len(pc.readers[v]) > 0 || pc.listed[v] > 0 }

// Use lets every node that reads old read v instead. The maker of old is removed when it is not needed then. Graph outputs
// keep old.
func (pc *PassCtx) Use(old, v *Value) {
	if old == v {
		return
	}
	readers := pc.readers[old]
	delete(pc.readers, old)
	pc.readers[v] = append(pc.readers[v], readers...)
	for _, n := range readers {
		for i, x := range n.In {
			if x == old {
				n.In[i] = v
			}
		}
	}
	pc.sweep(old)
}

// SetIn makes v input i of n.
func (pc *PassCtx) SetIn(n *Node, i int, v *Value) {
	old := n.In[i]
	if old == v {
		return
	}
	n.In[i] = v
	if v != nil {
		pc.readers[v] = append(pc.readers[v], n)
	}
	if old != nil {
		pc.unread(old, n)
	}
}

// Bypass removes n, whose output 0 equals the value x that is known where n stands: all read x instead. A graph output
// keeps its name: then the node that makes x makes it. It reports false, with nothing changed, where that cannot be, as
// for an output that equals an input of the graph.
func (pc *PassCtx) Bypass(n *Node, x *Value) bool {
	y := n.Out[0]
	if pc.listed[y] == 0 {
		pc.Use(y, x)
		pc.Remove(n)
		return true
	}
	if x.Const != nil {
		pc.SetConst(y, x.Const)
		pc.Remove(n)
		return true
	}
	m := pc.maker[x]
	if m == nil || pc.home[m] != pc.home[n] || pc.listed[x] > 0 {
		return false
	}
	m.Out[slices.Index(m.Out, x)] = y
	pc.maker[y] = m
	delete(pc.maker, x)
	pc.Use(x, y)
	pc.Remove(n)
	return true
}

// SetConst makes v a constant. Its maker may be removed then.
func (pc *PassCtx) SetConst(v *Value, t *tensor.Tensor) { v.Const, v.Spec = t, t.Spec() }

// NewValue makes a value for an output of a new node, or with t a constant, under a name that no value has.
func (pc *PassCtx) NewValue(base string, s tensor.Spec, t *tensor.Tensor) *Value {
	if pc.names == nil {
		pc.names = map[string]bool{}
		for v := range pc.listed {
			pc.names[v.Name] = true
		}
		for v := range pc.maker {
			pc.names[v.Name] = true
		}
		for v := range pc.readers {
			pc.names[v.Name] = true
		}
	}
	name := base
	for i := 1; pc.names[name]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	pc.names[name] = true
	v := &Value{Name: name, Spec: s, Const: t}
	if t != nil {
		v.Spec = t.Spec()
	}
	return v
}
