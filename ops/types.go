package ops

import (
	"fmt"
	"slices"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

type dtypes = []tensor.DType

// Sets of element types that several families take.
var (
	floatTypes  = dtypes{tensor.Float32, tensor.Float64, tensor.Float16, tensor.BFloat16}
	signedTypes = dtypes{tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64}
	uintTypes   = dtypes{tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64}
	intTypes    = slices.Concat(signedTypes, uintTypes)
	numberTypes = slices.Concat(floatTypes, intTypes)
)

// checkType reports a type that is not in the list as unsupported; an unknown one passes.
func checkType(what string, d tensor.DType, list dtypes) error {
	if d == tensor.Undefined || slices.Contains(list, d) {
		return nil
	}
	return graph.UnsupportedType(what, d)
}

// sameType returns the element type of inputs that must agree, as far as it is known.
func sameType(c *graph.InferCtx, inputs ...int) (tensor.DType, error) {
	d := tensor.Undefined
	for _, i := range inputs {
		x := c.In(i)
		if x.Kind != tensor.KindTensor {
			return d, fmt.Errorf("input %d is a %v, want a tensor", i, x)
		}
		if x.DType == tensor.Undefined {
			continue
		}
		if d != tensor.Undefined && d != x.DType {
			return d, fmt.Errorf("inputs of types %v and %v, want the same", d, x.DType)
		}
		d = x.DType
	}
	return d, nil
}

// needInputs checks the number of inputs, and that the first lo are present.
func needInputs(c *graph.InferCtx, lo, hi int) error {
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

// axisOf brings an axis of -rank..rank-1 to 0..rank-1.
func axisOf(axis int64, rank int) (int, error) {
	if axis < -int64(rank) || axis >= int64(rank) {
		return 0, fmt.Errorf("axis %d is out of range for rank %d", axis, rank)
	}
	if axis < 0 {
		axis += int64(rank)
	}
	return int(axis), nil
}

// integer and number are the Go types whose arithmetic is that of their element type.
type integer interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

type number interface{ integer | float32 | float64 }

// lastDimParam checks that input i is of one dimension that fits the last one of input 0, and returns what is known of it.
func lastDimParam(c *graph.InferCtx, i int, what string) (tensor.Dim, error) {
	x, p := c.In(0), c.In(i)
	if !p.Ranked || !x.Ranked {
		return tensor.AnyDim, nil
	}
	if len(x.Dims) == 0 || len(p.Dims) != 1 {
		return tensor.AnyDim, fmt.Errorf("%s is %v, want one dimension, the last of %v", what, p, x)
	}
	n, ok := unifyDim(x.Dims[len(x.Dims)-1], p.Dims[0])
	if !ok {
		return n, fmt.Errorf("%s is %v, want one dimension, the last of %v", what, p, x)
	}
	return n, nil
}
