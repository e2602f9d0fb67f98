package graph

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"

	"github.com/qrun-onnx/qrun/tensor"
)

// Limits of what inference computes: shape arithmetic, not data.
const (
	planConstElems = 1024    // largest output whose elements are computed before a run
	planConstReads = 1 << 16 // largest number of elements that are read to compute one
	planConstBytes = 16 * planConstElems
)

// Known tells what is known of values before the nodes that read them run: the frame or plan around a body.
type Known interface {
	// Spec is what is known of v.
	Spec(v *Value) tensor.Spec
	// Const is the value of v where it is known, else nil.
	Const(v *Value) *tensor.Tensor
}

// inference computes the specs of a graph's values in node order.
type inference struct {
	specs  map[*Value]tensor.Spec
	consts map[*Value]*tensor.Tensor
	ints   map[*Value][]tensor.Dim
	outer  Known // for values of the graphs around, nil: those of the model's graph are in specs
	// load: dimensions may be symbolic, what a Value already carries is a hint, and bodies share this inference.
	load bool
	// distinct: every open dimension of an output gets a symbol of its own, unless it is known to be another one.
	distinct bool
	symbols  int
	free     []*InferCtx // to be used again
}

func newInference(load bool, outer Known) *inference {
	return &inference{specs: map[*Value]tensor.Spec{}, consts: map[*Value]*tensor.Tensor{}, ints: map[*Value][]tensor.Dim{}, outer: outer, load: load}
}

// Spec implements Known.
func (e *inference) Spec(v *Value) tensor.Spec {
	if s, ok := e.specs[v]; ok {
		return s
	}
	switch {
	case v.Const != nil:
		return v.Const.Spec()
	case e.outer != nil:
		return e.outer.Spec(v)
	}
	return v.Spec
}

// Const implements Known.
func (e *inference) Const(v *Value) *tensor.Tensor {
	if v.Const != nil {
		return v.Const
	}
	if t, ok := e.consts[v]; ok {
		return t
	}
	if e.outer != nil {
		return e.outer.Const(v)
	}
	return nil
}

func (e *inference) intsOf(v *Value) []tensor.Dim {
	if d, ok := e.ints[v]; ok {
		return d
	}
	if o, ok := e.outer.(*inference); ok {
		return o.intsOf(v)
	}
	return nil
}

// graph infers the values of g from specs of its inputs, which may be fewer than the inputs.
func (e *inference) graph(g *Graph, in []tensor.Spec, consts []*tensor.Tensor) error {
	for i, v := range g.Inputs {
		s := v.Spec
		if i < len(in) {
			s = in[i]
			if e.load {
				s = orHint(s, v.Spec)
			}
		}
		e.specs[v] = s
		delete(e.ints, v)
		delete(e.consts, v)
		if i < len(consts) && consts[i] != nil {
			e.consts[v] = consts[i]
		}
	}
	for _, n := range g.Nodes {
		if err := e.node(n); err != nil {
			return err
		}
	}
	return nil
}

func (e *inference) node(n *Node) error {
	if n.Op == nil {
		return nodeError(n, e, errors.New("node has no operator"))
	}
	c := e.ctx(n)
	for i, v := range n.In {
		if v != nil {
			c.specs[i], c.consts[i], c.ints[i] = e.Spec(v), e.Const(v), e.intsOf(v)
			c.in[i] = &c.specs[i]
		}
	}
	if err := inferOp(n, c); err != nil {
		return nodeError(n, e, err)
	}
	for i, v := range n.Out {
		if v != nil {
			e.keep(v, c.out[i], c.outC[i], c.outI[i])
		}
	}
	e.compute(n, c)
	e.free = append(e.free, c)
	return nil
}

// ctx is an empty context for a node; the one around it, of a node with a body, is in use.
func (e *inference) ctx(n *Node) *InferCtx {
	c := &InferCtx{}
	if k := len(e.free); k > 0 {
		c, e.free = e.free[k-1], e.free[:k-1]
	}
	c.Node, c.eng = n, e
	c.in, c.specs, c.consts, c.ints = zeroed(c.in, len(n.In)), zeroed(c.specs, len(n.In)), zeroed(c.consts, len(n.In)), zeroed(c.ints, len(n.In))
	c.out, c.outC, c.outI = zeroed(c.out, len(n.Out)), zeroed(c.outC, len(n.Out)), zeroed(c.outI, len(n.Out))
	return c
}

// zeroed is n zero elements, in the memory of s where they fit.
func zeroed[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, max(n, 8)) // most nodes have fewer inputs and outputs
	}
	s = s[:n]
	clear(s)
	return s
}

// inferOp calls the operator; a panic of it is an error.
func inferOp(n *Node, c *InferCtx) (err error) {
	defer recovered(&err)
	return n.Op.Infer(c)
}

// recovered, deferred, turns a panic into an error with its stack.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
	}
}

func (e *inference) keep(v *Value, s tensor.Spec, t *tensor.Tensor, ints []tensor.Dim) {
	delete(e.ints, v)
	delete(e.consts, v)
	if ints != nil && s.DType == tensor.Undefined && !s.Ranked {
		s = tensor.SpecOf(tensor.Int64, len(ints))
	}
	if e.load {
		s = orHint(s, v.Spec)
	}
	if e.distinct {
		s = e.named(s)
	}
	e.specs[v] = s
	if t == nil && ints != nil {
		t = intsTensor(s, ints)
	}
	switch {
	case t != nil:
		e.consts[v] = t
		e.specs[v] = t.Spec()
	case ints != nil:
		e.ints[v] = ints
	}
}

// named gives open dimensions without a symbol one that nothing else has.
func (e *inference) named(s tensor.Spec) tensor.Spec {
	cloned := false
	for i, d := range s.Dims {
		if d.Size >= 0 || d.Name != "" {
			continue
		}
		if !cloned {
			s.Dims, cloned = slices.Clone(s.Dims), true
		}
		e.symbols++
		s.Dims[i].Name = "#" + strconv.Itoa(e.symbols)
	}
	return s
}

// compute runs a node of which every input is known, when it is as small as shape arithmetic is. An operator that fails
// stays to fail in the run, where it may never be reached.
func (e *inference) compute(n *Node, c *InferCtx) {
	if !foldable(n) {
		return
	}
	reads, done := 0, true
	for i, v := range n.In {
		if v == nil {
			continue
		}
		if c.consts[i] == nil || c.consts[i].Kind() != tensor.KindTensor {
			return
		}
		if reads += c.consts[i].Len(); reads > planConstReads {
			return
		}
	}
	for _, v := range n.Out {
		if v == nil {
			continue
		}
		shape, ok := e.specs[v].Shape()
		if !ok {
			return
		}
		if k, err := tensor.Count(shape); err != nil || k > planConstElems {
			return
		}
		done = done && e.consts[v] != nil
	}
	if done {
		return
	}
	out, err := evalNode(n, c.consts, planConstBytes)
	if err != nil {
		return
	}
	for i, v := range n.Out {
		if v != nil && out[i] != nil {
			e.consts[v], e.specs[v] = out[i], out[i].Spec()
		}
	}
}

// body infers a node's body; see InferCtx.InferBody.
func (e *inference) body(n *Node, name string, in []tensor.Spec, consts []*tensor.Tensor) ([]tensor.Spec, error) {
	g := n.Bodies[name]
	if g == nil {
		return nil, fmt.Errorf("there is no body %q", name)
	}
	if len(in) != len(g.Inputs) {
		return nil, fmt.Errorf("body %q has %d inputs, given %d", name, len(g.Inputs), len(in))
	}
	if !e.load {
		e = newInference(false, e)
	}
	if err := e.graph(g, in, consts); err != nil {
		return nil, err
	}
	out := make([]tensor.Spec, len(g.Outputs))
	for i, v := range g.Outputs {
		out[i] = e.Spec(v)
	}
	return out, nil
}

// Infer infers the types and shapes of the model's graph and of the bodies in it from the specs of its inputs, and sets
// the Spec of every value. What a Value's Spec held before counts where inference finds nothing.
func (g *Graph) Infer() error {
	_, err := g.infer()
	return err
}

func (g *Graph) infer() (*inference, error) {
	e := newInference(true, nil)
	e.specs = make(map[*Value]tensor.Spec, len(g.Nodes)+len(g.Inputs))
	if err := e.graph(g, nil, nil); err != nil {
		return nil, err
	}
	for v, s := range e.specs {
		v.Spec = s
	}
	return e, nil
}
