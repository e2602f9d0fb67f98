package ops

import (
	"sync/atomic"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
)

// depthwise is the job of a convolution with one input channel per group. A channel is first spread into stride x
// stride phases with its padding, so that each kernel position is one run over whole rows: results are computed over
// rows of the phases' width and the surplus at their ends is dropped. Each is one accumulator over ascending kernel
// positions, as in a matrix product.
type depthwise struct {
	o              *conv
	s              *convShape
	x, w, out      []float32
	bias, z        []float32
	size           [3]int // of a phase
	copied         bool   // the phases are a copy of the input
	rows           int    // output rows at a time
	next           atomic.Int64
	scratch        []float32
	phases, accLen int
}

// depthwiseAcc is the number of results that are computed at a time, which stay in the first-level cache.
const depthwiseAcc = 2048

func (o *conv) runDepthwise(c *graph.RunCtx, st *convState, x, w, out, bias, z []float32) error {
	j, s := &st.deep, &st.shape
	j.o, j.s, j.x, j.w, j.out, j.bias, j.z = o, s, x, w, out, bias, z
	phases := 1
	j.copied = false
	for i := range s.axes {
		a := &s.axes[i]
		j.size[i] = (s.padded(i) + a.stride - 1) / a.stride
		phases *= a.stride * j.size[i]
		j.copied = j.copied || a.stride > 1 || a.before != 0 || a.after != 0
	}
	j.phases = (phases*b2i(j.copied) + 15) &^ 15
	j.rows = max(1, min(depthwiseAcc/j.size[2], s.axes[1].out))
	j.accLen = (j.rows*j.size[2] + 15) &^ 15
	threads := min(c.Threads(), s.n*s.c)
	j.scratch = floatScratch(c, threads*(j.phases+j.accLen))
	j.next.Store(0)
	err := c.For(threads, 1, j)
	j.x, j.w, j.out, j.bias, j.z, j.scratch = nil, nil, nil, nil, nil, nil
	return err
}

// Do lets slots lo to hi take channels until none is left.
func (j *depthwise) Do(lo, hi int) {
	total := j.s.n * j.s.c
	for w := lo; w < hi; w++ {
		scratch := j.scratch[w*(j.phases+j.accLen):][:j.phases+j.accLen]
		for {
			ch := int(j.next.Add(1)) - 1
			if ch >= total {
				break
			}
			j.channel(ch, scratch[:j.phases], scratch[j.phases:])
		}
	}
}

func (j *depthwise) channel(ch int, phases, acc []float32) {
	s := j.s
	in := s.axes[0].in * s.axes[1].in * s.axes[2].in
	src := j.x[ch*in : (ch+1)*in]
	if j.copied {
		j.split(phases, src)
	} else {
		phases = src
	}
	mult := s.m / s.groups
	for m := range mult {
		oc := ch%s.c*mult + m
		first := (ch*mult + m) * s.pix
		y := j.out[first : first+s.pix]
		for z := range s.axes[0].out {
			j.plane(y[z*s.axes[1].out*s.axes[2].out:], phases, acc, j.w[oc*s.k:(oc+1)*s.k], z)
		}
		if j.bias != nil {
			j.o.l.k.Binary(backend.Add, y, y, j.bias[oc:oc+1])
		}
		if j.z != nil {
			j.o.finish(y, j.z[first:first+s.pix])
		} else {
			j.o.finish(y, nil)
		}
	}
}

// plane computes the output rows at depth z.
func (j *depthwise) plane(y, phases, acc, w []float32, z int) {
	d, h, x := &j.s.axes[0], &j.s.axes[1], &j.s.axes[2]
	width := j.size[2]
	for r := 0; r < h.out; r += j.rows {
		rows := min(j.rows, h.out-r)
		n := (rows-1)*width + x.out
		dst := acc[:n]
		if width == x.out {
			dst = y[r*width : r*width+n]
		}
		clear(dst)
		i := 0
		for kd := range d.kernel {
			for kh := range h.kernel {
				for kw := range x.kernel {
					at := j.tap(kd*d.dilate, kh*h.dilate, kw*x.dilate) + (z*j.size[1]+r)*width
					j.o.l.k.Axpy(dst, phases[at:at+n], w[i])
					i++
				}
			}
		}
		if width != x.out {
			for k := range rows {
				copy(y[(r+k)*x.out:(r+k+1)*x.out], acc[k*width:])
			}
		}
	}
}

// tap is where in the phases the run of a kernel position starts.
func (j *depthwise) tap(d, h, w int) int {
	a := &j.s.axes
	phase := (d%a[0].stride*a[1].stride+h%a[1].stride)*a[2].stride + w%a[2].stride
	return (phase*j.size[0]+d/a[0].stride)*j.size[1]*j.size[2] + h/a[1].stride*j.size[2] + w/a[2].stride
}

// split spreads a channel into its phases: padded position p of an axis is element p/stride of phase p%stride.
func (j *depthwise) split(dst, src []float32) {
	clear(dst)
	d, h, w := &j.s.axes[0], &j.s.axes[1], &j.s.axes[2]
	for z := max(0, -d.before); z < min(d.in, d.in+d.after); z++ {
		for y := max(0, -h.before); y < min(h.in, h.in+h.after); y++ {
			row := src[(z*h.in+y)*w.in : (z*h.in+y+1)*w.in]
			for p := range w.stride {
				// padded positions q*stride+p, of which the first inside the input is q0
				q0 := max(0, (w.before-p+w.stride-1)/w.stride)
				x0 := q0*w.stride + p - w.before
				n := (min(w.in, w.in+w.after) - x0 + w.stride - 1) / w.stride
				if n <= 0 {
					continue
				}
				at := j.tap(z+d.before, y+h.before, p) + q0
				if w.stride == 1 {
					copy(dst[at:at+n], row[x0:])
					continue
				}
				for i := range n {
					dst[at+i] = row[x0+i*w.stride]
				}
			}
		}
	}
}
