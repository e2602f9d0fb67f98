package ops

import (
	"sync/atomic"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
)

// depthwise is the job of a convolution with one input channel per group. Its parts are channels: whoever takes one
// brings it to the layout of phases and computes its results as runs over rows of the layout's width, whose surplus at
// the ends is dropped.
type depthwise struct {
	o         *conv
	s         *convShape
	in        phases
	offsets   backend.ConvOffsets
	x, w, out []float32
	bias, z   []float32
	rows      int // output rows at a time
	next      atomic.Int64
	scratch   []float32
	slots     []backend.ConvF32
	lens      [2]int // of a slot's scratch: the channel, results
}

// depthwiseRun is the number of results that are computed at a time, which stay in the first-level cache.
const depthwiseRun = 2048

func (o *conv) runDepthwise(c *graph.RunCtx, st *convState, x, w, out, bias, z []float32) error {
	j, s := &st.deep, &st.shape
	if g, ok := planesOf(s.axes); ok && s.m == s.c && st.planes.kernel.Depthwise(o.l.k, g) {
		return o.runPlanes(c, st, x, w, out, bias, z)
	}
	j.o, j.s, j.x, j.w, j.out, j.bias, j.z = o, s, x, w, out, bias, z
	j.in.init(s.axes)
	j.offsets.Reset()
	for kd := range s.axes[0].kernel {
		for kh := range s.axes[1].kernel {
			for kw := range s.axes[2].kernel {
				j.offsets.Add(j.in.tap(kd*s.axes[0].dilate, kh*s.axes[1].dilate, kw*s.axes[2].dilate))
			}
		}
	}
	j.rows = max(1, min(depthwiseRun/j.in.size[2], s.axes[1].out))
	j.lens = [2]int{align16(j.in.plane * b2i(j.in.copied)), align16(j.rows * j.in.size[2])}
	threads := min(c.Threads(), s.n*s.c)
	j.scratch = floatScratch(c, threads*(j.lens[0]+j.lens[1]))
	if cap(j.slots) < threads {
		j.slots = make([]backend.ConvF32, threads)
	}
	j.slots = j.slots[:threads]
	j.next.Store(0)
	err := c.For(threads, 1, j)
	clear(j.slots)
	j.x, j.w, j.out, j.bias, j.z, j.scratch = nil, nil, nil, nil, nil, nil
	return err
}

// Do lets slots lo to hi take channels until none is left.
func (j *depthwise) Do(lo, hi int) {
	total, size := j.s.n*j.s.c, j.lens[0]+j.lens[1]
	for w := lo; w < hi; w++ {
		scratch := j.scratch[w*size : (w+1)*size]
		for {
			ch := int(j.next.Add(1)) - 1
			if ch >= total {
				break
			}
			j.channel(&j.slots[w], ch, scratch[:j.lens[0]], scratch[j.lens[0]:])
		}
	}
}

func (j *depthwise) channel(g *backend.ConvF32, ch int, layout, results []float32) {
	s := j.s
	in := s.axes[0].in * s.axes[1].in * s.axes[2].in
	src := j.x[ch*in : (ch+1)*in]
	if j.in.copied {
		j.in.split(layout[:j.in.plane], src)
	} else {
		layout = src
	}
	mult := s.m / s.groups
	for m := range mult {
		oc := ch%s.c*mult + m
		first := (ch*mult + m) * s.pix
		y := j.out[first : first+s.pix]
		*g = backend.ConvF32{M: 1, A: j.w[oc*s.k : (oc+1)*s.k], LDA: s.k, Offsets: &j.offsets}
		if j.bias != nil {
			g.Epi.BiasRow = j.bias[oc : oc+1]
		}
		if j.z == nil {
			g.Epi.Act, g.Epi.P0, g.Epi.P1 = j.o.act.act, j.o.act.p0, j.o.act.p1
		}
		for z := range s.axes[0].out {
			j.plane(g, y[z*s.axes[1].out*s.axes[2].out:], layout, results, z)
		}
		if j.z != nil {
			j.o.finish(y, j.z[first:first+s.pix])
		}
	}
}

// plane computes the output rows at depth z.
func (j *depthwise) plane(g *backend.ConvF32, y, layout, results []float32, z int) {
	h, out, width := j.s.axes[1].out, j.s.axes[2].out, j.in.size[2]
	for r := 0; r < h; r += j.rows {
		rows := min(j.rows, h-r)
		g.N = (rows-1)*width + out
		g.X, g.C, g.LDC = layout[j.in.row(z, r):], results, g.N
		if width == out {
			g.C = y[r*width : r*width+g.N]
		}
		g.Run(j.o.l.k)
		if width == out {
			continue
		}
		for k := range rows {
			copy(y[(r+k)*out:(r+k+1)*out], results[k*width:])
		}
	}
}
