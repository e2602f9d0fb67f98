package ops

import (
	"fmt"
	"slices"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func indexedGathers(l lib) []graph.Def {
	all := everyType()
	return []graph.Def{
		{Op: "GatherElements", Since: 11, New: newGatherElements, Types: all},
		{Op: "GatherND", Since: 11, New: newGatherND, Types: all},
	}
}

// offsets is the state of operators that read or write blocks at places that an index tensor gives.
type offsets struct {
	at    []int
	shape []int // of the tensor that at is for
	step  []int
}

// elements sets one offset per element of idx, into a tensor of that shape: the position of the element, with the index
// in place of its position on the axis.
func (o *offsets) elements(shape []int, idx *tensor.Tensor, axis int) error {
	o.at = o.at[:0]
	n := idx.Len()
	if n == 0 {
		return nil
	}
	vals := runInts(idx)
	is := idx.Shape()
	last := len(is) - 1
	step := elemCount(shape[axis+1:])
	pos := make([]int, len(is))
	for row := 0; row < n; row += is[last] {
		base, stride := 0, 1
		for a := last; a >= 0; a-- {
			if a != axis {
				base += pos[a] * stride
			}
			stride *= shape[a]
		}
		for i, v := range vals[row : row+is[last]] {
			k, err := indexOf(v, shape[axis])
			if err != nil {
				return err
			}
			at := base + k*step
			if axis != last {
				at += i
			}
			o.at = append(o.at, at)
		}
		for a := last - 1; a >= 0; a-- {
			if pos[a]++; pos[a] < is[a] {
				break
			}
			pos[a] = 0
		}
	}
	return nil
}

// tuples sets one offset per tuple in the last axis of idx, which names a block of a tensor of that shape. The first
// batch axes are common to both. The offsets of an index that is fixed, a constant, are kept from run to run.
func (o *offsets) tuples(shape []int, idx *tensor.Tensor, batch int, fixed bool) error {
	if fixed && slices.Equal(o.shape, shape) {
		return nil
	}
	o.at, o.shape = o.at[:0], o.shape[:0]
	is := idx.Shape()
	k := is[len(is)-1]
	per := max(elemCount(is[batch:len(is)-1]), 1)
	size := elemCount(shape[batch:])
	o.step = o.step[:0]
	for i := range k {
		o.step = append(o.step, elemCount(shape[batch+i+1:]))
	}
	vals, dims := runInts(idx), shape[batch:]
	for t := range elemCount(is[:len(is)-1]) {
		at := t / per * size
		for i, v := range vals[t*k : (t+1)*k] {
			n := dims[i]
			if v < 0 {
				v += int64(n)
			}
			if v < 0 || v >= int64(n) {
				return fmt.Errorf("index %d is outside axis %d of size %d", vals[t*k+i], batch+i, n)
			}
			at += int(v) * o.step[i]
		}
		o.at = append(o.at, at)
	}
	o.shape = append(o.shape, shape...)
	return nil
}

// gatherBlocks copies the blocks at the offsets next to each other.
func (o *offsets) gatherBlocks(y, x *tensor.Tensor, block int) error {
	f, err := byWidth(x.DType(), pickBlocks[uint8], pickBlocks[uint16], pickBlocks[uint32], pickBlocks[uint64], pickBlocks[complex128], pickBlocks[string])
	if err == nil {
		f(y, x, o.at, block)
	}
	return err
}

func pickBlocks[T tensor.Element](y, x *tensor.Tensor, at []int, block int) {
	dst, src := tensor.View[T](y), tensor.View[T](x)
	if block == 1 {
		for i, k := range at {
			dst[i] = src[k]
		}
		return
	}
	for i, k := range at {
		copy(dst[i*block:(i+1)*block], src[k:k+block])
	}
}

// gatherElements reads for every element of input 1 the element of input 0 at its position, with the index in place of
// the position on an axis.
type gatherElements struct{ axis int64 }

func newGatherElements(a *graph.Attrs) (graph.Op, error) {
	return gatherElements{a.Int("axis", 0)}, nil
}

func (o gatherElements) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 2, 2); err != nil {
		return err
	}
	x, idx := c.In(0), c.In(1)
	if err := wantIndex(c, 1, "indices"); err != nil {
		return err
	}
	c.Out(0, tensor.Spec{DType: x.DType, Dims: idx.Dims, Ranked: idx.Ranked})
	return checkElements(o.axis, x, idx)
}

// checkElements checks that an index tensor fits its data.
func checkElements(axis int64, x, idx tensor.Spec) error {
	if !x.Ranked || !idx.Ranked {
		return nil
	}
	if len(x.Dims) != len(idx.Dims) {
		return fmt.Errorf("indices %v for %v, want as many dimensions", idx, x)
	}
	a, err := axisOf(axis, len(x.Dims))
	if err != nil {
		return err
	}
	for i, d := range idx.Dims {
		if i != a && d.Known() && x.Dims[i].Known() && d.Size > x.Dims[i].Size {
			return fmt.Errorf("indices %v reach beyond %v on axis %d", idx, x, i)
		}
	}
	return nil
}

func (o gatherElements) Run(c *graph.RunCtx) error {
	x, idx := c.In[0], c.In[1]
	if isPacked(x.DType()) {
		return unpackedRun(c, o.Run)
	}
	axis, err := axisOf(o.axis, x.Rank())
	if err != nil {
		return err
	}
	y, err := output(c, 0, x.DType(), idx.Shape()...)
	if err != nil {
		return err
	}
	if axis == x.Rank()-1 {
		f, err := byWidth(x.DType(), gatherLast[uint8], gatherLast[uint16], gatherLast[uint32], gatherLast[uint64], gatherLast[complex128], gatherLast[string])
		if err != nil {
			return err
		}
		return f(c, y, x, idx)
	}
	s := graph.State[offsets](c)
	if err := s.elements(x.Shape(), idx, axis); err != nil {
		return err
	}
	return s.gatherBlocks(y, x, 1)
}

// gatherND reads for every tuple in the last axis of input 1 the block of input 0 that it names.
type gatherND struct {
	batch int64
	fixed bool // the index is constant
}

func newGatherND(a *graph.Attrs) (graph.Op, error) {
	return gatherND{batch: a.Int("batch_dims", 0)}, nil
}

// Prepack notes a constant index.
func (o gatherND) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	o.fixed = consts[1] != nil
	return o, nil, nil
}

func (o gatherND) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 2, 2); err != nil {
		return err
	}
	x, idx := c.In(0), c.In(1)
	if err := wantType(c, 1, "indices", tensor.Int64); err != nil {
		return err
	}
	if !x.Ranked || !idx.Ranked || len(idx.Dims) == 0 || !idx.Dims[len(idx.Dims)-1].Known() {
		c.Out(0, tensor.Unranked(x.DType))
		return nil
	}
	if o.batch < 0 || o.batch >= int64(len(idx.Dims)) || o.batch >= int64(len(x.Dims)) {
		return fmt.Errorf("attribute batch_dims=%d for %v and indices %v", o.batch, x, idx)
	}
	b := int(o.batch)
	k := idx.Dims[len(idx.Dims)-1].Size
	if k < 1 || b+k > len(x.Dims) {
		return fmt.Errorf("indices %v have tuples of %d for %v", idx, k, x)
	}
	for i := range b {
		if _, ok := unifyDim(x.Dims[i], idx.Dims[i]); !ok {
			return fmt.Errorf("batch axis %d of %v and indices %v differ", i, x, idx)
		}
	}
	dims := append([]tensor.Dim{}, idx.Dims[:len(idx.Dims)-1]...)
	dims = append(dims, x.Dims[b+k:]...)
	c.Out(0, tensor.Ranked(x.DType, dims))
	return checkDims(x.DType, dims)
}

func (o gatherND) Run(c *graph.RunCtx) error {
	x, idx := c.In[0], c.In[1]
	if isPacked(x.DType()) {
		return unpackedRun(c, o.Run)
	}
	b, is := int(o.batch), idx.Shape()
	rest := x.Shape()[b+is[len(is)-1]:]
	y := c.Out[0]
	if y == nil {
		var err error
		shape := append(append([]int{}, is[:len(is)-1]...), rest...)
		if y, err = output(c, 0, x.DType(), shape...); err != nil {
			return err
		}
	}
	s := graph.State[offsets](c)
	if err := s.tuples(x.Shape(), idx, b, o.fixed); err != nil {
		return err
	}
	return s.gatherBlocks(y, x, elemCount(rest))
}
