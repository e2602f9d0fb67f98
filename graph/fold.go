package graph

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/qrun-onnx/qrun/tensor"
)

// foldable reports whether a node may be evaluated before a run when its inputs are known.
func foldable(n *Node) bool {
	_, impure := n.Op.(Impure)
	return !impure && len(n.Bodies) == 0
}

// evalNode runs a bound node by itself on known inputs (nil where absent). Its outputs belong to the caller. A panic of
// the operator is an error.
func evalNode(n *Node, in []*tensor.Tensor) (out []*tensor.Tensor, err error) {
	defer func() {
		if r := recover(); r != nil {
			out, err = nil, fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	specs, err := InferNode(n, in, nil)
	if err != nil {
		return nil, err
	}
	r := &RunCtx{Ctx: context.Background(), In: in, Out: make([]*tensor.Tensor, len(n.Out)), node: n, frame: &evalFrame{}}
	for i, s := range specs {
		if n.Out[i] == nil {
			continue
		}
		if shape, ok := s.Shape(); ok {
			if r.Out[i], err = tensor.New(s.DType, shape...); err != nil {
				return nil, err
			}
		}
	}
	if err := n.Op.Run(r); err != nil {
		return nil, err
	}
	for i, v := range n.Out {
		if v != nil && r.Out[i] == nil {
			return nil, fmt.Errorf("%s left output %d unset", qualified(n.Domain, n.Type), i)
		}
	}
	return r.Out, nil
}
