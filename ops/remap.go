package ops

import (
	"unsafe"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// remap fills a tensor from another through a list per axis: of the source position of every position, -1 for a
// constant. Pad and nearest-neighbour Resize are that. Operators keep it as their state.
type remap struct {
	dst, src, value *tensor.Tensor
	in, out         []int   // sizes per axis
	from            [][]int // source positions per axis
	head, body      int     // of the last axis: positions before a contiguous part, and in it
	doubled         bool    // on the last axis each source position comes twice
	k               *backend.Kernels
}

func (j *remap) reset() { j.in, j.out, j.head, j.body, j.doubled = j.in[:0], j.out[:0], 0, 0, false }

// axis adds an inner axis of in source and out positions and returns the list to fill.
func (j *remap) axis(in, out int) []int {
	k := len(j.in)
	j.in, j.out = append(j.in, in), append(j.out, out)
	if k == len(j.from) {
		j.from = append(j.from, nil)
	}
	if cap(j.from[k]) < out {
		j.from[k] = make([]int, out)
	}
	j.from[k] = j.from[k][:out]
	j.head, j.body = out, 0
	return j.from[k]
}

// whole adds the last axis, of n positions that are copied as they are.
func (j *remap) whole(n int) {
	list := j.axis(n, n)
	for i := range list {
		list[i] = i
	}
	j.contiguous(0, n)
}

// contiguous says that on the last axis the body positions after the head are neighbours in the source too.
func (j *remap) contiguous(head, body int) { j.head, j.body = head, body }

// run fills y from x; a nil value is zero.
func (j *remap) run(c *graph.RunCtx, y, x, value *tensor.Tensor) error {
	if y.Len() == 0 {
		return nil
	}
	j.dst, j.src, j.value = y, x, value
	defer func() { j.dst, j.src, j.value = nil, nil, nil }()
	row := j.out[len(j.out)-1]
	return c.For(y.Len()/row, max(1, boxGrain/(row*max(x.DType().Size(), 1))), j)
}

// Do fills the rows lo <= r < hi.
func (j *remap) Do(lo, hi int) {
	if j.dst.DType() == tensor.String {
		remapRows(j, tensor.View[string](j.dst), tensor.View[string](j.src), valueOf[string](j.value), lo, hi)
		return
	}
	switch j.dst.DType().Size() {
	case 1:
		remapRows(j, tensor.View[uint8](j.dst), tensor.View[uint8](j.src), valueOf[uint8](j.value), lo, hi)
	case 2:
		remapRows(j, tensor.View[uint16](j.dst), tensor.View[uint16](j.src), valueOf[uint16](j.value), lo, hi)
	case 4:
		remapRows(j, tensor.View[uint32](j.dst), tensor.View[uint32](j.src), valueOf[uint32](j.value), lo, hi)
	case 8:
		remapRows(j, tensor.View[uint64](j.dst), tensor.View[uint64](j.src), valueOf[uint64](j.value), lo, hi)
	case 16:
		remapRows(j, tensor.View[complex128](j.dst), tensor.View[complex128](j.src), valueOf[complex128](j.value), lo, hi)
	}
}

func valueOf[T tensor.Element](t *tensor.Tensor) (v T) {
	if t != nil {
		v = tensor.View[T](t)[0]
	}
	return v
}

func remapRows[T any](j *remap, dst, src []T, value T, lo, hi int) {
	last := len(j.out) - 1
	n, m := j.in[last], j.out[last]
	from := j.from[last]
	before, base, at, y := -1, 0, 0, 0
	var rows []int
	if last > 0 {
		rows = j.from[last-1]
	}
	for r := lo; r < hi; r++ {
		row := dst[r*m : (r+1)*m]
		if last > 0 {
			if r == lo || y == len(rows) {
				y, base = r%len(rows), j.plane(r/len(rows))
			}
			if at = base; base >= 0 && rows[y] >= 0 {
				at += rows[y] * n
			} else {
				at = -1
			}
			y++
		}
		if at < 0 {
			before = -1
			for i := range row {
				row[i] = value
			}
			continue
		}
		if at == before {
			copy(row, dst[(r-1)*m:])
			continue
		}
		before = at
		if j.doubled && j.k != nil && unsafe.Sizeof(value) == 4 {
			j.k.Twice(pairsOf(row), wordsOf(src[at:at+n]))
			continue
		}
		if j.doubled {
			for i, v := range src[at : at+n] {
				pair := row[2*i : 2*i+2 : 2*i+2]
				pair[0], pair[1] = v, v
			}
			continue
		}
		remapEach(row[:j.head], src, from[:j.head], at, value)
		if j.body > 0 {
			k := at + from[j.head]
			copy(row[j.head:j.head+j.body], src[k:k+j.body])
		}
		remapEach(row[j.head+j.body:], src, from[j.head+j.body:], at, value)
	}
}

// wordsOf is the memory of elements of four bytes.
func wordsOf[T any](s []T) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}

// pairsOf is the memory of pairs of elements of four bytes.
func pairsOf[T any](s []T) [][2]uint32 {
	return unsafe.Slice((*[2]uint32)(unsafe.Pointer(unsafe.SliceData(s))), len(s)/2)
}

// plane is where the rows of a result's outer index p start in the source, -1 if they are a constant.
func (j *remap) plane(p int) int {
	inner := len(j.out) - 2
	at, stride := 0, j.in[inner]*j.in[inner+1]
	for a := inner - 1; a >= 0; a-- {
		k := j.from[a][p%j.out[a]]
		p /= j.out[a]
		if k < 0 {
			return -1
		}
		at += k * stride
		stride *= j.in[a]
	}
	return at
}

func remapEach[T any](row, src []T, from []int, at int, value T) {
	for i, k := range from {
		if k < 0 {
			row[i] = value
		} else {
			row[i] = src[at+k]
		}
	}
}
