package ops

import (
	"sync/atomic"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// gatherRows is the job of a GatherElements along the last axis, by rows of the index.
type gatherRows[T tensor.Element] struct {
	dst, src []T
	idx      []int64
	dims     []int // of the index
	from     []int // of the data
	bad      atomic.Bool
}

func (j *gatherRows[T]) Do(lo, hi int) {
	last := len(j.dims) - 1
	n, size := j.dims[last], j.from[last]
	for r := lo; r < hi; r++ {
		at, stride := 0, size
		for a, rest := last-1, r; a >= 0; a-- {
			at += rest % j.dims[a] * stride
			rest /= j.dims[a]
			stride *= j.from[a]
		}
		src, dst := j.src[at:at+size], j.dst[r*n:(r+1)*n]
		for i, v := range j.idx[r*n : (r+1)*n] {
			k := int(v)
			if k < 0 {
				k += size
			}
			if uint(k) >= uint(len(src)) {
				j.bad.Store(true)
				break
			}
			dst[i] = src[k]
		}
	}
}

// gatherLast runs GatherElements along the last axis.
func gatherLast[T tensor.Element](c *graph.RunCtx, y, x, idx *tensor.Tensor) error {
	if y.Len() == 0 {
		return nil
	}
	j := graph.State[gatherRows[T]](c)
	j.dst, j.src, j.idx, j.dims, j.from = tensor.View[T](y), tensor.View[T](x), runInts(idx), idx.Shape(), x.Shape()
	j.bad.Store(false)
	n := j.dims[len(j.dims)-1]
	err := c.For(y.Len()/n, 1+8192/n, j)
	if j.bad.Load() {
		err = indexError(j.idx, j.from[len(j.from)-1])
	}
	j.dst, j.src, j.idx, j.dims, j.from = nil, nil, nil, nil, nil
	return err
}

// indexError is what is wrong with the first index that is outside an axis of that size.
func indexError(idx []int64, size int) error {
	for _, v := range idx {
		if _, err := indexOf(v, size); err != nil {
			return err
		}
	}
	return nil
}
