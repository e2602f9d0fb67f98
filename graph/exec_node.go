package graph

import (
	"context"
	"fmt"

	"github.com/qrun-onnx/qrun/tensor"
)

// RunNode runs one node of the model's graph by itself on the given inputs, one per n.In (those that a packed operator
// took over do not count), and returns its outputs: to see what a node does to values of another run. Nodes with bodies
// are not supported.
func (e *Executable) RunNode(ctx context.Context, n *Node, in []*tensor.Tensor) (outs []*tensor.Tensor, err error) {
	at := -1
	for i := range e.prog.nodes {
		if e.prog.nodes[i].Node == n {
			at = i
		}
	}
	switch {
	case at < 0:
		return nil, fmt.Errorf("the graph has no such node")
	case len(n.Bodies) > 0:
		return nil, fmt.Errorf("%w: %s %q by itself, since it has a body", ErrUnsupported, qualified(n.Domain, n.Type), n.Name)
	case len(in) != len(n.In):
		return nil, fmt.Errorf("%s %q has %d inputs, given %d", qualified(n.Domain, n.Type), n.Name, len(n.In), len(in))
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rs := e.acquire()
	rs.pool.Begin(ctx)
	f, pn := rs.root, &e.prog.nodes[at]
	st := &planStep{kind: stepLate, node: at, wanted: make([]bool, len(n.Out))}
	s := &boundStep{in: make([]*tensor.Tensor, len(in)), out: make([]*tensor.Tensor, len(n.Out))}
	for i, v := range n.In {
		if v != nil && !pn.taken[i] {
			s.in[i] = in[i]
		}
	}
	for i, v := range n.Out {
		st.wanted[i] = v != nil
	}
	f.rc.Ctx = ctx
	err = f.call(st, s, pn)
	rs.scratch.release(0)
	rs.pool.End()
	if err != nil {
		return nil, f.wrap(ctx, pn, err)
	}
	e.putBack(rs)
	for i, t := range s.out {
		if t == nil && st.wanted[i] {
			return nil, fmt.Errorf("%s %q left output %d unset", qualified(n.Domain, n.Type), n.Name, i)
		}
	}
	return s.out, nil
}
