package dynquant

import (
	"fmt"
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// linearDims is the result's shape: Q's leading dimensions, broadcast with the weight's, then n.
func linearDims(q, w []tensor.Dim, n int) ([]tensor.Dim, error) {
	if len(w) == 2 {
		return append(slices.Clone(q[:len(q)-1]), tensor.Fixed(n)), nil
	}
	row := q[max(0, len(q)-2) : len(q)-1]
	lead, batch := q[:max(0, len(q)-2)], w[:len(w)-2]
	out := make([]tensor.Dim, max(len(lead), len(batch)))
	for i := range out {
		a, b := tensor.Fixed(1), tensor.Fixed(1)
		if j := i - (len(out) - len(lead)); j >= 0 {
			a = lead[j]
		}
		if j := i - (len(out) - len(batch)); j >= 0 {
			b = batch[j]
		}
		switch {
		case b.Size == 1:
			out[i] = a
		case a.Size == 1 || !a.Known():
			out[i] = b
		case a.Size == b.Size:
			out[i] = a
		default:
			return nil, fmt.Errorf("leading dimensions %v of the activation and %v of the weight do not broadcast", lead, batch)
		}
	}
	return append(append(out, row...), tensor.Fixed(n)), nil
}

// eachBatch calls f for every matrix of the result out of a product of an activation x [..., rows, K] with weights w
// [..., K, N] whose leading dimensions broadcast: a is the first row of the activation, weight the number of the matrix,
// y the first row of the result.
func eachBatch(out, x, w []int, f func(a, weight, y, rows int) error) error {
	rows := 1
	if len(x) > 1 {
		rows = x[len(x)-2]
	}
	lead := out[:len(out)-min(2, len(x))]
	count := 1
	for _, d := range lead {
		count *= d
	}
	if rows == 0 {
		return nil
	}
	index := make([]int, len(lead))
	for b := range count {
		a := broadcastIndex(index, x[:max(0, len(x)-2)])
		m := broadcastIndex(index, w[:len(w)-2])
		if err := f(a*rows, m, b*rows, rows); err != nil {
			return err
		}
		for d := len(index) - 1; d >= 0; d-- {
			if index[d]++; index[d] < lead[d] {
				break
			}
			index[d] = 0
		}
	}
	return nil
}

// broadcastIndex is the flat index into leading dimensions dims of what stands at index of the broadcast ones.
func broadcastIndex(index, dims []int) int {
	flat := 0
	for i, d := range dims {
		k := index[len(index)-len(dims)+i]
		if d == 1 {
			k = 0
		}
		flat = flat*d + k
	}
	return flat
}
