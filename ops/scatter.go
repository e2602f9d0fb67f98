package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func scatters(l lib) []graph.Def {
	all := everyType()
	return []graph.Def{
		{Op: "Scatter", Since: 9, New: newScatterElements, Types: all},
		{Op: "ScatterElements", Since: 11, New: newScatterElements, Types: all},
		{Op: "ScatterND", Since: 11, New: newScatterND, Types: all},
	}
}

// reduction is what happens where an update meets an element: none replaces it.
type reduction string

func newReduction(a *graph.Attrs) reduction {
	return reduction(a.OneOf("reduction", "none", "add", "mul", "max", "min"))
}

func (r reduction) check(c *graph.InferCtx) error {
	if _, err := sameType(c, 0, 2); err != nil {
		return err
	}
	if r == "none" {
		return nil
	}
	return checkType("reduction "+string(r), c.In(0).DType, numberTypes)
}

// apply stores blocks of u into y at the offsets.
func (r reduction) apply(y, u *tensor.Tensor, at []int, block int) error {
	if r == "none" {
		f, err := byWidth(y.DType(), putBlocks[uint8], putBlocks[uint16], putBlocks[uint32], putBlocks[uint64], putBlocks[complex128], putBlocks[string])
		if err == nil {
			f(y, u, at, block)
		}
		return err
	}
	switch y.DType() {
	case tensor.Float32:
		reduceBlocks[float32](r, y, u, at, block)
	case tensor.Float64:
		reduceBlocks[float64](r, y, u, at, block)
	case tensor.Int8:
		reduceBlocks[int8](r, y, u, at, block)
	case tensor.Int16:
		reduceBlocks[int16](r, y, u, at, block)
	case tensor.Int32:
		reduceBlocks[int32](r, y, u, at, block)
	case tensor.Int64:
		reduceBlocks[int64](r, y, u, at, block)
	case tensor.Uint8:
		reduceBlocks[uint8](r, y, u, at, block)
	case tensor.Uint16:
		reduceBlocks[uint16](r, y, u, at, block)
	case tensor.Uint32:
		reduceBlocks[uint32](r, y, u, at, block)
	case tensor.Uint64:
		reduceBlocks[uint64](r, y, u, at, block)
	case tensor.Float16:
		f := reducer[float32](r)
		combine(y, u, at, block, func(a, b tensor.F16) tensor.F16 { return tensor.ToF16(f(a.Float32(), b.Float32())) })
	case tensor.BFloat16:
		f := reducer[float32](r)
		combine(y, u, at, block, func(a, b tensor.BF16) tensor.BF16 { return tensor.ToBF16(f(a.Float32(), b.Float32())) })
	default:
		return graph.UnsupportedType("reduction "+string(r), y.DType())
	}
	return nil
}

func putBlocks[T tensor.Element](y, u *tensor.Tensor, at []int, block int) {
	dst, src := tensor.View[T](y), tensor.View[T](u)
	if block == 1 {
		for i, k := range at {
			dst[k] = src[i]
		}
		return
	}
	for i, k := range at {
		copy(dst[k:k+block], src[i*block:(i+1)*block])
	}
}

func reduceBlocks[T interface {
	number
	tensor.Element
}](r reduction, y, u *tensor.Tensor, at []int, block int) {
	combine(y, u, at, block, reducer[T](r))
}

func reducer[T number](r reduction) func(a, b T) T {
	switch r {
	case "mul":
		return func(a, b T) T { return a * b }
	case "max":
		return func(a, b T) T { return max(a, b) }
	case "min":
		return func(a, b T) T { return min(a, b) }
	}
	return func(a, b T) T { return a + b }
}

func combine[T tensor.Element](y, u *tensor.Tensor, at []int, block int, f func(a, b T) T) {
	dst, src := tensor.View[T](y), tensor.View[T](u)
	for i, k := range at {
		d := dst[k : k+block]
		for e, v := range src[i*block : (i+1)*block] {
			d[e] = f(d[e], v)
		}
	}
}

// scatter puts blocks of the updates at the offsets: output 0 is input 0 with them in it. All offsets are known to be
// right before anything is written, since the output may lie over the input.
func (r reduction) scatter(c *graph.RunCtx, at []int, block int) error {
	x, u := c.In[0], c.In[2]
	if len(at)*block > u.Len() {
		return fmt.Errorf("updates %v are too few for indices %v", u, c.In[1])
	}
	y, err := output(c, 0, x.DType(), x.Shape()...)
	if err != nil {
		return err
	}
	if b := x.Bytes(); len(b) == 0 || &b[0] != &y.Bytes()[0] {
		copyAll(y, x)
	}
	return r.apply(y, u, at, block)
}

// scatterElements writes every element of input 2 to its position, with the index of input 1 in place of the position on
// an axis.
type scatterElements struct {
	axis      int64
	reduction reduction
}

func newScatterElements(a *graph.Attrs) (graph.Op, error) {
	return scatterElements{a.Int("axis", 0), newReduction(a)}, nil
}

func (scatterElements) InPlace() []int { return []int{0} }

func (o scatterElements) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 3, 3); err != nil {
		return err
	}
	x, idx, u := c.In(0), c.In(1), c.In(2)
	if err := wantIndex(c, 1, "indices"); err != nil {
		return err
	}
	if err := o.reduction.check(c); err != nil {
		return err
	}
	c.Out(0, x)
	if err := checkElements(o.axis, x, idx); err != nil {
		return err
	}
	return checkSame("updates", u, idx.Dims, idx.Ranked)
}

// checkSame fails when a spec surely has other dimensions.
func checkSame(what string, s tensor.Spec, want []tensor.Dim, ranked bool) error {
	if !s.Ranked || !ranked {
		return nil
	}
	bad := len(s.Dims) != len(want)
	for i := 0; i < len(want) && !bad; i++ {
		_, ok := unifyDim(s.Dims[i], want[i])
		bad = !ok
	}
	if bad {
		return fmt.Errorf("%s are %v, want shape %v", what, s, want)
	}
	return nil
}

func (o scatterElements) Run(c *graph.RunCtx) error {
	x := c.In[0]
	if isPacked(x.DType()) {
		return unpackedRun(c, o.Run)
	}
	axis, err := axisOf(o.axis, x.Rank())
	if err != nil {
		return err
	}
	s := graph.State[offsets](c)
	if err := s.elements(x.Shape(), c.In[1], axis); err != nil {
		return err
	}
	return o.reduction.scatter(c, s.at, 1)
}

// scatterND writes blocks of input 2 to the places that the tuples in the last axis of input 1 name.
type scatterND struct {
	reduction reduction
	fixed     bool // the index is constant
}

func newScatterND(a *graph.Attrs) (graph.Op, error) {
	return scatterND{reduction: newReduction(a)}, nil
}

func (scatterND) InPlace() []int { return []int{0} }

// Prepack notes a constant index.
func (o scatterND) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	o.fixed = consts[1] != nil
	return o, nil, nil
}

func (o scatterND) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 3, 3); err != nil {
		return err
	}
	x, idx, u := c.In(0), c.In(1), c.In(2)
	if err := wantType(c, 1, "indices", tensor.Int64); err != nil {
		return err
	}
	if err := o.reduction.check(c); err != nil {
		return err
	}
	c.Out(0, x)
	if !x.Ranked || !idx.Ranked {
		return nil
	}
	if len(idx.Dims) == 0 {
		return fmt.Errorf("indices %v, want at least one dimension", idx)
	}
	k := idx.Dims[len(idx.Dims)-1]
	if !k.Known() {
		return nil
	}
	if k.Size < 1 || k.Size > len(x.Dims) {
		return fmt.Errorf("indices %v have tuples of %d for %v", idx, k.Size, x)
	}
	want := append([]tensor.Dim{}, idx.Dims[:len(idx.Dims)-1]...)
	return checkSame("updates", u, append(want, x.Dims[k.Size:]...), true)
}

func (o scatterND) Run(c *graph.RunCtx) error {
	x, idx := c.In[0], c.In[1]
	if isPacked(x.DType()) {
		return unpackedRun(c, o.Run)
	}
	s := graph.State[offsets](c)
	if err := s.tuples(x.Shape(), idx, 0, o.fixed); err != nil {
		return err
	}
	return o.reduction.scatter(c, s.at, elemCount(x.Shape()[idx.Shape()[idx.Rank()-1]:]))
}
