package ops

import (
	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// reducePlan walks the input of a reduction; adjacent dimensions that are all kept or all folded are one. Sizes and
// strides are outermost first.
type reducePlan struct {
	kept, keptStride []int
	fold, foldStride []int
	count            int // elements per result
}

// init plans for an input of the shape; is says which dimensions are folded.
func (p *reducePlan) init(shape []int, is func(dim int) bool) {
	p.kept, p.keptStride = p.kept[:0], p.keptStride[:0]
	p.fold, p.foldStride = p.fold[:0], p.foldStride[:0]
	p.count = 1
	stride := elemCount(shape)
	last := -1 // 0 after a kept dimension, 1 after a folded one
	for i, n := range shape {
		if stride > 0 {
			stride /= n
		}
		sizes, strides, now := &p.kept, &p.keptStride, 0
		if is(i) {
			sizes, strides, now = &p.fold, &p.foldStride, 1
			p.count *= n
		}
		if now == last {
			(*sizes)[len(*sizes)-1] *= n
			(*strides)[len(*strides)-1] = stride
		} else {
			*sizes, *strides = append(*sizes, n), append(*strides, stride)
		}
		last = now
	}
}

// base is where the elements of result i start.
func (p *reducePlan) base(i int) int {
	off := 0
	for d := len(p.kept) - 1; d >= 0; d-- {
		off += i % p.kept[d] * p.keptStride[d]
		i /= p.kept[d]
	}
	return off
}

// folds calls f with the offset of each combination of the folded dimensions before the last skip ones.
func (p *reducePlan) folds(skip int, f func(off int)) {
	n := len(p.fold) - skip
	total := 1
	for _, s := range p.fold[:n] {
		total *= s
	}
	for i := range total {
		off, r := 0, i
		for d := n - 1; d >= 0; d-- {
			off += r % p.fold[d] * p.foldStride[d]
			r /= p.fold[d]
		}
		f(off)
	}
}

// rowOf returns the elements that start at base, in buf unless they are adjacent already.
func rowOf[T any](p *reducePlan, x []T, base int, buf []T) []T {
	last := len(p.fold) - 1
	switch {
	case p.count == 0:
		return nil
	case last < 0:
		return x[base : base+1]
	case last == 0 && p.foldStride[0] == 1:
		return x[base : base+p.count]
	}
	buf = buf[:0]
	n, stride := p.fold[last], p.foldStride[last]
	p.folds(1, func(off int) {
		at := base + off
		for range n {
			buf = append(buf, x[at])
			at += stride
		}
	})
	return buf
}

// adjacent reports whether rowOf needs no buffer.
func (p *reducePlan) adjacent() bool {
	return p.count == 0 || len(p.fold) == 0 || len(p.fold) == 1 && p.foldStride[0] == 1
}

// sideBySide reports whether the elements of each result are adjacent and those of the next one follow.
func (p *reducePlan) sideBySide() bool {
	return p.count > 0 && len(p.fold) == 1 && p.foldStride[0] == 1 && len(p.kept) == 1 && p.keptStride[0] == p.count
}

type reduceJob[T tensor.Element] struct {
	reducePlan
	x, y []T
	row  func([]T) T
}

func (j *reduceJob[T]) Do(lo, hi int) {
	var buf []T
	if !j.adjacent() {
		buf = make([]T, 0, j.count)
	}
	for i := lo; i < hi; i++ {
		j.y[i] = j.row(rowOf(&j.reducePlan, j.x, j.base(i), buf))
	}
}

// columnJob folds whole rows of adjacent results at a time, where the last dimension is kept.
type columnJob struct {
	reducePlan
	k    *backend.Kernels
	f    backend.Binary
	mean bool
	x, y []float32
}

func (j *columnJob) Do(lo, hi int) {
	width := j.kept[len(j.kept)-1]
	for at := lo; at < hi; {
		n := min(width-at%width, hi-at, 4096) // a piece that stays in the cache
		y, base, first := j.y[at:at+n], j.base(at), true
		j.folds(0, func(off int) {
			x := j.x[base+off : base+off+n]
			if first {
				copy(y, x)
				first = false
				return
			}
			j.k.Binary(j.f, y, y, x)
		})
		if j.mean {
			count := [1]float32{float32(j.count)}
			j.k.Binary(backend.Div, y, y, count[:])
		}
		at += n
	}
}

// sumJob is the sums or means of rows that lie side by side.
type sumJob struct {
	k    *backend.Kernels
	n    int
	mean bool
	x, y []float32
}

func (j *sumJob) Do(lo, hi int) {
	y := j.y[lo:hi]
	if j.k.SumRows(y, j.x[lo*j.n:hi*j.n], j.n); j.mean {
		j.k.Binary(backend.Div, y, y, []float32{float32(j.n)})
	}
}

// reduceState is what one node keeps for its loops.
type reduceState[T tensor.Element] struct {
	rows    reduceJob[T]
	columns columnJob
	sums    sumJob
}

// runReduce folds with row; columns allows the kernels that fold row by row.
func runReduce[T tensor.Element](c *graph.RunCtx, o *reduce, axes []int64, row func([]T) T, columns bool) error {
	s := graph.State[reduceState[T]](c)
	x, y := c.In[0], c.Out[0]
	rank := x.Rank()
	s.rows.init(x.Shape(), func(dim int) bool {
		if len(axes) == 0 {
			return !o.noop
		}
		for _, a := range axes {
			if int(a) == dim || int(a)+rank == dim {
				return true
			}
		}
		return false
	})
	p := s.rows.reducePlan
	if f, ok := o.column(); columns && ok && p.count > 0 && len(p.fold) > 0 && len(p.kept) > 0 && p.keptStride[len(p.kept)-1] == 1 && p.kept[len(p.kept)-1] >= 8 {
		s.columns = columnJob{p, o.k, f, o.kind == reduceMean, tensor.View[float32](x), tensor.View[float32](y)}
		err := c.For(y.Len(), max(1, grainCheap/p.count), &s.columns)
		s.columns = columnJob{}
		return err
	}
	if columns && p.sideBySide() && (o.kind == reduceSum || o.kind == reduceMean) {
		s.sums = sumJob{o.k, p.count, o.kind == reduceMean, tensor.View[float32](x), tensor.View[float32](y)}
		err := c.For(y.Len(), max(1, grainCheap/p.count), &s.sums)
		s.sums = sumJob{}
		return err
	}
	s.rows.x, s.rows.y, s.rows.row = tensor.View[T](x), tensor.View[T](y), row
	err := c.For(y.Len(), max(1, grainCheap/max(1, p.count)), &s.rows)
	s.rows.x, s.rows.y, s.rows.row = nil, nil, nil
	return err
}

// column is the kernel that folds two rows, if one does.
func (o *reduce) column() (backend.Binary, bool) {
	switch o.kind {
	case reduceSum, reduceMean:
		return backend.Add, true
	case reduceMax:
		return backend.Max, true
	case reduceMin:
		return backend.Min, true
	}
	return 0, false
}
