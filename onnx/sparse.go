package onnx

import (
	"fmt"

	"github.com/qrun-onnx/qrun/tensor"
)

// Sparse returns the dense form of a sparse tensor; elements without a value are zero (or empty strings). The indices
// are positions in row-major order, shape [n], or coordinates, shape [n, rank]. Each must lie inside the shape, and no
// two may be the same. The error names the tensor; it wraps ErrUnsupported when the dense form takes over a gibibyte.
func (m *Model) Sparse(p *SparseTensorProto) (*tensor.Tensor, error) {
	values, err := m.Tensor(p.GetValues())
	if err != nil {
		return nil, err
	}
	indices, err := m.Tensor(p.GetIndices())
	if err != nil {
		return nil, err
	}
	t, err := dense(values, indices, p.GetDims())
	if err != nil {
		return nil, fmt.Errorf("sparse tensor %q: %w", p.GetValues().GetName(), err)
	}
	return t, nil
}

func dense(values, indices *tensor.Tensor, dims []int64) (*tensor.Tensor, error) {
	shape, n, err := shapeOf(dims)
	if err != nil {
		return nil, err
	}
	d, size := values.DType(), values.DType().Size()
	if size == 0 && d != tensor.String {
		return nil, fmt.Errorf("elements of %v are %w", d, ErrUnsupported)
	}
	if d == tensor.String {
		size = 16 // of a string's header
	}
	if n > maxDense/size {
		return nil, fmt.Errorf("%v%v takes more than the %d bytes that are %w for a sparse tensor", d, shape, maxDense, ErrUnsupported)
	}
	if values.Rank() != 1 {
		return nil, formatErr("the values have shape %v, want one dimension", values.Shape())
	}
	at, err := positions(indices, values.Len(), shape)
	if err != nil {
		return nil, err
	}
	t, err := tensor.New(d, shape...)
	if err != nil {
		return nil, err
	}
	seen := make(map[int]struct{}, len(at))
	for i, pos := range at {
		if _, again := seen[pos]; again {
			return nil, formatErr("index %d is that of an earlier value", i)
		}
		seen[pos] = struct{}{}
		if d == tensor.String {
			tensor.View[string](t)[pos] = tensor.View[string](values)[i]
		} else {
			copy(t.Bytes()[pos*size:][:size], values.Bytes()[i*size:][:size])
		}
	}
	return t, nil
}

// positions returns the row-major position of each of the n values.
func positions(indices *tensor.Tensor, n int, shape []int) ([]int, error) {
	list, err := tensor.Data[int64](indices)
	if err != nil {
		return nil, formatErr("the indices: %v", err)
	}
	coords := indices.Shape()
	linear := len(coords) == 1 && coords[0] == n
	if !linear && (len(coords) != 2 || coords[0] != n || coords[1] != len(shape)) {
		return nil, formatErr("the indices have shape %v, want [%d] or [%d %d]", coords, n, n, len(shape))
	}
	if linear {
		total, _ := tensor.Count(shape)
		shape = []int{total}
	}
	at := make([]int, n)
	for i := range at {
		for j, size := range shape {
			v := list[i*len(shape)+j]
			if v < 0 || v >= int64(size) {
				return nil, formatErr("index %d is %d, outside of 0 to %d", i, v, size-1)
			}
			at[i] = at[i]*size + int(v)
		}
	}
	return at, nil
}
