package ops

import (
	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
)

// transposeWeights brings W to [groups, M/groups*kernel, C/groups].
func (o *convTranspose) transposeWeights(dst, w []float32, s *convShape) {
	rows := s.c / s.groups
	cols := s.m / s.groups * s.k
	for g := range o.groups {
		transposeInto(dst[g*rows*cols:], w[g*rows*cols:], rows, cols, cols)
	}
}

// runAdd adds the rows of a product.
func (o *convTranspose) runAdd(c *graph.RunCtx, st *convTransposeState, x, w, out []float32) error {
	s := &st.shape
	if o.packs != nil {
		o.packs.addOnce.Do(func() {
			o.packs.rows = make([]float32, len(w))
			o.transposeWeights(o.packs.rows, w, s)
		})
		w = o.packs.rows
	} else {
		t := floatScratch(c, len(w))
		o.transposeWeights(t, w, s)
		w = t
	}
	p := &st.product
	p.k, p.batches, p.m, p.kk, p.n = o.l.k, s.n*s.groups, s.m/s.groups*s.k, s.c/s.groups, s.pix
	p.a, p.lda, p.b, p.ldb, p.transB = w, p.kk, x, s.pix, false
	p.c, p.ldc, p.sizeC = floatScratch(c, s.n*s.m*s.k*s.pix), s.pix, p.m*s.pix
	p.alpha, p.epi, p.rowBias = 1, backend.Epilogue{}, nil
	st.offA, st.offB = st.offA[:0], st.offB[:0]
	for b := range p.batches {
		st.offA = append(st.offA, b%s.groups*p.m*p.kk)
		st.offB = append(st.offB, b*p.kk*s.pix)
	}
	p.offA, p.offB = st.offA, st.offB
	st.add = addTaps{k: o.l.k, s: *s, src: p.c, dst: out, bias: optional(c, 2)}
	if err := p.run(c); err != nil {
		return err
	}
	st.add.parts = min(s.n*s.m, 4*c.Threads())
	st.add.row = align16(st.add.column() * s.axes[2].stride)
	st.add.rows = floatScratch(c, st.add.parts*st.add.row)
	err := c.For(st.add.parts, 1, &st.add)
	st.add = addTaps{}
	return err
}

// addTaps is the job that adds the rows of the product, one per kernel position, into the output. Its parts are groups
// of planes. A row of the output is made from the rows that reach it, apart for each remainder of the column by the
// stride, where they are contiguous; the order of the sums is that of kernel positions.
type addTaps struct {
	k        *backend.Kernels
	s        convShape
	src, dst []float32
	bias     []float32
	rows     []float32 // a row for each part
	row      int       // elements of it
	parts    int
}

// column is the number of outputs of a row that have the same remainder by the stride, at most.
func (j *addTaps) column() int { w := &j.s.axes[2]; return (w.in + w.stride - 1) / w.stride }

func (j *addTaps) Do(lo, hi int) {
	s := &j.s
	size := s.axes[0].in * s.axes[1].in * s.axes[2].in
	planes := s.n * s.m
	for part := lo; part < hi; part++ {
		tmp := j.rows[part*j.row : (part+1)*j.row]
		for p := part * planes / j.parts; p < (part+1)*planes/j.parts; p++ {
			y := j.dst[p*size : (p+1)*size]
			j.plane(y, j.src[p*s.k*s.pix:(p+1)*s.k*s.pix], tmp)
			if j.bias != nil {
				m := p % s.m
				j.k.Binary(backend.Add, y, y, j.bias[m:m+1])
			}
		}
	}
}

func (j *addTaps) plane(dst, src, tmp []float32) {
	d, h, w := &j.s.axes[0], &j.s.axes[1], &j.s.axes[2]
	for z := range d.in {
		for y := range h.in {
			clear(tmp)
			for kd := range d.kernel {
				i, ok := d.source(z, kd)
				for kh := 0; ok && kh < h.kernel; kh++ {
					if r, ok := h.source(y, kh); ok {
						tap := (kd*h.kernel + kh) * w.kernel
						j.addRow(tmp, src[tap*j.s.pix+(i*h.out+r)*w.out:])
					}
				}
			}
			at := (z*h.in + y) * w.in
			weave(j.k, dst[at:at+w.in], tmp, j.column(), w.stride)
		}
	}
}

// source is the position that kernel position k adds to output o of the transposed convolution, if there is one.
func (a *axis) source(o, k int) (i int, ok bool) {
	i = o + a.before - k*a.dilate
	return i / a.stride, i >= 0 && i%a.stride == 0 && i/a.stride < a.out
}

// addRow adds the row of the input at src under all columns of the kernel.
func (j *addTaps) addRow(tmp, src []float32) {
	w, n := &j.s.axes[2], j.column()
	for k := range w.kernel {
		lo, hi := w.span(k)
		if lo >= hi {
			continue
		}
		x := lo*w.stride + k*w.dilate - w.before // of the output
		to := tmp[x%w.stride*n+x/w.stride:][:hi-lo]
		from := src[k*j.s.pix+lo:][:hi-lo]
		j.k.Binary(backend.Add, to, to, from)
	}
}

// weave puts the elements of stride rows, which are ld apart in src, side by side.
func weave(k *backend.Kernels, dst, src []float32, ld, stride int) {
	switch {
	case stride == 1:
		copy(dst, src)
	case stride%8 == 0 && len(dst)%stride == 0:
		backend.Transpose(k, dst, stride, src, ld, stride, len(dst)/stride)
	case stride == 2 && len(dst) > 1:
		n := len(dst) / 2
		k.Weave(dst, 2*n, src, src[ld:], n, 1, n)
		if len(dst)%2 == 1 {
			dst[2*n] = src[n]
		}
	default:
		for r := range min(stride, len(dst)) {
			from := src[r*ld:]
			for i, x := 0, r; x < len(dst); i, x = i+1, x+stride {
				dst[x] = from[i]
			}
		}
	}
}
