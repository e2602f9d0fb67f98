package graph

import (
	"fmt"

	"github.com/qrun-onnx/qrun/tensor"
)

// Shapes holds what is known of a graph's values for one set of input shapes, before any node has run: specs, complete
// where they follow from shapes, and the contents of the small tensors that shape arithmetic computes (Shape, Gather,
// Concat, ...), which a run then takes as constants instead of computing them again. It does not depend on the
// contents of the inputs, so it may be cached by input shapes. It is immutable.
type Shapes struct{ e *inference }

// InferShapes infers g's values for one run: in has one spec per g.Inputs, complete where known. For a body, outer tells
// about the values that it captures; it is nil for the model's graph. The graph is not changed, and any number of
// goroutines may call this at once. The error is a *NodeError.
func (g *Graph) InferShapes(in []tensor.Spec, outer Known) (*Shapes, error) {
	if len(in) != len(g.Inputs) {
		return nil, fmt.Errorf("graph %q has %d inputs, given %d", g.Name, len(g.Inputs), len(in))
	}
	e := newInference(false, outer)
	if err := e.graph(g, in, nil); err != nil {
		return nil, err
	}
	e.ints = nil
	return &Shapes{e}, nil
}

// Spec is what is known of v, a value of the graph, of a graph around it, or a constant.
func (s *Shapes) Spec(v *Value) tensor.Spec { return s.e.Spec(v) }

// Const is v's constant or its contents that follow from the input shapes, nil where unknown. The tensor is shared: a
// run must not write to it.
func (s *Shapes) Const(v *Value) *tensor.Tensor { return s.e.Const(v) }

// InferNode infers one node from its actual inputs, whose contents count where they are small: what is left to do during
// a run for a node whose output specs InferShapes could not complete. in has one tensor per n.In; for one that is nil
// though the node has it (taken over by Prepack) the value's Spec counts. outer is needed by nodes with bodies.
func InferNode(n *Node, in []*tensor.Tensor, outer Known) ([]tensor.Spec, error) {
	e := newInference(false, outer)
	for i, v := range n.In {
		switch {
		case v == nil:
		case in[i] == nil:
			e.specs[v] = v.Spec
		default:
			e.specs[v] = in[i].Spec()
			if in[i].Kind() == tensor.KindTensor && in[i].Len() <= planConstReads {
				e.consts[v] = in[i]
			}
		}
	}
	c := &InferCtx{Node: n, eng: e,
		in: make([]*tensor.Spec, len(n.In)), consts: make([]*tensor.Tensor, len(n.In)),
		out: make([]tensor.Spec, len(n.Out)), outC: make([]*tensor.Tensor, len(n.Out)), outI: make([][]tensor.Dim, len(n.Out))}
	for i, v := range n.In {
		if v != nil {
			s := e.Spec(v)
			c.in[i], c.consts[i] = &s, e.Const(v)
		}
	}
	if err := inferOp(n, c); err != nil {
		return nil, nodeError(n, e, err)
	}
	return c.out, nil
}
