package graph

import (
	"context"
	"errors"
	"fmt"

	"github.com/qrun-onnx/qrun/tensor"
)

// A folded constant may be this large, or this many times as large as what it is computed from: weights are brought into
// another form at load, but not blown up.
const (
	foldBytes  = 64 << 10
	foldGrowth = 8
)

// keepElems is the largest number of integers that PassOptions.KeepIntegers does not protect: scales and zero points.
const keepElems = 1024

var errTooLarge = errors.New("result is too large to keep")

// foldable reports whether a node may be evaluated before a run when its inputs are known.
func foldable(n *Node) bool {
	_, impure := n.Op.(Impure)
	return !impure && len(n.Bodies) == 0
}

// evalNode runs a bound node by itself on known inputs (nil where absent) unless its outputs take more than limit bytes.
// What it returns may share memory with the inputs. A panic of the operator is an error.
func evalNode(n *Node, in []*tensor.Tensor, limit int) (out []*tensor.Tensor, err error) {
	defer recovered(&err)
	specs, err := InferNode(n, in, nil)
	if err != nil {
		return nil, err
	}
	f := &boundedFrame{left: limit}
	r := &RunCtx{Ctx: context.Background(), In: in, Out: make([]*tensor.Tensor, len(n.Out)), node: n, frame: f}
	for i, s := range specs {
		if n.Out[i] == nil {
			continue
		}
		if shape, ok := s.Shape(); ok {
			if r.Out[i], err = f.alloc(s.DType, shape); err != nil {
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

// boundedFrame is an evalFrame that refuses to allocate more than is left.
type boundedFrame struct {
	evalFrame
	left int
}

func (f *boundedFrame) alloc(d tensor.DType, shape []int) (*tensor.Tensor, error) {
	n, err := tensor.Count(shape)
	if err != nil {
		return nil, err
	}
	bytes := d.ByteLen(n)
	if d == tensor.String {
		bytes = 16 * n
	}
	if f.left -= bytes; f.left < 0 {
		return nil, errTooLarge
	}
	return tensor.New(d, shape...)
}

// foldConstants makes constants of what follows from constants and from shapes that are known at load.
func foldConstants(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		out, ok := foldedNode(n, pc, pc.known)
		if !ok {
			continue
		}
		for i, v := range n.Out {
			if v != nil {
				pc.SetConst(v, out[i])
			}
		}
		pc.Remove(n)
		changed++
	}
	return changed, nil
}

// foldedNode evaluates a node when its inputs are constants and it is worth keeping the result.
func foldedNode(n *Node, pc *PassCtx, known *inference) ([]*tensor.Tensor, bool) {
	if !foldable(n) {
		return nil, false
	}
	in := make([]*tensor.Tensor, len(n.In))
	bytes, all := 0, true
	for i, v := range n.In {
		if v == nil {
			continue
		}
		if in[i] = v.Const; in[i] == nil {
			all = false
			break
		}
		bytes += len(in[i].Bytes())
	}
	if !all || len(in) > 0 && pc.protected(n, in) {
		return fromShapes(n, known)
	}
	out, err := evalNode(n, in, max(foldBytes, foldGrowth*bytes))
	return out, err == nil
}

// fromShapes is what inference computed of a node's outputs, ok when that is all of them.
func fromShapes(n *Node, known *inference) (out []*tensor.Tensor, ok bool) {
	out = make([]*tensor.Tensor, len(n.Out))
	for i, v := range n.Out {
		if v == nil {
			continue
		}
		if out[i] = known.consts[v]; out[i] == nil {
			return nil, false
		}
	}
	return out, true
}

// protected reports whether the options want a node on constants to stay, so that quantized weights are seen as such.
func (pc *PassCtx) protected(n *Node, in []*tensor.Tensor) bool {
	switch {
	case n.Type == "DequantizeLinear":
		return !pc.Options.FoldDequantize
	case n.Is("Cast") && pc.Options.KeepIntegers:
		return in[0].DType().IsInteger() && in[0].DType().Bits() <= 8 && in[0].Len() > keepElems
	}
	return false
}
