package graph

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/qrun-onnx/qrun/internal/par"
	"github.com/qrun-onnx/qrun/tensor"
)

// run executes the program on the given inputs, and for a body on the captured values in caps. The outputs of a body are
// memory of their own, or inputs or captured values of it.
func (f *execFrame) run(ctx context.Context, cache *planCache, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	if err := f.bind(cache, in, f.caps); err != nil {
		return nil, err
	}
	return f.runBound(ctx, in)
}

// runBound is run under the present plan.
func (f *execFrame) runBound(ctx context.Context, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	defer f.letGo()
	b := f.now
	for i, id := range f.prog.inputs {
		if b.plan.values[id].store == storeInput {
			b.values[id] = in[i]
		}
	}
	for i, c := range f.prog.captures {
		b.values[c.here] = f.caps[i]
	}
	direct := f.outer == nil && f.rs.direct
	if direct {
		if err := f.bindInto(b); err != nil {
			return nil, err
		}
	}
	f.rc.Ctx = ctx
	for i := range b.steps {
		select {
		case <-f.rs.done:
			return nil, ctx.Err()
		default:
		}
		if err := f.step(ctx, b, i); err != nil {
			return nil, err
		}
	}
	if direct {
		return nil, f.deliver()
	}
	return f.outputs(in)
}

func (f *execFrame) step(ctx context.Context, b *binding, i int) error {
	st, s := &b.plan.steps[i], &b.steps[i]
	n := &f.prog.nodes[st.node]
	for _, d := range st.dynIn {
		s.in[d.slot] = b.values[d.value]
	}
	var err error
	switch st.kind {
	case stepShare:
		b.values[n.out[0]].Share(b.values[n.in[n.view]])
	case stepKnown:
	default:
		var start time.Time
		if f.rs.opts.OnNode != nil {
			start = time.Now()
		}
		if err = f.compute(ctx, b, st, s, n); err == nil && f.rs.opts.OnNode != nil {
			f.report(b, n, s, start)
		}
	}
	if err == nil && f.rs.opts.Watch != nil {
		f.rs.opts.Watch(n.Node, ownHeaders(s.in), ownHeaders(f.outsOf(b, n)))
	}
	b.clear(i)
	for _, id := range st.drop {
		b.drop(id)
	}
	return err
}

// compute makes the outputs that are new in every run, runs the operator and takes the outputs that it made.
func (f *execFrame) compute(ctx context.Context, b *binding, st *planStep, s *boundStep, n *progNode) error {
	for _, d := range st.heap {
		v := &b.plan.values[d.value]
		t := b.values[d.value]
		if t == nil {
			var err error
			if t, err = tensor.New(v.spec.DType, v.shape...); err != nil {
				return nodeError(n.Node, f, err)
			}
		}
		b.values[d.value], s.out[d.slot] = t, t
	}
	mark := f.rs.scratch.top
	err := f.call(st, s, n)
	f.rs.scratch.release(mark)
	if err == nil {
		err = f.takeOutputs(b, st, s, n)
	}
	if err != nil {
		return f.wrap(ctx, n, err)
	}
	return nil
}

// call runs the operator; its panic is an error.
func (f *execFrame) call(st *planStep, s *boundStep, n *progNode) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &par.PanicError{Value: r, Stack: debug.Stack()}
		}
	}()
	f.node, f.wanted = st.node, st.wanted
	if st.kind == stepLate {
		done, err := f.late(st, s, n)
		if done || err != nil {
			return err
		}
	}
	f.rc.In, f.rc.Out, f.rc.node = s.in, s.out, n.Node
	err = n.Op.Run(&f.rc)
	f.rc.In, f.rc.Out = nil, nil
	return err
}

// late infers a node from its actual inputs and makes the outputs whose shape is known then. It reports whether that is
// all there was to do.
func (f *execFrame) late(st *planStep, s *boundStep, n *progNode) (done bool, err error) {
	specs, err := InferNode(n.Node, s.in, nil)
	if err != nil {
		return false, err
	}
	for k, spec := range specs {
		if !st.wanted[k] {
			continue
		}
		shape, ok := spec.Shape()
		if !ok {
			continue
		}
		if k == 0 && n.view >= 0 && s.in[n.view] != nil && s.in[n.view].Kind() == tensor.KindTensor {
			s.out[0], err = s.in[n.view].Reshape(shape...)
			return true, err
		}
		if s.out[k], err = newTensor(spec.DType, shape); err != nil {
			return false, err
		}
	}
	return false, nil
}

// takeOutputs stores what the operator made, and brings what it should not have made itself to where it belongs.
func (f *execFrame) takeOutputs(b *binding, st *planStep, s *boundStep, n *progNode) error {
	for k, id := range n.out {
		if !st.wanted[k] {
			if st.kind != stepRun && k < len(s.out) {
				s.out[k] = nil
			}
			continue
		}
		got, v := s.out[k], &b.plan.values[id]
		if st.kind == stepRun {
			if want := b.values[id]; got != want {
				s.out[k] = want
				if got == nil || !got.CopyTo(want) {
					return fmt.Errorf("output %d is %v, and was inferred as %v", k, describe(got), want.Spec())
				}
			}
			continue
		}
		s.out[k] = nil
		if got == nil {
			return fmt.Errorf("the operator left output %d unset", k)
		}
		if v.shape != nil && (got.Kind() != tensor.KindTensor || got.DType() != v.spec.DType || !slices.Equal(got.Shape(), v.shape)) {
			return fmt.Errorf("output %d is %v, and was inferred as %v", k, got.Spec(), v.spec)
		}
		b.values[id] = got
	}
	return nil
}

func describe(t *tensor.Tensor) string {
	if t == nil {
		return "unset"
	}
	return t.Spec().String()
}

// wrap adds the node to an operator's error. The error of a node in a body keeps that node; the one of a cancelled
// context stays what it is.
func (f *execFrame) wrap(ctx context.Context, n *progNode, err error) error {
	if ctxErr := ctx.Err(); ctxErr != nil && errors.Is(err, ctxErr) {
		return ctxErr
	}
	var ne *NodeError
	if errors.As(err, &ne) {
		return err
	}
	ne = nodeError(n.Node, f, err)
	var pe *par.PanicError
	if errors.As(err, &pe) {
		ne.Stack = pe.Stack
	}
	return ne
}

// outputs collects the outputs of the program.
func (f *execFrame) outputs(in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	b := f.now
	outs := f.outs
	if outs == nil {
		outs = make([]*tensor.Tensor, len(b.plan.outs))
		if f.outer != nil {
			f.outs = outs
		}
	}
	clear(outs)
	for i, o := range b.plan.outs {
		v := &b.plan.values[o.value]
		t := b.values[o.value]
		if t == nil {
			return nil, fmt.Errorf("output %q has no value", f.prog.values[o.value].Name)
		}
		switch {
		case o.copy, f.outer == nil && slices.ContainsFunc(outs[:i], t.Overlaps), v.store == storeDynamic && f.foreign(t, in):
			t = t.Clone()
		case v.store == storeDynamic:
			t = ownHeader(t)
		case v.root != o.value && v.store != storeConstant:
			var err error
			if t, err = t.Reshape(v.shape...); err != nil {
				return nil, err
			}
		}
		outs[i] = t
	}
	return outs, nil
}

// ownHeader returns t with headers of its own: those that an operator passed on may be a frame's, which lets go of their
// elements.
func ownHeader(t *tensor.Tensor) *tensor.Tensor {
	if t == nil {
		return nil
	}
	if t.Kind() == tensor.KindTensor {
		h := tensor.Header(t.DType(), t.Shape()...)
		h.Share(t)
		return h
	}
	elems := ownHeaders(t.Elems())
	if t.Kind() == tensor.KindSequence {
		return tensor.SequenceOf(elems)
	}
	if len(elems) == 0 {
		return tensor.OptionalOf(nil)
	}
	return tensor.OptionalOf(elems[0])
}

func ownHeaders(ts []*tensor.Tensor) []*tensor.Tensor {
	own := make([]*tensor.Tensor, len(ts))
	for i, t := range ts {
		own[i] = ownHeader(t)
	}
	return own
}

// foreign reports whether a value that an operator made shares memory that outlives or leaves the run otherwise.
func (f *execFrame) foreign(t *tensor.Tensor, in []*tensor.Tensor) bool {
	if d := f.prog.depth; d < len(f.rs.arenas) && t.OverlapsBytes(f.rs.arenas[d].buf) {
		return true
	}
	if f.outer != nil {
		return false
	}
	same := func(o *tensor.Tensor) bool { return o != nil && t.Overlaps(o) }
	found := slices.ContainsFunc(in, same)
	f.prog.walk(func(p *program) { found = found || slices.ContainsFunc(p.consts, same) })
	for i := range f.now.plan.values {
		found = found || same(f.now.plan.values[i].value)
	}
	return found
}

func (f *execFrame) outsOf(b *binding, n *progNode) []*tensor.Tensor {
	outs := make([]*tensor.Tensor, len(n.out))
	for k, id := range n.out {
		if id >= 0 {
			outs[k] = b.values[id]
		}
	}
	return outs
}
