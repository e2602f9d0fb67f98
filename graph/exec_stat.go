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
	FLOPs    int64         // 0 where the operator does not count
	In, Out  []tensor.Spec // the zero Spec where absent, taken over by a packed operator, or read by nobody
}

func (f *execFrame) report(b *binding, n *progNode, s *boundStep, start time.Time) {
	st := NodeStat{Node: n.Node, Depth: f.prog.depth, Start: start, Duration: time.Since(start)}
	if k, ok := n.Op.(KernelNamer); ok {
		st.Kernel = k.KernelName()
	}
	if k, ok := n.Op.(FLOPer); ok {
		st.FLOPs = k.FLOPs(s.in)
	}
	st.In, st.Out = specsOf(s.in), specsOf(f.outsOf(b, n))
	f.rs.opts.OnNode(st)
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
