package graph

import (
	"fmt"
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// program is a graph with its values numbered: what all plans of it share. Immutable once the Executable is made.
type program struct {
	graph    *Graph
	parent   *program // of a body: the program of the graph around
	depth    int
	values   []*Value
	index    map[*Value]int
	consts   []*tensor.Tensor // by value; nil also for a constant that only packed operators use
	inputs   []int
	outputs  []int
	captures []capture
	nodes    []progNode
	defined  map[int]bool // while the program is made: values that the next node may read, constants aside
}

// capture is a value of the program around that a body uses.
type capture struct{ here, outer int }

// progNode is a node with its values as numbers, -1 for an absent one.
type progNode struct {
	*Node
	in, out []int
	reads   []int  // the values that running the node needs: inputs not taken over, and captures of bodies
	taken   []bool // inputs that Prepack took over
	view    int    // the input whose memory output 0 shares, -1 for none
	bodies  []progBody
}

type progBody struct {
	name string
	*program
}

func newProgram(g *Graph, parent *program) (*program, error) {
	p := &program{graph: g, parent: parent, index: map[*Value]int{}, defined: map[int]bool{}}
	if parent != nil {
		p.depth = parent.depth + 1
	}
	for _, v := range g.Inputs {
		id := p.add(v)
		p.inputs = append(p.inputs, id)
		p.defined[id] = true
	}
	for _, n := range g.Nodes {
		for _, v := range n.Out {
			if v != nil && v.Const == nil {
				p.add(v)
			}
		}
	}
	for _, n := range g.Nodes {
		pn, err := p.node(n)
		if err != nil {
			return nil, &NodeError{Node: n.Name, Op: qualified(n.Domain, n.Type), Err: err}
		}
		p.nodes = append(p.nodes, pn)
	}
	for _, v := range g.Outputs {
		id, err := p.resolve(v, true)
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", v.Name, err)
		}
		p.outputs = append(p.outputs, id)
	}
	p.defined = nil
	return p, nil
}

func (p *program) add(v *Value) int {
	id, ok := p.index[v]
	if !ok {
		id = len(p.values)
		p.index[v] = id
		p.values = append(p.values, v)
		p.consts = append(p.consts, v.Const)
	}
	return id
}

// resolve numbers a value that is read: one of this program, a constant, or a capture. inOrder says that it has to be
// computed by now.
func (p *program) resolve(v *Value, inOrder bool) (int, error) {
	if id, ok := p.index[v]; ok {
		if inOrder && v.Const == nil && !p.defined[id] {
			return 0, fmt.Errorf("value %q is read before it is computed", v.Name)
		}
		return id, nil
	}
	if v.Const != nil {
		return p.add(v), nil
	}
	if p.parent == nil {
		return 0, fmt.Errorf("value %q is computed nowhere", v.Name)
	}
	outer, err := p.parent.resolve(v, false)
	if err != nil {
		return 0, err
	}
	id := p.add(v)
	p.captures = append(p.captures, capture{here: id, outer: outer})
	p.defined[id] = true
	return id, nil
}

func (p *program) node(n *Node) (progNode, error) {
	pn := progNode{Node: n, view: -1, taken: make([]bool, len(n.In))}
	if n.Op == nil {
		return pn, fmt.Errorf("the node has no operator")
	}
	for _, v := range n.In {
		id := -1
		if v != nil {
			var err error
			if id, err = p.resolve(v, true); err != nil {
				return pn, err
			}
			pn.reads = append(pn.reads, id)
		}
		pn.in = append(pn.in, id)
	}
	for _, name := range bodyNames(n) {
		body, err := newProgram(n.Bodies[name], p)
		if err != nil {
			return pn, err
		}
		pn.bodies = append(pn.bodies, progBody{name, body})
		for _, c := range body.captures {
			if !p.defined[c.outer] {
				return pn, fmt.Errorf("body %q reads value %q before it is computed", name, p.values[c.outer].Name)
			}
			pn.reads = append(pn.reads, c.outer)
		}
	}
	slices.Sort(pn.reads)
	pn.reads = slices.Compact(pn.reads)
	for _, v := range n.Out {
		id := -1
		if v != nil {
			id = p.add(v)
			p.defined[id] = true
		}
		pn.out = append(pn.out, id)
	}
	p.setView(&pn)
	return pn, nil
}

func (p *program) setView(pn *progNode) {
	pn.view = -1
	if v, ok := pn.Op.(Viewer); ok && len(pn.bodies) == 0 && len(pn.out) > 0 && pn.out[0] >= 0 {
		if i := v.ViewOf(); i >= 0 && i < len(pn.in) && pn.in[i] >= 0 {
			pn.view = i
		}
	}
}

// walk calls f for the program and those of all bodies in it.
func (p *program) walk(f func(*program)) {
	f(p)
	for i := range p.nodes {
		for _, b := range p.nodes[i].bodies {
			b.walk(f)
		}
	}
}
