package graph

import (
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// known reports whether the node's outputs all follow from the input shapes.
func (p *plan) known(n *progNode) bool {
	if !foldable(n.Node) {
		return false
	}
	any := false
	for _, id := range n.out {
		if id >= 0 {
			if p.shapes.Const(p.prog.values[id]) == nil {
				return false
			}
			any = true
		}
	}
	return any
}

// needed finds the nodes whose outputs somebody reads, when known nodes do not run.
func (p *plan) needed() (nodes, values []bool) {
	nodes, values = make([]bool, len(p.prog.nodes)), make([]bool, len(p.values))
	for _, id := range p.prog.outputs {
		values[id] = true
	}
	for i := len(p.prog.nodes) - 1; i >= 0; i-- {
		n := &p.prog.nodes[i]
		for _, id := range n.out {
			nodes[i] = nodes[i] || (id >= 0 && values[id])
		}
		if !nodes[i] && !p.heap {
			continue
		}
		nodes[i] = true
		if p.heap { // for those who watch
			for _, id := range n.out {
				if id >= 0 {
					values[id] = true
				}
			}
		}
		if p.known(n) {
			continue
		}
		for _, id := range n.reads {
			values[id] = true
		}
	}
	return nodes, values
}

// setSteps decides for every node how it runs, and for its outputs where they are.
func (p *plan) setSteps() {
	nodes, values := p.needed()
	for i := range p.prog.nodes {
		if !nodes[i] {
			continue
		}
		n := &p.prog.nodes[i]
		st := planStep{node: i, wanted: make([]bool, len(n.out))}
		for k, id := range n.out {
			st.wanted[k] = id >= 0 && values[id]
		}
		st.kind = p.kindOf(n, st.wanted)
		switch st.kind {
		case stepKnown:
			for _, id := range n.out {
				if id >= 0 {
					p.values[id].store, p.values[id].value = storeConstant, p.shapes.Const(p.prog.values[id])
				}
			}
		case stepShare:
			v, src := &p.values[n.out[0]], &p.values[n.in[n.view]]
			v.store, v.root = src.store, src.root
			if src.store == storeConstant {
				st.kind = stepKnown
				v.value, _ = src.value.Reshape(v.shape...)
			}
		default:
			for k, id := range n.out {
				if st.wanted[k] {
					p.values[id].store = p.storeOf(st.kind, id)
				}
			}
		}
		p.steps = append(p.steps, st)
	}
}

func (p *plan) kindOf(n *progNode, wanted []bool) stepKind {
	switch {
	case p.known(n):
		return stepKnown
	case len(n.bodies) > 0:
		return stepBody
	case !p.complete(n, wanted):
		return stepLate
	case n.view >= 0 && p.values[n.in[n.view]].shape != nil:
		return stepShare
	}
	return stepRun
}

func (p *plan) storeOf(kind stepKind, id int) storage {
	switch {
	case kind != stepRun:
		return storeDynamic
	case p.heap || p.values[id].spec.DType == tensor.String:
		return storeHeap
	}
	return storeArena
}

// complete reports whether the node's inputs and wanted outputs are tensors of known type and shape.
func (p *plan) complete(n *progNode, wanted []bool) bool {
	for i, id := range n.in {
		if id >= 0 && !n.taken[i] && p.values[id].shape == nil {
			return false
		}
	}
	for k, id := range n.out {
		if wanted[k] && p.values[id].shape == nil {
			return false
		}
	}
	return true
}

// setOutputs takes the values that leave the run out of the arena, and finds those to be copied. What leaves a body may
// be a value around it or a constant of the model; what leaves the model is nobody else's.
func (p *plan) setOutputs() {
	body := p.prog.parent != nil
	var seen []int
	for _, id := range p.prog.outputs {
		root := p.values[id].root
		r := &p.values[root]
		if r.store == storeArena {
			r.store = storeHeap
		}
		o := planOutput{value: id}
		if body {
			o.copy = r.store == storeConstant && p.prog.consts[root] == nil
		} else {
			o.copy = r.store == storeConstant || r.store == storeInput || slices.Contains(seen, root)
		}
		p.outs = append(p.outs, o)
		seen = append(seen, root)
	}
}

// setViews settles the views, now that it is known where their memory is: one of arena memory is bound once, one of
// memory that is new in every run takes a step. Steps with nothing to do are dropped.
func (p *plan) setViews() {
	for i := range p.values {
		p.values[i].store = p.values[p.values[i].root].store
	}
	kept := p.steps[:0]
	for _, st := range p.steps {
		n := &p.prog.nodes[st.node]
		if st.kind == stepShare && p.values[n.out[0]].store == storeArena {
			st.kind = stepKnown
		}
		if st.kind != stepKnown || p.heap {
			kept = append(kept, st)
		}
	}
	p.steps = kept
}

// setSlots lists for every step the tensors that are others in every run.
func (p *plan) setSlots() {
	for i := range p.steps {
		st := &p.steps[i]
		if st.kind == stepKnown {
			continue
		}
		n := &p.prog.nodes[st.node]
		for k, id := range n.in {
			if id >= 0 && !n.taken[k] && p.moves(id) {
				st.dynIn = append(st.dynIn, slotValue{k, id})
			}
		}
		for k, id := range n.out {
			if st.kind == stepRun && st.wanted[k] && p.values[id].store == storeHeap {
				st.heap = append(st.heap, slotValue{k, id})
			}
		}
	}
	for id := range p.values {
		v := &p.values[id]
		switch v.store {
		case storeInput, storeHeap, storeDynamic:
			p.transient = append(p.transient, id)
		}
		last := p.values[p.rootOf(id)].last
		if (v.store == storeHeap || v.store == storeDynamic) && last >= 0 && last < len(p.steps) {
			p.steps[last].drop = append(p.steps[last].drop, id)
		}
	}
}

// moves reports whether the value is another tensor in every run. A view is one header for all runs.
func (p *plan) moves(id int) bool {
	switch v := &p.values[id]; v.store {
	case storeInput, storeHeap, storeDynamic:
		return v.root == id
	}
	return false
}
