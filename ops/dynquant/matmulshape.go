package dynquant

import (
	"fmt"

	"github.com/qrun-onnx/qrun/tensor"
)

// matMulDims is the shape of numpy.matmul's result, as far as it is known.
func matMulDims(a, b tensor.Spec) (dims []tensor.Dim, ranked bool, err error) {
	if !a.Ranked || !b.Ranked {
		return nil, false, nil
	}
	if len(a.Dims) == 0 || len(b.Dims) == 0 {
		return nil, false, fmt.Errorf("matrix product of %v and %v, want at least one dimension", a, b)
	}
	leadA, leadB := leading(a.Dims), leading(b.Dims)
	ka, kb := a.Dims[len(a.Dims)-1], b.Dims[max(0, len(b.Dims)-2)]
	if ka.Known() && kb.Known() && ka.Size != kb.Size {
		return nil, false, fmt.Errorf("matrix product of %v and %v: inner sizes %v and %v differ", a, b, ka, kb)
	}
	dims, ok := broadcast(leadA, leadB)
	if !ok {
		return nil, false, fmt.Errorf("matrix product of %v and %v: leading dimensions do not broadcast", a, b)
	}
	if len(a.Dims) > 1 {
		dims = append(dims, a.Dims[len(a.Dims)-2])
	}
	if len(b.Dims) > 1 {
		dims = append(dims, b.Dims[len(b.Dims)-1])
	}
	return dims, true, nil
}

// broadcast is the numpy broadcast of dimensions; ok is false where two known ones differ.
func broadcast(a, b []tensor.Dim) (dims []tensor.Dim, ok bool) {
	dims = make([]tensor.Dim, max(len(a), len(b)))
	for i := range dims {
		x, y := leadAt(a, i-len(dims)), leadAt(b, i-len(dims))
		switch {
		case x.Size == 1:
			dims[i] = y
		case y.Size == 1 || x == y:
			dims[i] = x
		case x.Known() && y.Known():
			return nil, false
		case x.Known():
			dims[i] = x
		case y.Known():
			dims[i] = y
		default:
			dims[i] = tensor.AnyDim
		}
	}
	return dims, true
}

// broadcastDims is the shape of an elementwise result.
func broadcastDims(a, b tensor.Spec) ([]tensor.Dim, error) {
	if !a.Ranked || !b.Ranked {
		return nil, nil
	}
	dims, ok := broadcast(a.Dims, b.Dims)
	if !ok {
		return nil, fmt.Errorf("%v and %v do not broadcast", a, b)
	}
	return dims, nil
}

// leading is all dimensions but those of the matrices.
func leading[T any](dims []T) []T { return dims[:max(0, len(dims)-2)] }

// leadAt is dimension i, counted from the end as a negative number, 1 where there is none.
func leadAt(lead []tensor.Dim, i int) tensor.Dim {
	if i += len(lead); i >= 0 {
		return lead[i]
	}
	return tensor.Fixed(1)
}

// matrixOf is a shape as [..., rows, columns]; one dimension is a row, or a column where col is set.
func matrixOf(shape []int, col bool) (lead []int, rows, cols int) {
	switch {
	case len(shape) == 1 && col:
		return nil, shape[0], 1
	case len(shape) == 1:
		return nil, 1, shape[0]
	}
	return leading(shape), shape[len(shape)-2], shape[len(shape)-1]
}

func count(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// checkRowParam checks parameters of the rows of a left operand: one for all, [rows] for the rows of each matrix, or
// [..., rows, 1].
func checkRowParam(what string, p, a tensor.Spec) error {
	if !p.Complete() || !a.Complete() || product(p.Dims).Size == 1 {
		return nil
	}
	shape, _ := a.Shape()
	lead, m, _ := matrixOf(shape, false)
	s, _ := p.Shape()
	if len(s) == 1 && s[0] == m || len(s) > 1 && s[len(s)-1] == 1 && (s[len(s)-2] == m || s[len(s)-2] == 1) && repeats(leading(s), lead) {
		return nil
	}
	return fmt.Errorf("%s %v does not belong to the rows of %v", what, p, a)
}

// checkColumnParam checks parameters of the columns of a right operand: one for all, [columns] for those of each matrix,
// or [..., 1, columns].
func checkColumnParam(what string, p, b tensor.Spec) error {
	if !p.Complete() || !b.Complete() || product(p.Dims).Size == 1 {
		return nil
	}
	shape, _ := b.Shape()
	lead, _, n := matrixOf(shape, true)
	s, _ := p.Shape()
	if len(s) == 1 && s[0] == n || len(s) > 1 && s[len(s)-2] == 1 && (s[len(s)-1] == n || s[len(s)-1] == 1) && repeats(leading(s), lead) {
		return nil
	}
	return fmt.Errorf("%s %v does not belong to the columns of %v", what, p, b)
}

// repeats reports whether a tensor with leading dimensions p broadcasts to one with dims.
func repeats(p, dims []int) bool {
	if len(p) > len(dims) {
		return false
	}
	for i, d := range p {
		if at := i + len(dims) - len(p); d != 1 && d != dims[at] {
			return false
		}
	}
	return true
}

// broadcastTo fills dst, of shape target, with src, of a shape that broadcasts to it.
func broadcastTo[T any](dst []T, target []int, src []T, shape []int) {
	if len(src) == 1 {
		for i := range dst {
			dst[i] = src[0]
		}
		return
	}
	var buf [8]int
	index := append(buf[:0], target...)
	clear(index)
	for i := range dst {
		dst[i] = src[broadcastIndex(index, shape)]
		for d := len(index) - 1; d >= 0; d-- {
			if index[d]++; index[d] < target[d] {
				break
			}
			index[d] = 0
		}
	}
}
