package graph

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/qrun-onnx/qrun/internal/par"
	"github.com/qrun-onnx/qrun/tensor"
)

// evalConstLimit is the largest number of elements of an input whose contents Eval shows to Infer.
const evalConstLimit = 1024

// Eval runs one operator by itself on the calling goroutine: it makes the operator from its attributes, infers, allocates
// and runs. nOut is the number of outputs the node has. A nil input is an absent one. Loops are cut into ranges of their
// grain, as a run on many goroutines would. A panic of the operator is returned as an error.
func Eval(def Def, attrs *Attrs, in []*tensor.Tensor, nOut int) (out []*tensor.Tensor, err error) {
	defer func() {
		if r := recover(); r != nil {
			out, err = nil, fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	attrs.NumIn, attrs.NumOut, attrs.Absent = len(in), nOut, absent(in)
	op, err := def.New(attrs)
	if err != nil {
		return nil, err
	}
	if err := attrs.Err(true); err != nil {
		return nil, err
	}
	node := &Node{Domain: def.Domain, Type: def.Op, Since: def.Since, Op: op, Attrs: attrs, Out: make([]*Value, nOut)}
	c := &InferCtx{Node: node, out: make([]tensor.Spec, nOut), outC: make([]*tensor.Tensor, nOut), outI: make([][]tensor.Dim, nOut)}
	for _, t := range in {
		if t == nil {
			node.In, c.in, c.consts = append(node.In, nil), append(c.in, nil), append(c.consts, nil)
			continue
		}
		v := &Value{Spec: t.Spec()}
		node.In, c.in = append(node.In, v), append(c.in, &v.Spec)
		if t.Kind() != tensor.KindTensor || t.Len() > evalConstLimit {
			t = nil
		}
		c.consts = append(c.consts, t)
	}
	if err := op.Infer(c); err != nil {
		return nil, err
	}
	r := &RunCtx{Ctx: context.Background(), In: in, Out: make([]*tensor.Tensor, nOut), node: node, frame: &evalFrame{}}
	for i, s := range c.out {
		node.Out[i] = &Value{Spec: s}
		if shape, ok := s.Shape(); ok {
			if r.Out[i], err = tensor.New(s.DType, shape...); err != nil {
				return nil, err
			}
		}
	}
	if err := op.Run(r); err != nil {
		return nil, err
	}
	return r.Out, nil
}

// evalFrame is the frame of one operator that runs alone.
type evalFrame struct{ st any }

func (f *evalFrame) alloc(d tensor.DType, shape []int) (*tensor.Tensor, error) {
	return tensor.New(d, shape...)
}

func (f *evalFrame) wants(*Node, int) bool { return true }

func (f *evalFrame) parallel(n, grain int, b par.Body) error {
	grain = max(grain, 1)
	for lo := 0; lo < n; {
		hi := lo + grain
		if n-hi < grain {
			hi = n
		}
		b.Do(lo, hi)
		lo = hi
	}
	return nil
}

func (f *evalFrame) scratch(n int) []byte { return tensor.AlignedBytes(n) }

func (f *evalFrame) state(*Node) *any { return &f.st }

func (f *evalFrame) runBody(context.Context, *Node, string, []*tensor.Tensor) ([]*tensor.Tensor, error) {
	return nil, fmt.Errorf("%w: a body outside a graph", ErrUnsupported)
}

func (f *evalFrame) threads() int { return 1 }
