package graph

import (
	"time"

	"github.com/qrun-onnx/qrun/tensor"
)

// NodeStat is what there is to tell of one execution of a node.
type NodeStat struct {
	Node     *Node
	Depth    int    // 0 in the model's graph, 1 in the body of one of its nodes, ...
	Kernel   string // as "u8s8/avx512vnni", where the operator says
	Start    time.Time
	Duration time.Duration // bodies included
	// FLOPs are arithmetic operations, of floats or integers, as Counter has them; 0 where the operator does not count.
	FLOPs int64
	// Bytes are those of the inputs, packed weights and outputs, each once: what has to be moved at least.
	Bytes   int64
	In, Out []tensor.Spec // the zero Spec where absent or read by nobody
}

func (f *execFrame) report(b *binding, n *progNode, s *boundStep, start time.Time) {
	st := NodeStat{Node: n.Node, Depth: f.prog.depth, Start: start, Duration: time.Since(start)}
	if k, ok := n.Op.(KernelNamer); ok {
		st.Kernel = k.KernelName()
	}
	outs := f.outsOf(b, n)
	st.In, st.Out = specsOf(s.in), specsOf(outs)
	for i, v := range n.In {
		if v != nil && n.taken[i] {
			st.In[i] = v.Spec
		}
	}
	if c, ok := n.Op.(Counter); ok {
		st.FLOPs = c.Operations(st.In, st.Out)
	}
	st.Bytes = n.moved(s.in, outs)
	f.rs.opts.OnNode(st)
}

// moved counts the bytes of the operands of one execution.
func (n *progNode) moved(in, out []*tensor.Tensor) int64 {
	total := int64(0)
	for _, t := range out {
		total += sizeOf(t)
	}
	written := total
	for i, t := range in {
		size := sizeOf(t)
		if _, ok := n.Op.(Selector); ok && i == 0 && len(out) > 0 {
			size = min(size, written)
		}
		total += size
	}
	if s, ok := n.Op.(Sizer); ok {
		return total + s.WeightBytes()
	}
	for i, v := range n.In {
		if v != nil && n.taken[i] {
			total += int64(v.Spec.DType.ByteLen(int(Elements(v.Spec))))
		}
	}
	return total
}

func sizeOf(t *tensor.Tensor) int64 {
	if t == nil {
		return 0
	}
	n := int64(len(t.Bytes()))
	for _, e := range t.Elems() {
		n += sizeOf(e)
	}
	return n
}

// Elements is the number of elements of a tensor of known shape, else 0.
func Elements(s tensor.Spec) int64 {
	shape, ok := s.Shape()
	if !ok {
		return 0
	}
	n := int64(1)
	for _, d := range shape {
		n *= int64(d)
	}
	return n
}

func specsOf(ts []*tensor.Tensor) []tensor.Spec {
	specs := make([]tensor.Spec, len(ts))
	for i, t := range ts {
		if t != nil {
			specs[i] = t.Spec()
		}
	}
	return specs
}

// Sizer is implemented by operators that keep packed constants, to say how many bytes they take.
type Sizer interface{ WeightBytes() int64 }

// weightBytes is the memory of the constants and of what operators packed.
func weightBytes(root *program) int64 {
	n := int64(0)
	seen := map[*tensor.Tensor]bool{}
	root.walk(func(p *program) {
		for _, c := range p.consts {
			if c != nil && !seen[c] {
				seen[c] = true
				n += int64(len(c.Bytes()))
			}
		}
		for i := range p.nodes {
			if s, ok := p.nodes[i].Op.(Sizer); ok {
				n += s.WeightBytes()
			}
		}
	})
	return n
}
