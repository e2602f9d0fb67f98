package ops

import (
	"math"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/internal/par"
	"github.com/qrun-onnx/qrun/tensor"
)

// poolRows is the job of float32 pooling, by planes: for each output row the input rows of its windows are reduced
// into one row, from top to bottom, and that is reduced from left to right; with a step of 1, for many rows at once.
type poolRows struct {
	o        *pool
	axes     [3]axis
	src, dst []float32
	mem      []float32 // for each range what memory says
	grain    int
	kernel   backend.PlanesKernel
	flat     poolFlat
	isFlat   bool
	counts   []float32  // for means by a kernel or flat: what each result is divided by
	whole    globalRows // where the only window is the input
}

func (o *pool) runFloat32(c *graph.RunCtx) error {
	j := graph.State[poolRows](c)
	shape := c.In[0].Shape()
	j.o, j.axes = o, o.axes(shape)
	j.src, j.dst = tensor.View[float32](c.In[0]), tensor.View[float32](c.Out[0])
	if len(j.dst) == 0 {
		return nil
	}
	planes := shape[0] * shape[1]
	if j.isWhole() {
		j.whole = globalRows{&o.global, j.src, j.dst}
		err := c.For(planes, planeGrain(len(j.src)/planes), &j.whole)
		j.src, j.dst, j.whole = nil, nil, globalRows{}
		return err
	}
	j.counts = j.counts[:0]
	if g, ok := planesOf(j.axes); ok {
		if g.Max = o.kind == poolMax; j.kernel.Pool(o.l.k, g) {
			j.setCounts()
			err := c.For(planes, planeGrain(len(j.dst)/planes), (*poolPlanes)(j))
			j.src, j.dst = nil, nil
			return err
		}
	}
	if j.flatten(); j.isFlat {
		j.setCounts()
	}
	j.grain = max(1, min(planes/c.Threads(), 1+32768/(1+len(j.src)/planes)))
	ranges := (planes + j.grain - 1) / j.grain
	j.mem = floatScratch(c, c.Threads()*j.memory())
	err := c.For(ranges, 1, j)
	j.src, j.dst, j.mem = nil, nil, nil
	return err
}

// isWhole reports whether there is one window in each plane, and it is the plane.
func (j *poolRows) isWhole() bool {
	for i := range j.axes {
		if a := &j.axes[i]; a.out != 1 || a.before != 0 || a.kernel != a.in || a.dilate != 1 {
			return false
		}
	}
	return true
}

func (j *poolRows) flatten() { j.flat, j.isFlat = newPoolFlat(&j.axes) }

// memory is the number of floats that a goroutine needs: those of the flat form, else a row of the input.
func (j *poolRows) memory() int {
	if j.isFlat {
		return j.flat.memory()
	}
	return j.axes[2].in
}

// poolPlanes is the job where there is a kernel for whole planes.
type poolPlanes poolRows

// Do computes the planes lo to hi.
func (j *poolPlanes) Do(lo, hi int) {
	in, out := j.axes[1].in*j.axes[2].in, j.axes[1].out*j.axes[2].out
	j.kernel.Run(hi-lo, j.dst[lo*out:hi*out], j.src[lo*in:hi*in], nil, nil, backend.ActNone, 0, 0)
	for p := lo; p < hi && len(j.counts) > 0; p++ {
		y := j.dst[p*out : (p+1)*out]
		j.o.l.k.Binary(backend.Div, y, y, j.counts)
	}
}

// setCounts computes the counts of means; where a window lies in the padding, so that its sum is 0, any number does.
func (j *poolRows) setCounts() {
	if j.o.kind == poolMax {
		return
	}
	d, h, w := &j.axes[0], &j.axes[1], &j.axes[2]
	for y := range h.out {
		rows := j.o.count(d, 0) * j.o.count(h, y)
		for x := range w.out {
			j.counts = append(j.counts, float32(max(1, rows*j.o.count(w, x))))
		}
	}
}

var _ par.WorkerBody = (*poolRows)(nil)

func (j *poolRows) Do(lo, hi int) { j.DoAs(0, lo, hi) }

// DoAs computes the ranges lo to hi of planes.
func (j *poolRows) DoAs(worker, lo, hi int) {
	in, out := j.axes[0].in*j.axes[1].in*j.axes[2].in, j.axes[0].out*j.axes[1].out*j.axes[2].out
	mem := j.mem[worker*j.memory():][:j.memory()]
	for p := lo * j.grain; p < min(hi*j.grain, len(j.dst)/out); p++ {
		j.plane(j.dst[p*out:(p+1)*out], j.src[p*in:(p+1)*in], mem)
	}
}

func (j *poolRows) plane(dst, src, row []float32) {
	switch {
	case j.isFlat && j.o.kind == poolMax:
		j.flat.plane(j.o.l.k, backend.Max, &j.axes, dst, src, row)
		return
	case j.isFlat:
		j.flat.plane(j.o.l.k, backend.Add, &j.axes, dst, src, row)
		j.o.l.k.Binary(backend.Div, dst, dst, j.counts)
		return
	}
	d, h, w := &j.axes[0], &j.axes[1], &j.axes[2]
	for z := range d.out {
		z0, z1 := d.taps(z)
		for y := range h.out {
			y0, y1 := h.taps(y)
			first := true
			for kz := z0; kz < z1; kz++ {
				for ky := y0; ky < y1; ky++ {
					at := ((z*d.stride+kz*d.dilate-d.before)*h.in + y*h.stride + ky*h.dilate - h.before) * w.in
					j.accumulate(row, src[at:at+w.in], first)
					first = false
				}
			}
			out := dst[(z*h.out+y)*w.out : (z*h.out+y+1)*w.out]
			if first { // the windows lie in the padding
				j.fill(out)
				continue
			}
			if j.o.kind == poolMax {
				maxRow(out, row, w)
			} else {
				j.meanRow(out, row, j.o.count(d, z)*j.o.count(h, y))
			}
		}
	}
}

func (j *poolRows) accumulate(row, src []float32, first bool) {
	switch {
	case first:
		copy(row, src)
	case j.o.kind == poolMax:
		j.o.l.k.Binary(backend.Max, row, row, src)
	default:
		j.o.l.k.Binary(backend.Add, row, row, src)
	}
}

func (j *poolRows) fill(out []float32) {
	v := float32(0)
	if j.o.kind == poolMax {
		v = float32(math.Inf(-1))
	}
	for i := range out {
		out[i] = v
	}
}

// inner is the range of outputs whose windows lie inside the input.
func (a *axis) inner() (lo, hi int) {
	lo = min(max(0, (a.before+a.stride-1)/a.stride), a.out)
	last := a.in - 1 - (a.kernel-1)*a.dilate + a.before // largest window start, in padded positions
	if last >= 0 {
		hi = min(last/a.stride+1, a.out)
	}
	return lo, max(lo, hi)
}

func maxRow(dst, src []float32, w *axis) {
	lo, hi := w.inner()
	for i := 0; i < w.out; i++ {
		if i == lo && hi > lo {
			maxInner(dst[lo:hi], src[lo*w.stride-w.before:], w)
			if i = hi; i == w.out {
				break
			}
		}
		m := float32(math.Inf(-1))
		k0, k1 := w.taps(i)
		for k := k0; k < k1; k++ {
			m = max(m, src[i*w.stride-w.before+k*w.dilate])
		}
		dst[i] = m
	}
}

func maxInner(dst, src []float32, w *axis) {
	s := w.stride
	switch {
	case w.kernel == 2 && w.dilate == 1:
		for i := range dst {
			t := src[i*s : i*s+2 : i*s+2]
			dst[i] = max(t[0], t[1])
		}
	case w.kernel == 3 && w.dilate == 1:
		for i := range dst {
			t := src[i*s : i*s+3 : i*s+3]
			dst[i] = max(t[0], t[1], t[2])
		}
	default:
		for i := range dst {
			m := src[i*s]
			for k := 1; k < w.kernel; k++ {
				m = max(m, src[i*s+k*w.dilate])
			}
			dst[i] = m
		}
	}
}

func (j *poolRows) meanRow(dst, src []float32, count int) {
	w := &j.axes[2]
	for i := range dst {
		k0, k1 := w.taps(i)
		var sum float32
		for k := k0; k < k1; k++ {
			sum += src[i*w.stride-w.before+k*w.dilate]
		}
		dst[i] = 0
		if n := count * j.o.count(w, i); n > 0 {
			dst[i] = sum / float32(n)
		}
	}
}
