package graph

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/tensor"
)

// InferCtx is what Op.Infer sees of its node.
type InferCtx struct {
	Node   *Node // for messages; not to be changed
	in     []*tensor.Spec
	specs  []tensor.Spec // what in points to
	consts []*tensor.Tensor
	ints   [][]tensor.Dim
	out    []tensor.Spec
	outC   []*tensor.Tensor
	outI   [][]tensor.Dim
	eng    *inference // nil for an operator that is inferred by itself
}

// NumIn is the number of inputs of the node, absent ones counted.
func (c *InferCtx) NumIn() int { return len(c.in) }

// NumOut is the number of outputs of the node, absent ones counted.
func (c *InferCtx) NumOut() int { return len(c.out) }

// Has reports whether input i is present.
func (c *InferCtx) Has(i int) bool { return i < len(c.in) && c.in[i] != nil }

// In is the spec of input i; the zero Spec when it is absent.
func (c *InferCtx) In(i int) tensor.Spec {
	if !c.Has(i) {
		return tensor.Spec{}
	}
	return *c.in[i]
}

// Const is the value of input i where it is known now, else nil.
func (c *InferCtx) Const(i int) *tensor.Tensor {
	if i >= len(c.consts) {
		return nil
	}
	return c.consts[i]
}

// Ints is the contents of input i when it is a scalar or one-dimensional integer tensor of known length, each element
// known or symbolic; ok is false when not even the length is known. A number that is no int is the int next to it.
func (c *InferCtx) Ints(i int) (dims []tensor.Dim, ok bool) {
	if i < len(c.ints) && c.ints[i] != nil {
		return c.ints[i], true
	}
	t := c.Const(i)
	if t == nil || t.Rank() > 1 {
		return nil, false
	}
	vals, ok := ConstInts(t)
	if !ok {
		return nil, false
	}
	dims = make([]tensor.Dim, len(vals))
	for k, v := range vals {
		dims[k] = tensor.Dim{Size: clampInt(v)}
	}
	return dims, true
}

// clampInt is the int next to v. No size is that large, and an end of a slice that means "all" keeps its meaning.
func clampInt(v int64) int { return int(min(max(v, math.MinInt), math.MaxInt)) }

// Out sets the spec of output i. Setting an output that the node does not have is allowed and ignored.
func (c *InferCtx) Out(i int, s tensor.Spec) {
	if i < len(c.out) {
		c.out[i] = s
	}
}

// OutConst sets the value of output i, when it follows from what is known (Shape of a complete spec).
func (c *InferCtx) OutConst(i int, t *tensor.Tensor) {
	if i < len(c.out) {
		c.out[i] = t.Spec()
		c.outC[i] = t
	}
}

// OutInts sets the contents of an integer output i as far as known (Shape of a spec with symbols). Negative sizes
// are unknown, so use OutConst for a tensor that may hold negative numbers.
func (c *InferCtx) OutInts(i int, dims []tensor.Dim) {
	if i < len(c.out) {
		c.outI[i] = dims
	}
}

// InferBody infers the node's body of that attribute name from specs of all its inputs and, where known, their values
// (consts may be nil or shorter), and returns the specs of the body's outputs. It may be called again with other specs
// until those of loop-carried values settle; the last call counts. An error need not be the node's: the branch of an If
// that is not taken may not fit the shapes of a run, so If then leaves its outputs open and the run reports it.
func (c *InferCtx) InferBody(name string, in []tensor.Spec, consts []*tensor.Tensor) ([]tensor.Spec, error) {
	if c.eng == nil {
		return nil, fmt.Errorf("%w: a body outside a graph", ErrUnsupported)
	}
	return c.eng.body(c.Node, name, in, consts)
}

// ConstInts returns the elements of an int32 or int64 tensor (or another integer type) as int64.
func ConstInts(t *tensor.Tensor) ([]int64, bool) {
	switch t.DType() {
	case tensor.Int64:
		return tensor.View[int64](t), true
	case tensor.Int32:
		return widen(tensor.View[int32](t)), true
	case tensor.Int16:
		return widen(tensor.View[int16](t)), true
	case tensor.Int8:
		return widen(tensor.View[int8](t)), true
	case tensor.Uint8:
		return widen(tensor.View[uint8](t)), true
	case tensor.Uint16:
		return widen(tensor.View[uint16](t)), true
	case tensor.Uint32:
		return widen(tensor.View[uint32](t)), true
	}
	return nil, false
}

func widen[T int32 | int16 | int8 | uint8 | uint16 | uint32](s []T) []int64 {
	w := make([]int64, len(s))
	for i, v := range s {
		w[i] = int64(v)
	}
	return w
}
