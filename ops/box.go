package ops

import (
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// box is a copy between strided views of two tensors of one element type: sizes and strides per axis in elements, the
// outermost first. Transpose, Slice, Concat, Expand, Tile and their kin are each one box or a few; a source stride of 0
// repeats, a negative one reverses.
type box struct {
	n, dst, src  []int
	dstAt, srcAt int // element at index 0 of every axis
}

func (b *box) reset() {
	b.n, b.dst, b.src, b.dstAt, b.srcAt = b.n[:0], b.dst[:0], b.src[:0], 0, 0
}

// axis adds an axis inside the ones before, merged with the last one where the two step as one.
func (b *box) axis(n, dst, src int) {
	if n == 1 {
		return
	}
	if k := len(b.n) - 1; k >= 0 && b.dst[k] == n*dst && b.src[k] == n*src {
		b.n[k], b.dst[k], b.src[k] = b.n[k]*n, dst, src
		return
	}
	b.n, b.dst, b.src = append(b.n, n), append(b.dst, dst), append(b.src, src)
}

const (
	boxRow   = 1 << 14 // elements of a row that one goroutine copies at a time
	boxGrain = 1 << 16 // bytes that are worth handing to another goroutine
)

// boxJob runs boxes; operators keep it as their state. A unit of its loop is some rows of the plane that two axes span:
// col is the innermost axis, row the one before it, or the one in which the source is contiguous when in col it is not.
type boxJob struct {
	box
	to, from *tensor.Tensor
	row, col int
	rows     int // of a unit
	blocks   int // units of a plane
	tail     int // elements of the last row when it is shorter, else 0
}

// copy runs the box that was set up with reset and axis.
func (j *boxJob) copy(c *graph.RunCtx, to, from *tensor.Tensor) error {
	units := 1
	for _, n := range j.n {
		units *= n
	}
	if units == 0 {
		return nil
	}
	if bits := to.DType().Bits(); bits > 0 && bits < 8 {
		j.copyPacked(to.Bytes(), from.Bytes(), bits)
		return nil
	}
	j.to, j.from = to, from
	defer func() { j.to, j.from = nil, nil }()
	j.plan()
	total := units
	units = j.blocks
	for a, n := range j.n {
		if a != j.row && a != j.col {
			units *= n
		}
	}
	bytes := max(to.DType().Size(), 1) * (total / units)
	return c.For(units, max(1, boxGrain/max(bytes, 1)), j)
}

// plan chooses the plane and cuts it into units.
func (j *boxJob) plan() {
	j.tail = 0
	switch len(j.n) {
	case 0:
		j.n, j.dst, j.src = append(j.n, 1, 1), append(j.dst, 1, 1), append(j.src, 1, 1)
	case 1:
		n, d, s := j.n[0], j.dst[0], j.src[0]
		w := min(n, boxRow)
		j.tail = n % w
		j.n[0], j.dst[0], j.src[0] = (n+w-1)/w, w*d, w*s
		j.n, j.dst, j.src = append(j.n, w), append(j.dst, d), append(j.src, s)
	}
	j.col = len(j.n) - 1
	j.row = j.col - 1
	j.rows = max(1, 4096/j.n[j.col])
	if j.dst[j.col] == 1 && j.src[j.col] > 1 {
		for a := range j.col {
			if j.src[a] == 1 {
				j.row, j.rows = a, 64
			}
		}
	}
	if j.tail != 0 {
		j.rows = 1
	}
	j.rows = min(j.rows, j.n[j.row])
	j.blocks = (j.n[j.row] + j.rows - 1) / j.rows
}

// Do copies the units lo <= u < hi.
func (j *boxJob) Do(lo, hi int) {
	if j.to.DType() == tensor.String {
		copyUnits(j, tensor.View[string](j.to), tensor.View[string](j.from), lo, hi)
		return
	}
	switch j.to.DType().Size() {
	case 1:
		copyUnits(j, tensor.View[uint8](j.to), tensor.View[uint8](j.from), lo, hi)
	case 2:
		copyUnits(j, tensor.View[uint16](j.to), tensor.View[uint16](j.from), lo, hi)
	case 4:
		copyUnits(j, tensor.View[uint32](j.to), tensor.View[uint32](j.from), lo, hi)
	case 8:
		copyUnits(j, tensor.View[uint64](j.to), tensor.View[uint64](j.from), lo, hi)
	case 16:
		copyUnits(j, tensor.View[complex128](j.to), tensor.View[complex128](j.from), lo, hi)
	}
}

func copyUnits[T any](j *boxJob, dst, src []T, lo, hi int) {
	var buf [16]int
	idx := buf[:]
	if len(j.n) > len(buf) {
		idx = make([]int, len(j.n))
	}
	d, s := j.dstAt, j.srcAt
	block, outer := lo%j.blocks, lo/j.blocks
	for a := len(j.n) - 1; a >= 0; a-- {
		if a == j.row || a == j.col {
			continue
		}
		idx[a] = outer % j.n[a]
		outer /= j.n[a]
		d += idx[a] * j.dst[a]
		s += idx[a] * j.src[a]
	}
	dr, sr := j.dst[j.row], j.src[j.row]
	for u := lo; u < hi; u++ {
		r := block * j.rows
		rows, cols := min(j.rows, j.n[j.row]-r), j.n[j.col]
		if j.tail != 0 && r+1 == j.n[j.row] {
			cols = j.tail
		}
		copyPlane(j, dst, src, d+r*dr, s+r*sr, rows, cols)
		if block++; block < j.blocks {
			continue
		}
		block = 0
		for a := len(j.n) - 1; a >= 0; a-- {
			if a == j.row || a == j.col {
				continue
			}
			idx[a]++
			d += j.dst[a]
			s += j.src[a]
			if idx[a] < j.n[a] {
				break
			}
			d -= idx[a] * j.dst[a]
			s -= idx[a] * j.src[a]
			idx[a] = 0
		}
	}
}

func copyPlane[T any](j *boxJob, dst, src []T, d, s, rows, cols int) {
	dr, dc, sr, sc := j.dst[j.row], j.dst[j.col], j.src[j.row], j.src[j.col]
	if dc == 1 && sr == 1 && sc > 1 && rows >= 8 && cols >= 8 {
		transposePlane(dst, src, d, s, rows, cols, dr, sc)
		return
	}
	for range rows {
		switch {
		case dc == 1 && sc == 1:
			tensor.Copy(dst[d:d+cols], src[s:s+cols])
		case dc == 1 && sc == 0:
			v := src[s]
			row := dst[d : d+cols]
			for i := range row {
				row[i] = v
			}
		case dc == 1:
			row, k := dst[d:d+cols], s
			for i := range row {
				row[i] = src[k]
				k += sc
			}
		default:
			for i, k, l := 0, d, s; i < cols; i++ {
				dst[k] = src[l]
				k += dc
				l += sc
			}
		}
		d += dr
		s += sr
	}
}

// transposePlane copies eight columns at a time, each contiguous in the source, into rows contiguous in dst.
func transposePlane[T any](dst, src []T, d, s, rows, cols, dr, sc int) {
	c := 0
	for ; c+8 <= cols; c += 8 {
		s0 := src[s : s+rows]
		s1 := src[s+sc:][:len(s0)]
		s2 := src[s+2*sc:][:len(s0)]
		s3 := src[s+3*sc:][:len(s0)]
		s4 := src[s+4*sc:][:len(s0)]
		s5 := src[s+5*sc:][:len(s0)]
		s6 := src[s+6*sc:][:len(s0)]
		s7 := src[s+7*sc:][:len(s0)]
		o := d + c
		for i := range s0 {
			w := dst[o : o+8 : o+8]
			w[0], w[1], w[2], w[3] = s0[i], s1[i], s2[i], s3[i]
			w[4], w[5], w[6], w[7] = s4[i], s5[i], s6[i], s7[i]
			o += dr
		}
		s += 8 * sc
	}
	for ; c < cols; c++ {
		o := d + c
		for _, v := range src[s : s+rows] {
			dst[o] = v
			o += dr
		}
		s += sc
	}
}

// copyPacked runs the box over elements of 4 or 2 bits.
func (j *boxJob) copyPacked(dst, src []byte, bits int) {
	idx := make([]int, len(j.n))
	d, s := j.dstAt, j.srcAt
	for {
		setPacked(dst, d, bits, packedAt(src, s, bits))
		a := len(j.n) - 1
		for ; a >= 0; a-- {
			idx[a]++
			d += j.dst[a]
			s += j.src[a]
			if idx[a] < j.n[a] {
				break
			}
			d -= idx[a] * j.dst[a]
			s -= idx[a] * j.src[a]
			idx[a] = 0
		}
		if a < 0 {
			return
		}
	}
}
