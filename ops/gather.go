package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func gathers(l lib) []graph.Def {
	return []graph.Def{
		{Op: "Gather", Since: 1, New: newGather, Types: everyType()},
	}
}

// gather takes slices of input 0 along an axis, at the positions that input 1 lists; negative ones count from the back.
type gather struct{ axis int64 }

func newGather(a *graph.Attrs) (graph.Op, error) { return gather{a.Int("axis", 0)}, nil }

func (o gather) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 2, 2); err != nil {
		return err
	}
	x, idx := c.In(0), c.In(1)
	if err := wantIndex(c, 1, "indices"); err != nil {
		return err
	}
	if !x.Ranked || !idx.Ranked {
		c.Out(0, tensor.Unranked(x.DType))
		return nil
	}
	axis, err := axisOf(o.axis, len(x.Dims))
	if err != nil {
		return err
	}
	dims := append([]tensor.Dim{}, x.Dims[:axis]...)
	dims = append(append(dims, idx.Dims...), x.Dims[axis+1:]...)
	if err := checkDims(x.DType, dims); err != nil {
		return err
	}
	c.Out(0, tensor.Ranked(x.DType, dims))
	return o.contents(c, x, len(idx.Dims))
}

// contents picks from the contents of a one-dimensional integer tensor.
func (o gather) contents(c *graph.InferCtx, x tensor.Spec, rank int) error {
	at, ok := constInts(c, 1)
	ints, has := c.Ints(0)
	if !ok || !has || len(x.Dims) != 1 || rank > 1 {
		return nil
	}
	vals, exact := constInts(c, 0)
	part, partVals := make([]tensor.Dim, len(at)), make([]int64, len(at))
	for i, k := range at {
		k, err := indexOf(k, len(ints))
		if err != nil {
			return err
		}
		part[i] = ints[k]
		if exact {
			partVals[i] = vals[k]
		}
	}
	shape := []int{len(at)}[:rank]
	if exact {
		outVals(c, 0, x.DType, partVals, shape...)
	} else {
		outDims(c, 0, x.DType, part, shape...)
	}
	return nil
}

// indexOf counts a position on an axis of size n from the front.
func indexOf(k int64, n int) (int, error) {
	i := k
	if i < 0 {
		i += int64(n)
	}
	if i < 0 || i >= int64(n) {
		return 0, fmt.Errorf("index %d is outside an axis of size %d", k, n)
	}
	return int(i), nil
}

func (o gather) Run(c *graph.RunCtx) error {
	x, idx := c.In[0], c.In[1]
	if isPacked(x.DType()) {
		return unpackedRun(c, o.Run)
	}
	shape := x.Shape()
	axis, err := axisOf(o.axis, len(shape))
	if err != nil {
		return err
	}
	if c.Out[0] == nil {
		dims := append([]int{}, shape[:axis]...)
		dims = append(append(dims, idx.Shape()...), shape[axis+1:]...)
		if _, err := output(c, 0, x.DType(), dims...); err != nil {
			return err
		}
	}
	j := graph.State[gatherJob](c)
	j.dst, j.src = c.Out[0], x
	j.size, j.n, j.block = shape[axis], idx.Len(), elemCount(shape[axis+1:])
	j.wide, j.narrow = nil, nil
	defer func() { *j = gatherJob{} }()
	if idx.DType() == tensor.Int64 {
		j.wide = tensor.View[int64](idx)
	} else {
		j.narrow = tensor.View[int32](idx)
	}
	for i := range j.n {
		if _, err := indexOf(j.index(i), j.size); err != nil {
			return err
		}
	}
	if j.dst.Len() == 0 {
		return nil
	}
	bytes := j.block * max(x.DType().Size(), 1)
	return c.For(elemCount(shape[:axis])*j.n, max(1, boxGrain/bytes), j)
}

// gatherJob copies blocks; a unit is one index within one of the outer axes.
type gatherJob struct {
	dst, src       *tensor.Tensor
	wide           []int64
	narrow         []int32
	size, n, block int
}

func (j *gatherJob) index(i int) int64 {
	if j.wide != nil {
		return j.wide[i]
	}
	return int64(j.narrow[i])
}

// Do copies the blocks lo <= u < hi of dst.
func (j *gatherJob) Do(lo, hi int) {
	if j.dst.DType() == tensor.String {
		gatherUnits(j, tensor.View[string](j.dst), tensor.View[string](j.src), lo, hi)
		return
	}
	switch j.dst.DType().Size() {
	case 1:
		gatherUnits(j, tensor.View[uint8](j.dst), tensor.View[uint8](j.src), lo, hi)
	case 2:
		gatherUnits(j, tensor.View[uint16](j.dst), tensor.View[uint16](j.src), lo, hi)
	case 4:
		gatherUnits(j, tensor.View[uint32](j.dst), tensor.View[uint32](j.src), lo, hi)
	case 8:
		gatherUnits(j, tensor.View[uint64](j.dst), tensor.View[uint64](j.src), lo, hi)
	case 16:
		gatherUnits(j, tensor.View[complex128](j.dst), tensor.View[complex128](j.src), lo, hi)
	}
}

func gatherUnits[T any](j *gatherJob, dst, src []T, lo, hi int) {
	o, i := lo/j.n, lo%j.n
	for u := lo; u < hi; u++ {
		k := int(j.index(i))
		if k < 0 {
			k += j.size
		}
		k += o * j.size
		if j.block == 1 {
			dst[u] = src[k]
		} else {
			tensor.Copy(dst[u*j.block:(u+1)*j.block], src[k*j.block:(k+1)*j.block])
		}
		if i++; i == j.n {
			i = 0
			o++
		}
	}
}
