package ops

import (
	"sync/atomic"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
)

// remainders is the job of a transposed convolution as one convolution of stride 1 for each remainder of the output
// position by the stride: the outputs o with o+before = i*stride + k*dilation for some of the kernel positions, the same
// for all of them. Output q*stride+r is position q of the convolution of remainder r. Its parts are blocks of q of one
// group; all remainders of a block are computed and then woven together.
type remainders struct {
	k            *backend.Kernels
	s            *convShape
	in           phases // of stride 1: the input with the padding that all of them need
	size         [3]int // positions of each convolution
	list         []remainder
	same         bool // they read the same elements: one product with all their rows
	x, w, out    []float32
	bias         []float32 // a number for each row of the products, or nil
	rows, cols   int       // positions of a block
	blocks, cuts int       // blocks of a depth: of rows, of columns in each
	next         atomic.Int64
	scratch      []float32
	each         int // of one goroutine's scratch
	slots        []backend.ConvF32
}

// remainder is the convolution of one remainder.
type remainder struct {
	offsets backend.ConvOffsets
	depth   int // channels of a group times kernel positions
	w       int // where its weights are in those of a group
}

// init reports whether that is the better method: every remainder has kernel positions, and padding does not make much
// more of the positions and of the input.
func (j *remainders) init(s *convShape) bool {
	if s.c < s.groups {
		return false
	}
	axes, padded := s.axes, 1.
	for i := range axes {
		a, in := &s.axes[i], &axes[i]
		if a.before < 0 || a.stride > a.kernel {
			return false
		}
		j.size[i] = (a.in + a.stride - 1) / a.stride
		low, high := 0, a.out
		for r := range a.stride {
			class, shift := a.first(r)
			count := 0
			a.reachedBy(class, func(_, at int) {
				low, high = min(low, at+shift), max(high, at+shift+j.size[i])
				count++
			})
			if count == 0 {
				return false
			}
		}
		*in = axis{in: a.out, out: high - low, kernel: 1, stride: 1, dilate: 1, before: -low, after: high - a.out}
		padded *= float64(high - low)
	}
	positions := float64(j.size[0]) * float64(j.size[1]) * float64(axes[2].out)
	if limit := 1.5 * float64(s.pix); positions > limit || padded > 2*limit {
		return false
	}
	j.s = s
	j.in.init(axes)
	return true
}

// setList describes the convolutions.
func (j *remainders) setList() {
	s := j.s
	d, h, w := &s.axes[0], &s.axes[1], &s.axes[2]
	n := d.stride * h.stride * w.stride
	if cap(j.list) < n {
		j.list = make([]remainder, n)
	}
	j.list = j.list[:n]
	j.same = n > 1
	per, block := s.c/s.groups, s.m/s.groups*(s.c/s.groups)
	for i := range j.list {
		r := &j.list[i]
		cd, sd := d.first(i / (h.stride * w.stride))
		ch, sh := h.first(i / w.stride % h.stride)
		cw, sw := w.first(i % w.stride)
		r.offsets.Reset()
		d.reachedBy(cd, func(_, z int) {
			h.reachedBy(ch, func(_, y int) {
				w.reachedBy(cw, func(_, x int) {
					a := &j.in.axes
					r.offsets.Add(j.in.tap(z+sd+a[0].before, y+sh+a[1].before, x+sw+a[2].before))
				})
			})
		})
		taps := r.offsets.Len()
		r.offsets.Repeat(taps, per-1, j.in.plane)
		r.depth = taps * per
		class := (cd*h.stride+ch)*w.stride + cw
		before := 0
		for c := range class {
			before += s.classCount(c)
		}
		r.w = before * block
		j.same = j.same && taps == 1 && class == i && sd == 0 && sh == 0 && sw == 0
	}
	j.same = j.same && s.k == n
}

func (o *convTranspose) runRemainders(c *graph.RunCtx, st *convTransposeState, x, w, out []float32) error {
	j, s := &st.rem, &st.shape
	if o.packs != nil {
		o.packs.remOnce.Do(func() {
			o.packs.remainders = make([]float32, len(w))
			s.remainderWeights(o.packs.remainders, w)
		})
		w = o.packs.remainders
	} else {
		t := floatScratch(c, len(w))
		s.remainderWeights(t, w)
		w = t
	}
	if j.in.copied {
		var err error
		if x, err = st.spread.run(c, o.l.k, &j.in, x, s.n*s.c); err != nil {
			return err
		}
	}
	j.setList()
	j.k, j.x, j.w, j.out, j.bias = o.l.k, x, w, out, j.spreadBias(c, optional(c, 2))
	threads := min(c.Threads(), j.divide(c.Threads()))
	j.each = align16(len(j.list) * s.m / s.groups * j.run(j.rows, j.cols))
	j.scratch = floatScratch(c, threads*j.each)
	if cap(j.slots) < threads {
		j.slots = make([]backend.ConvF32, threads)
	}
	j.slots = j.slots[:threads]
	j.next.Store(0)
	err := c.For(threads, 1, j)
	clear(j.slots)
	j.x, j.w, j.out, j.bias, j.scratch = nil, nil, nil, nil, nil
	return err
}

// spreadBias repeats the bias of each group for every remainder.
func (j *remainders) spreadBias(c *graph.RunCtx, bias []float32) []float32 {
	if bias == nil {
		return nil
	}
	m := j.s.m / j.s.groups
	all := floatScratch(c, len(j.list)*j.s.m)
	for i := range j.s.groups * len(j.list) {
		g := i / len(j.list)
		copy(all[i*m:(i+1)*m], bias[g*m:(g+1)*m])
	}
	return all
}

// run is the number of positions that are computed for a block, those between its rows included.
func (j *remainders) run(rows, cols int) int { return (rows-1)*j.in.size[2] + cols }

// divide cuts a depth into blocks for a number of threads, and returns the number of all parts.
func (j *remainders) divide(threads int) int {
	s := j.s
	per := len(j.list) * s.m / s.groups // results of a position
	most := max(convBlock/per, remainderColumns)
	if 4*per*s.c/s.groups > heavyWeights {
		most = max(most, heavyColumns)
	}
	units := s.n * s.groups * j.size[0]
	if all := j.size[1] * j.in.size[2] * units; threads > 1 {
		most = min(most, max(remainderColumns, (all+4*threads-1)/(4*threads)))
	}
	j.rows = min(j.size[1], max(1, most/j.in.size[2]))
	j.cols = j.size[2]
	if j.rows == 1 {
		j.cols = min(j.cols, (most+15)&^15)
	}
	j.blocks, j.cuts = (j.size[1]+j.rows-1)/j.rows, (j.size[2]+j.cols-1)/j.cols
	return units * j.blocks * j.cuts
}

// remainderColumns is the least number of positions of a block, where there are as many.
const remainderColumns = 96

// Do lets slots lo to hi take blocks until none is left.
func (j *remainders) Do(lo, hi int) {
	depth := j.size[0]
	total := j.s.n * j.s.groups * depth * j.blocks * j.cuts
	for t := lo; t < hi; t++ {
		for {
			u := int(j.next.Add(1)) - 1
			if u >= total {
				break
			}
			col, row := u%j.cuts*j.cols, u/j.cuts%j.blocks*j.rows
			u /= j.cuts * j.blocks
			j.block(&j.slots[t], j.scratch[t*j.each:(t+1)*j.each], u/depth, [3]int{u % depth, row, col})
		}
	}
}

// block computes the positions from at on of group b of all entries'.
func (j *remainders) block(g *backend.ConvF32, scratch []float32, b int, at [3]int) {
	s := j.s
	m, per, group := s.m/s.groups, s.c/s.groups, b%s.groups
	rows, cols := min(j.rows, j.size[1]-at[1]), min(j.cols, j.size[2]-at[2])
	n := j.run(rows, cols)
	x, w := j.x[b*per*j.in.plane+j.in.row(at[0], at[1])+at[2]:], j.w[group*m*per*s.k:]
	for i := range j.list {
		r := &j.list[i]
		*g = backend.ConvF32{M: m, N: n, A: w[r.w:], LDA: r.depth, X: x, Offsets: &r.offsets, C: scratch[i*m*n:], LDC: n}
		if j.same {
			g.M *= len(j.list)
		}
		if j.bias != nil {
			at := (group*len(j.list) + i) * m
			g.Epi.BiasRow = j.bias[at : at+g.M]
		}
		g.Run(j.k)
		if j.same {
			break
		}
	}
	if j.s.axes[2].stride == 2 {
		j.pairs(scratch, b*m, n, at, rows, cols)
		return
	}
	for ch := range m {
		for r := range rows {
			j.place(scratch[ch*n+r*j.in.size[2]:], b*m+ch, m*n, [3]int{at[0], at[1] + r, at[2]}, cols)
		}
	}
}

// pairs is place for a stride of two, for all rows and channels of a block, from plane on.
func (j *remainders) pairs(src []float32, plane, n int, at [3]int, rows, cols int) {
	s := j.s
	d, h, w := &s.axes[0], &s.axes[1], &s.axes[2]
	m, x0 := s.m/s.groups, 2*at[2]
	width := min(2*cols, w.in-x0)
	for i := range d.stride * h.stride {
		z, y := at[0]*d.stride+i/h.stride, at[1]*h.stride+i%h.stride
		if z >= d.in || y >= h.in {
			continue
		}
		count := min(rows, (h.in-y+h.stride-1)/h.stride)
		for ch := range m {
			dst := j.out[(((plane+ch)*d.in+z)*h.in+y)*w.in+x0:]
			even, odd := src[(2*i*m+ch)*n:], src[((2*i+1)*m+ch)*n:]
			j.k.Weave(dst, h.stride*w.in, even, odd, j.in.size[2], count, width/2)
			if width%2 == 1 {
				for r := range count {
					dst[r*h.stride*w.in+width-1] = even[r*j.in.size[2]+width/2]
				}
			}
		}
	}
}

// place weaves a row of positions of all remainders, which are ld apart, into a plane of the output.
func (j *remainders) place(src []float32, plane, ld int, at [3]int, cols int) {
	d, h, w := &j.s.axes[0], &j.s.axes[1], &j.s.axes[2]
	x0, x1 := at[2]*w.stride, min((at[2]+cols)*w.stride, w.in)
	for i := range d.stride * h.stride {
		z, y := at[0]*d.stride+i/h.stride, at[1]*h.stride+i%h.stride
		if z >= d.in || y >= h.in {
			continue
		}
		dst := j.out[((plane*d.in+z)*h.in+y)*w.in:]
		dst = dst[x0:x1]
		weave(j.k, dst, src[i*w.stride*ld:], ld, w.stride)
	}
}
