package graph

import (
	"cmp"
	"fmt"
	"slices"
)

// arenaAlign is the alignment of every value in the arena: a cache line, and the widest vector register.
const arenaAlign = 64

// rootOf is the value whose memory id shares.
func (p *plan) rootOf(id int) int {
	for p.values[id].root != id {
		id = p.values[id].root
	}
	return id
}

// setLifetimes finds for every root the step that writes it and the last one that needs its memory. A value that an
// operator made itself may be, or contain, a view of what that operator read: as long as it lives, so does all that.
func (p *plan) setLifetimes() {
	end := len(p.steps)
	for at, st := range p.steps {
		if st.kind == stepKnown {
			continue
		}
		n := &p.prog.nodes[st.node]
		for k, id := range n.out {
			if st.wanted[k] && p.values[id].root == id {
				p.values[id].first, p.values[id].last = at, at
			}
		}
		for _, id := range n.reads {
			r := &p.values[p.rootOf(id)]
			r.last = max(r.last, at)
		}
	}
	for _, id := range p.prog.outputs {
		p.values[p.rootOf(id)].last = end
	}
	for at := end - 1; at >= 0; at-- {
		st := &p.steps[at]
		if st.kind != stepLate && st.kind != stepBody {
			continue
		}
		n := &p.prog.nodes[st.node]
		last := -1
		for k, id := range n.out {
			if st.wanted[k] {
				last = max(last, p.values[p.rootOf(id)].last)
			}
		}
		for _, id := range n.reads {
			r := &p.values[p.rootOf(id)]
			r.last = max(r.last, last)
		}
	}
}

// reuseInPlace lets operators write over an input that nobody needs afterwards.
func (p *plan) reuseInPlace() {
	for at, st := range p.steps {
		n := &p.prog.nodes[st.node]
		op, ok := n.Op.(InPlacer)
		if !ok || st.kind != stepRun || len(n.out) == 0 || !st.wanted[0] {
			continue
		}
		out := &p.values[n.out[0]]
		if out.store != storeArena {
			continue
		}
		for _, i := range op.InPlace() {
			if i < 0 || i >= len(n.in) || n.in[i] < 0 || n.taken[i] {
				continue
			}
			in := &p.values[n.in[i]]
			root := p.rootOf(n.in[i])
			r := &p.values[root]
			if r.store != storeArena || r.last != at || in.spec.DType != out.spec.DType || !slices.Equal(in.shape, out.shape) || p.readsTwice(n, i) {
				continue
			}
			r.last = out.last
			out.root = root
			break
		}
	}
}

// readsTwice reports whether the node reads the memory of input i through another input too.
func (p *plan) readsTwice(n *progNode, i int) bool {
	root := p.rootOf(n.in[i])
	for k, id := range n.in {
		if k != i && id >= 0 && !n.taken[k] && p.rootOf(id) == root {
			return true
		}
	}
	return false
}

// maxBySize is the largest number of values that are placed by size too: that takes the square of it.
const maxBySize = 4000

// setOffsets places the arena's values, each into the smallest gap that holds it among the values that live at the same
// time: the largest first, or those written first. Whichever needs less memory counts.
func (p *plan) setOffsets() error {
	var roots []int
	for id := range p.values {
		if v := &p.values[id]; v.store == storeArena && v.root == id && v.size > 0 {
			roots = append(roots, id)
		}
	}
	slices.SortFunc(roots, func(a, b int) int {
		return cmp.Or(cmp.Compare(p.values[a].first, p.values[b].first), cmp.Compare(a, b))
	})
	p.arena = p.place(roots, true)
	if len(roots) <= maxBySize {
		byTime := make([]int, len(p.values))
		for _, id := range roots {
			byTime[id] = p.values[id].off
		}
		slices.SortStableFunc(roots, func(a, b int) int { return cmp.Compare(p.values[b].size, p.values[a].size) })
		if n := p.place(roots, false); n < p.arena {
			p.arena = n
		} else {
			for _, id := range roots {
				p.values[id].off = byTime[id]
			}
		}
	}
	if p.arena > maxValueBytes {
		return fmt.Errorf("the values of graph %q take more than %d bytes", p.prog.graph.Name, maxValueBytes)
	}
	return nil
}

// place sets the offsets of values one by one and returns the bytes that they take. inTime says that they come in the
// order in which they are written, so that those which died before can be forgotten. It stops above maxValueBytes.
func (p *plan) place(roots []int, inTime bool) int {
	var placed []int // by offset
	end := 0
	for _, id := range roots {
		v := &p.values[id]
		if inTime {
			placed = slices.DeleteFunc(placed, func(o int) bool { return p.values[o].last < v.first })
		}
		v.off = p.gap(placed, v)
		if end = max(end, v.off+alignUp(v.size)); end > maxValueBytes {
			break
		}
		at, _ := slices.BinarySearchFunc(placed, v.off, func(o, off int) int { return cmp.Compare(p.values[o].off, off) })
		placed = slices.Insert(placed, at, id)
	}
	return end
}

func alignUp(n int) int { return (n + arenaAlign - 1) &^ (arenaAlign - 1) }

// gap finds the offset for v: the smallest gap between the placed values that live with it, or the end of them.
func (p *plan) gap(placed []int, v *planValue) int {
	best, bestSize, free := -1, 0, 0
	for _, id := range placed {
		o := &p.values[id]
		if o.last < v.first || v.last < o.first {
			continue
		}
		if size := o.off - free; size >= v.size && (best < 0 || size < bestSize) {
			best, bestSize = free, size
		}
		free = max(free, o.off+alignUp(o.size))
	}
	if best >= 0 {
		return best
	}
	return free
}
