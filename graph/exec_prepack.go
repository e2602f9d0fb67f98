package graph

import (
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/qrun-onnx/qrun/tensor"
)

// prepack lets the operators bring their constants into their kernels' layout, some at a time, and then lets go of the
// constants that nobody reads any more.
func prepack(root *program, threads int) error {
	var jobs []*progNode
	root.walk(func(p *program) {
		for i := range p.nodes {
			if _, ok := p.nodes[i].Op.(Prepacker); ok {
				jobs = append(jobs, &p.nodes[i])
			}
		}
	})
	errs := make([]error, len(jobs))
	var next atomic.Int32
	work := func() {
		for {
			i := int(next.Add(1)) - 1
			if i >= len(jobs) {
				return
			}
			errs[i] = prepackNode(jobs[i])
		}
	}
	var others sync.WaitGroup
	for range min(threads, len(jobs)) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	for i, err := range errs {
		if err != nil {
			return nodeError(jobs[i].Node, newInference(false, nil), err)
		}
	}
	root.walk(func(p *program) {
		for i := range p.nodes {
			p.setView(&p.nodes[i])
		}
	})
	release(root)
	return nil
}

func prepackNode(pn *progNode) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	consts := make([]*tensor.Tensor, len(pn.In))
	any := false
	for i, v := range pn.In {
		if v != nil && v.Const != nil {
			consts[i], any = v.Const, true
		}
	}
	if !any {
		return nil
	}
	op, used, err := pn.Op.(Prepacker).Prepack(consts)
	if err != nil {
		return err
	}
	if op == nil {
		return fmt.Errorf("prepacking gave no operator")
	}
	pn.Op = op
	for _, i := range used {
		if i < 0 || i >= len(consts) || consts[i] == nil {
			return fmt.Errorf("prepacking took over input %d, which is no constant", i)
		}
		pn.taken[i] = true
		Release(consts[i])
	}
	pn.reads = slices.DeleteFunc(pn.reads, func(id int) bool {
		for i, in := range pn.in {
			if in == id && !pn.taken[i] {
				return false
			}
		}
		return slices.Contains(pn.in, id) && !pn.capturedByBody(id)
	})
	return nil
}

func (pn *progNode) capturedByBody(outer int) bool {
	for _, b := range pn.bodies {
		for _, c := range b.captures {
			if c.outer == outer {
				return true
			}
		}
	}
	return false
}

// release drops the constants that no operator reads, in no graph: their Values keep the Spec.
func release(root *program) {
	read := map[*Value]bool{}
	consts := map[*Value]bool{}
	root.walk(func(p *program) {
		for i := range p.nodes {
			for k, v := range p.nodes[i].In {
				if v != nil && v.Const != nil {
					consts[v] = true
					read[v] = read[v] || !p.nodes[i].taken[k]
				}
			}
		}
		for _, id := range p.outputs {
			read[p.values[id]] = true
		}
		for _, v := range p.graph.Inputs {
			read[v] = true
		}
	})
	for v := range consts {
		v.Spec = v.Const.Spec()
		if !read[v] {
			v.Const = nil
		}
	}
	root.walk(func(p *program) {
		for i, v := range p.values {
			p.consts[i] = v.Const
		}
	})
}
