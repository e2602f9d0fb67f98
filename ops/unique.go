package ops

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func uniques(l lib) []graph.Def {
	return []graph.Def{
		{Op: "Unique", Since: 11, New: newUnique, Types: append(dtypes{tensor.Bool, tensor.String}, numberTypes...)},
	}
}

// unique lists the different elements of its input, or the different slices along an axis, in rising order or in that of
// their first appearance. Further outputs: the first position of each, for every element which one it is, and how often
// each appears.
type unique struct {
	axis    int64
	hasAxis bool
	sorted  bool
}

func newUnique(a *graph.Attrs) (graph.Op, error) {
	return unique{a.Int("axis", 0), a.Has("axis"), a.Bool("sorted", true)}, nil
}

func (o unique) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 1); err != nil {
		return err
	}
	x := c.In(0)
	out := tensor.Ranked(x.DType, anyDims(1))
	places := tensor.Ranked(tensor.Int64, anyDims(1))
	inverse := tensor.Ranked(tensor.Int64, anyDims(1))
	if x.Ranked {
		inverse.Dims[0] = productDim(x.Dims)
	}
	if o.hasAxis {
		if out = tensor.Unranked(x.DType); x.Ranked {
			axis, err := axisOf(o.axis, len(x.Dims))
			if err != nil {
				return err
			}
			inverse.Dims[0] = x.Dims[axis]
			out = insertAxis(dropAxis(x, axis), axis, tensor.AnyDim)
		}
	}
	for i, s := range []tensor.Spec{out, places, inverse, places} {
		c.Out(i, s)
	}
	return nil
}

func (o unique) Run(c *graph.RunCtx) error {
	x := c.In[0]
	if isPacked(x.DType()) {
		return graph.UnsupportedType("input", x.DType())
	}
	shape, axis := []int{x.Len()}, 0
	if o.hasAxis {
		shape = append([]int{}, x.Shape()...)
		var err error
		if axis, err = axisOf(o.axis, len(shape)); err != nil {
			return err
		}
	}
	n, block := shape[axis], elemCount(shape[axis+1:])
	outer := elemCount(shape[:axis])
	order, err := elementOrder(x)
	if err != nil {
		return err
	}
	// compare orders two slices by their elements, first to last
	compare := func(a, b int) int {
		for o := range outer {
			for i := range block {
				if d := order((o*n+a)*block+i, (o*n+b)*block+i); d != 0 {
					return d
				}
			}
		}
		return 0
	}
	perm := make([]int, n)
	for i := range perm {
		perm[i] = i
	}
	slices.SortStableFunc(perm, compare)
	var first, counts []int64
	group := make([]int, n)
	for k, i := range perm {
		if k == 0 || compare(perm[k-1], i) != 0 {
			first, counts = append(first, int64(i)), append(counts, 0)
		}
		group[i] = len(first) - 1
		counts[len(counts)-1]++
	}
	if !o.sorted {
		first, counts = byAppearance(first, counts, group)
	}
	shape[axis] = len(first)
	y, err := output(c, 0, x.DType(), shape...)
	if err != nil {
		return err
	}
	s := graph.State[offsets](c)
	s.at = s.at[:0]
	for o := range outer {
		for _, i := range first {
			s.at = append(s.at, (o*n+int(i))*block)
		}
	}
	if err := s.gatherBlocks(y, x, block); err != nil {
		return err
	}
	inverse := make([]int64, n)
	for i, g := range group {
		inverse[i] = int64(g)
	}
	for i, v := range [][]int64{first, inverse, counts} {
		if !c.Wants(i + 1) {
			continue
		}
		t, err := output(c, i+1, tensor.Int64, len(v))
		if err != nil {
			return err
		}
		copy(tensor.View[int64](t), v)
	}
	return nil
}

// byAppearance renumbers groups by their first member.
func byAppearance(first, counts []int64, group []int) (f, c []int64) {
	perm := make([]int, len(first))
	for i := range perm {
		perm[i] = i
	}
	slices.SortFunc(perm, func(a, b int) int { return cmp.Compare(first[a], first[b]) })
	to := make([]int, len(first))
	for k, i := range perm {
		f, c = append(f, first[i]), append(c, counts[i])
		to[i] = k
	}
	for i, g := range group {
		group[i] = to[g]
	}
	return f, c
}

// elementOrder compares elements by their positions. NaN is above all numbers.
func elementOrder(t *tensor.Tensor) (func(a, b int) int, error) {
	switch t.DType() {
	case tensor.String:
		v := tensor.View[string](t)
		return func(a, b int) int { return strings.Compare(v[a], v[b]) }, nil
	case tensor.Int64:
		v := tensor.View[int64](t)
		return func(a, b int) int { return cmp.Compare(v[a], v[b]) }, nil
	case tensor.Uint64:
		v := tensor.View[uint64](t)
		return func(a, b int) int { return cmp.Compare(v[a], v[b]) }, nil
	}
	v, err := toFloats(t)
	if err != nil {
		return nil, err
	}
	return func(a, b int) int {
		x, y := v[a], v[b]
		switch {
		case math.IsNaN(x) && math.IsNaN(y):
			return 0
		case math.IsNaN(x):
			return 1
		case math.IsNaN(y):
			return -1
		}
		return cmp.Compare(x, y)
	}, nil
}
