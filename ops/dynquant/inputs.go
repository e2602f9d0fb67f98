package dynquant

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

const microsoft = "com.microsoft"

var (
	byteTypes  = []tensor.DType{tensor.Uint8, tensor.Int8}
	scaleTypes = []tensor.DType{tensor.Float32, tensor.Float16, tensor.BFloat16}
)

// wantInputs checks the number of inputs, and that the first lo are present.
func wantInputs(c *graph.InferCtx, lo, hi int) error {
	if c.NumIn() > hi {
		return fmt.Errorf("got %d inputs, want at most %d", c.NumIn(), hi)
	}
	for i := range lo {
		if !c.Has(i) {
			return fmt.Errorf("input %d is missing", i)
		}
	}
	return nil
}

// wantType checks the type of input i where it is known.
func wantType(c *graph.InferCtx, i int, what string, list ...tensor.DType) error {
	x := c.In(i)
	if x.Kind != tensor.KindTensor {
		return fmt.Errorf("%s is a %v, want a tensor", what, x)
	}
	if !c.Has(i) || x.DType == tensor.Undefined || slices.Contains(list, x.DType) {
		return nil
	}
	return graph.UnsupportedType(what, x.DType)
}

// wantSameType checks that inputs i and j, where present, have the same type.
func wantSameType(c *graph.InferCtx, i, j int, what string) error {
	a, b := c.In(i).DType, c.In(j).DType
	if c.Has(i) && c.Has(j) && a != b && a != tensor.Undefined && b != tensor.Undefined {
		return fmt.Errorf("%s of types %v and %v, want the same", what, a, b)
	}
	return nil
}

// wantOne checks that input i, where present and known, has one element.
func wantOne(c *graph.InferCtx, i int, what string) error {
	s := c.In(i)
	if n := product(s.Dims); c.Has(i) && s.Ranked && n.Known() && n.Size != 1 {
		return fmt.Errorf("%s is %v, want one element", what, s)
	}
	return nil
}

// wantOneOr checks that input i, where present and known, has one element or is of one dimension of n.
func wantOneOr(c *graph.InferCtx, i int, what string, n tensor.Dim) error {
	s := c.In(i)
	if !c.Has(i) || !s.Ranked {
		return nil
	}
	if count := product(s.Dims); count.Size == 1 || !count.Known() || !n.Known() || len(s.Dims) == 1 && count.Size == n.Size {
		return nil
	}
	return fmt.Errorf("%s is %v, want one element or %d", what, s, n.Size)
}

// typeAttr reads an attribute that is an element type; Undefined when it is absent.
func typeAttr(a *graph.Attrs, name string) (tensor.DType, error) {
	v := a.Int(name, 0)
	if v < 0 || v > 255 {
		return tensor.Undefined, fmt.Errorf("attribute %s is %d, which is no element type", name, v)
	}
	return tensor.DType(v), nil
}

// axisIn brings an axis of -rank..rank-1 to 0..rank-1.
func axisIn(axis, rank int) (int, error) {
	if axis < -rank || axis >= rank {
		return 0, fmt.Errorf("axis %d is out of range for rank %d", axis, rank)
	}
	if axis < 0 {
		axis += rank
	}
	return axis, nil
}

// scratch is temporary memory for n elements, not zeroed.
func scratch[T int8 | uint8 | uint16 | int32 | int64 | float32 | float64](c *graph.RunCtx, n int) []T {
	if n == 0 {
		return nil
	}
	var z T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(c.Scratch(n*int(unsafe.Sizeof(z)))))), n)
}

// scalar is the value of a float tensor of one element.
func scalar(t *tensor.Tensor) float32 {
	switch t.DType() {
	case tensor.Float16:
		return tensor.View[tensor.F16](t)[0].Float32()
	case tensor.BFloat16:
		return tensor.View[tensor.BF16](t)[0].Float32()
	}
	return tensor.View[float32](t)[0]
}

// scalarZero is the value of a uint8 or int8 tensor of one element, 0 when it is absent.
func scalarZero(t *tensor.Tensor) int32 {
	switch {
	case t == nil:
		return 0
	case t.DType() == tensor.Int8:
		return int32(tensor.View[int8](t)[0])
	}
	return int32(tensor.View[uint8](t)[0])
}
