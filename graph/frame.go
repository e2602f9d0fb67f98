package graph

import (
	"context"
	"fmt"
	"slices"

	"github.com/qrun-onnx/qrun/internal/par"
	"github.com/qrun-onnx/qrun/tensor"
)

// runState is the memory and the goroutines of one run. Between runs it is on its Executable's free list.
type runState struct {
	pool    *par.Pool
	arenas  []arena // by depth of the program: of the bodies of one depth, one runs at a time
	scratch scratch
	root    *execFrame
	in      []*tensor.Tensor
	into    []*tensor.Tensor // by output: where a caller wants it, nil elsewhere
	direct  bool             // the run is one into tensors of the caller
	opts    RunOptions
	done    <-chan struct{}
}

// arena is the memory of a program's values. Tensor headers of another generation point to memory that was given up.
type arena struct {
	buf        []byte
	generation int
}

func newRunState(prog *program, limit *par.Limit) *runState {
	rs := &runState{pool: par.NewPool(limit), in: make([]*tensor.Tensor, len(prog.inputs))}
	rs.root = newFrame(rs, prog, nil)
	return rs
}

// size is the number of bytes that the state keeps.
func (rs *runState) size() int64 {
	n := int64(len(rs.scratch.buf))
	for _, a := range rs.arenas {
		n += int64(len(a.buf))
	}
	return n
}

// arena makes room for n bytes at a depth, and returns it with the generation of its memory.
func (rs *runState) arena(depth, n int) *arena {
	for len(rs.arenas) <= depth {
		rs.arenas = append(rs.arenas, arena{})
	}
	a := &rs.arenas[depth]
	if len(a.buf) < n {
		a.buf = tensor.AlignedBytes(n)
		a.generation++
	}
	return a
}

// execFrame is a program in a run: the operators' states, the frames of its bodies, and its tensors under the plans used
// last. It is the frame of the operators' RunCtx.
type execFrame struct {
	rs     *runState
	prog   *program
	outer  *execFrame
	bound  []*binding // the one used last is last
	now    *binding
	node   int    // the one that runs
	wanted []bool // outputs of it
	states []any
	bodies [][]*execFrame
	caps   []*tensor.Tensor
	outs   []*tensor.Tensor // of a body: its outputs, until it runs again
	rc     RunCtx
}

func newFrame(rs *runState, prog *program, outer *execFrame) *execFrame {
	f := &execFrame{rs: rs, prog: prog, outer: outer, states: make([]any, len(prog.nodes)), caps: make([]*tensor.Tensor, len(prog.captures))}
	f.bodies = make([][]*execFrame, len(prog.nodes))
	f.rc.frame = f
	return f
}

// maxBindings is the number of plans whose tensor headers a frame keeps.
const maxBindings = 4

// binding is a plan with tensor headers over a run state's arena.
type binding struct {
	plan       *plan
	generation int
	values     []*tensor.Tensor // nil where there is none at the moment
	steps      []boundStep
	headers    []*tensor.Tensor // of the caller's tensors, by output; nil where operators do not write to them
}

type boundStep struct{ in, out []*tensor.Tensor }

// bind makes the plan for these inputs the present one. cache is where the plans of the program are.
func (f *execFrame) bind(cache *planCache, in, captured []*tensor.Tensor) error {
	var outer *plan
	if f.outer != nil {
		outer = f.outer.now.plan
	}
	heap := f.rs.opts.Watch != nil
	for i := len(f.bound) - 1; i >= 0; i-- {
		b := f.bound[i]
		if b.plan.outer != outer || b.plan.heap != heap || !b.plan.matches(in, captured) {
			continue
		}
		f.bound = append(slices.Delete(f.bound, i, i+1), b)
		if f.rs.arena(f.prog.depth, b.plan.arena).generation == b.generation {
			f.now = b
			return nil
		}
		f.bound = f.bound[:len(f.bound)-1]
		return f.use(b.plan)
	}
	p := cache.find(in, captured)
	if p == nil {
		var err error
		if p, err = newPlan(f.prog, outer, heap, in, captured); err != nil {
			return err
		}
		cache.add(p)
	}
	return f.use(p)
}

func (f *execFrame) use(p *plan) error {
	b, err := newBinding(p, f.rs.arena(f.prog.depth, p.arena))
	if err != nil {
		return err
	}
	if len(f.bound) == maxBindings {
		f.bound = slices.Delete(f.bound, 0, 1)
	}
	f.bound, f.now = append(f.bound, b), b
	return nil
}

func newBinding(p *plan, a *arena) (*binding, error) {
	b := &binding{plan: p, generation: a.generation, values: make([]*tensor.Tensor, len(p.values)), steps: make([]boundStep, len(p.steps))}
	for id := range p.values {
		v := &p.values[id]
		switch {
		case v.value != nil:
			b.values[id] = v.value
		case v.store == storeArena:
			off := p.values[p.rootOf(id)].off
			t, err := tensor.FromBytes(v.spec.DType, a.buf[off:off+v.size:off+v.size], v.shape...)
			if err != nil {
				return nil, fmt.Errorf("value %q: %w", p.prog.values[id].Name, err)
			}
			b.values[id] = t
		case v.store != storeNone && v.root != id:
			b.values[id] = tensor.Header(v.spec.DType, v.shape...)
		}
	}
	for i := range p.steps {
		n := &p.prog.nodes[p.steps[i].node]
		s := &b.steps[i]
		s.in, s.out = make([]*tensor.Tensor, len(n.in)), make([]*tensor.Tensor, len(n.out))
		for k, id := range n.in {
			if id >= 0 && !n.taken[k] {
				s.in[k] = b.values[id]
			}
		}
		for k, id := range n.out {
			if p.steps[i].wanted[k] {
				s.out[k] = b.values[id]
			}
		}
	}
	return b, nil
}

// forget drops what the frame and those of its bodies keep of the context and the tensors of a run.
func (f *execFrame) forget() {
	f.rc = RunCtx{frame: f}
	clear(f.outs)
	for _, bodies := range f.bodies {
		for _, b := range bodies {
			if b != nil {
				b.forget()
			}
		}
	}
}

// letGo drops the tensors of the run that is over.
func (f *execFrame) letGo() {
	b := f.now
	if b == nil {
		return
	}
	for _, id := range b.plan.transient {
		b.drop(id)
	}
	for i := range b.plan.steps {
		b.clear(i)
	}
	for _, h := range b.headers {
		if h != nil {
			h.Share(nil)
		}
	}
	clear(f.caps)
	f.now = nil
}

func (b *binding) drop(id int) {
	if b.plan.values[id].root == id {
		b.values[id] = nil
	} else {
		b.values[id].Share(nil)
	}
}

// clear takes the tensors of this run out of a step.
func (b *binding) clear(i int) {
	st, s := &b.plan.steps[i], &b.steps[i]
	for _, d := range st.dynIn {
		s.in[d.slot] = nil
	}
	for _, d := range st.heap {
		s.out[d.slot] = nil
	}
}

// Spec implements Known: of the actual tensors, for messages.
func (f *execFrame) Spec(v *Value) tensor.Spec {
	if id, ok := f.prog.index[v]; ok && f.now != nil {
		if t := f.now.values[id]; t != nil {
			return t.Spec()
		}
		return f.now.plan.values[id].spec
	}
	return v.Spec
}

// Const implements Known.
func (f *execFrame) Const(v *Value) *tensor.Tensor { return v.Const }

func (f *execFrame) alloc(d tensor.DType, shape []int) (*tensor.Tensor, error) {
	return newTensor(d, shape)
}

// newTensor is tensor.New within the bound of a value's size.
func newTensor(d tensor.DType, shape []int) (*tensor.Tensor, error) {
	n, err := tensor.Count(shape)
	if err != nil {
		return nil, err
	}
	if tooLarge(d, n) {
		return nil, fmt.Errorf("%v is too large", tensor.SpecOf(d, shape...))
	}
	return tensor.New(d, shape...)
}

func (f *execFrame) wants(_ *Node, i int) bool { return i < len(f.wanted) && f.wanted[i] }

func (f *execFrame) parallel(n, grain int, b par.Body) error { return f.rs.pool.For(n, grain, b) }

func (f *execFrame) threads() int { return f.rs.pool.Threads() }

func (f *execFrame) scratch(n int) []byte { return f.rs.scratch.take(n) }

func (f *execFrame) state(*Node) *any { return &f.states[f.node] }

func (f *execFrame) runBody(ctx context.Context, _ *Node, name string, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	n := &f.prog.nodes[f.node]
	i := slices.IndexFunc(n.bodies, func(b progBody) bool { return b.name == name })
	if i < 0 {
		return nil, fmt.Errorf("there is no body %q", name)
	}
	if f.bodies[f.node] == nil {
		f.bodies[f.node] = make([]*execFrame, len(n.bodies))
	}
	body := f.bodies[f.node][i]
	if body == nil {
		body = newFrame(f.rs, n.bodies[i].program, f)
		f.bodies[f.node][i] = body
	}
	if len(in) != len(body.prog.inputs) {
		return nil, fmt.Errorf("body %q has %d inputs, given %d", name, len(body.prog.inputs), len(in))
	}
	for k, c := range body.prog.captures {
		body.caps[k] = f.now.values[c.outer]
	}
	return body.run(ctx, f.now.plan.bodies[f.node][i], in)
}
