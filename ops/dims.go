package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// axesOf is axisOf for a list that must not name an axis twice.
func axesOf(axes []int64, rank int) ([]int, error) {
	list := make([]int, len(axes))
	seen := make([]bool, rank)
	for i, x := range axes {
		a, err := axisOf(x, rank)
		if err != nil {
			return nil, err
		}
		if seen[a] {
			return nil, fmt.Errorf("axes %v name axis %d twice", axes, a)
		}
		seen[a] = true
		list[i] = a
	}
	return list, nil
}

// tensorInputs is needInputs for operators that take nothing but tensors.
func tensorInputs(c *graph.InferCtx, lo, hi int) error {
	for i := range c.NumIn() {
		if s := c.In(i); s.Kind != tensor.KindTensor {
			return fmt.Errorf("input %d is a %v, want a tensor", i, s)
		}
	}
	return needInputs(c, lo, hi)
}

// constInts returns the contents of an integer input when they are all known.
func constInts(c *graph.InferCtx, i int) ([]int64, bool) {
	if t := c.Const(i); t != nil && t.Rank() <= 1 {
		return graph.ConstInts(t)
	}
	dims, ok := c.Ints(i)
	if !ok {
		return nil, false
	}
	vals := make([]int64, len(dims))
	for k, d := range dims {
		if !d.Known() {
			return nil, false
		}
		vals[k] = int64(d.Size)
	}
	return vals, true
}

// knownLen is the number of elements of a one-dimensional input, -1 when it is not known.
func knownLen(c *graph.InferCtx, i int) int {
	s := c.In(i)
	switch {
	case !s.Ranked || len(s.Dims) > 1:
		return -1
	case len(s.Dims) == 0:
		return 1
	}
	return s.Dims[0].Size
}

// wantType fails unless the type of input i is unknown or one of the list.
func wantType(c *graph.InferCtx, i int, what string, list ...tensor.DType) error {
	d := c.In(i).DType
	if !c.Has(i) || d == tensor.Undefined {
		return nil
	}
	for _, x := range list {
		if d == x {
			return nil
		}
	}
	return fmt.Errorf("%s of type %v, want %v", what, d, list)
}

// wantIndex is wantType for int32 and int64.
func wantIndex(c *graph.InferCtx, i int, what string) error {
	return wantType(c, i, what, tensor.Int64, tensor.Int32)
}

// sameDim reports whether two dimensions are surely equal.
func sameDim(a, b tensor.Dim) bool {
	if a.Known() || b.Known() {
		return a.Size == b.Size
	}
	return a.Name != "" && a.Name == b.Name
}

// unifyDim returns what is known of a dimension that a and b both describe.
func unifyDim(a, b tensor.Dim) (tensor.Dim, bool) {
	switch {
	case a.Known() && b.Known():
		return a, a.Size == b.Size
	case a.Known():
		return a, true
	case b.Known() || a.Name == "":
		return b, true
	}
	return a, true
}

// anyDims is a list of n unknown dimensions.
func anyDims(n int) []tensor.Dim {
	dims := make([]tensor.Dim, n)
	for i := range dims {
		dims[i] = tensor.AnyDim
	}
	return dims
}

// fixedDims is a shape as dimensions.
func fixedDims(shape []int) []tensor.Dim {
	dims := make([]tensor.Dim, len(shape))
	for i, n := range shape {
		dims[i] = tensor.Fixed(n)
	}
	return dims
}

// elemCount is the number of elements of a shape that is known to be one.
func elemCount(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// runInts returns the elements of an integer tensor, nil for an absent one.
func runInts(t *tensor.Tensor) []int64 {
	if t == nil {
		return nil
	}
	v, _ := graph.ConstInts(t)
	return v
}

// keptInts is runInts with memory for the elements of an int32 tensor.
func keptInts(kept *[]int64, t *tensor.Tensor) []int64 {
	if t == nil || t.DType() != tensor.Int32 {
		return runInts(t)
	}
	*kept = (*kept)[:0]
	for _, v := range tensor.View[int32](t) {
		*kept = append(*kept, int64(v))
	}
	return *kept
}
