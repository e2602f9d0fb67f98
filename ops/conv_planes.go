package ops

import (
	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
)

// convPlanes is the job of a depthwise convolution that a kernel over planes computes from the input as it is, borders
// included. Its parts are channels of all entries.
type convPlanes struct {
	o         *conv
	s         *convShape
	kernel    backend.PlanesKernel
	x, w, out []float32
	bias, z   []float32
}

// planesOf is a window as kernels over planes know it: two dimensions, neighbouring elements, one stride.
func planesOf(axes [3]axis) (g backend.Planes, ok bool) {
	d, h, w := &axes[0], &axes[1], &axes[2]
	if d.in != 1 || d.out != 1 || d.kernel != 1 || d.before != 0 || h.dilate != 1 || w.dilate != 1 || h.stride != w.stride && (h.in != 1 || h.out != 1) {
		return g, false
	}
	return backend.Planes{
		InH: h.in, InW: w.in, OutH: h.out, OutW: w.out, KH: h.kernel, KW: w.kernel, Stride: w.stride, Top: h.before, Left: w.before,
	}, true
}

// planeGrain is how many planes of a size make a part that is worth handing to another goroutine.
func planeGrain(size int) int { return 1 + 16384/max(size, 1) }

func (o *conv) runPlanes(c *graph.RunCtx, st *convState, x, w, out, bias, z []float32) error {
	j, s := &st.planes, &st.shape
	j.o, j.s, j.x, j.w, j.out, j.bias, j.z = o, s, x, w, out, bias, z
	err := c.For(s.n*s.c, planeGrain(s.pix), j)
	j.x, j.w, j.out, j.bias, j.z = nil, nil, nil, nil, nil
	return err
}

// Do computes the channels lo to hi.
func (j *convPlanes) Do(lo, hi int) {
	s := j.s
	in := s.axes[1].in * s.axes[2].in
	for lo < hi {
		ch := lo % s.c
		n := min(hi-lo, s.c-ch)
		y, w := j.out[lo*s.pix:(lo+n)*s.pix], j.w[ch*s.k:(ch+n)*s.k]
		var bias []float32
		if j.bias != nil {
			bias = j.bias[ch : ch+n]
		}
		act, late := j.o.act, j.z != nil
		if late {
			act = fusedActivation{}
		}
		switch act.act {
		case backend.ActNone, backend.ActRelu, backend.ActClip:
			j.kernel.Run(n, y, j.x[lo*in:], w, bias, act.act, act.p0, act.p1)
		default:
			j.kernel.Run(n, y, j.x[lo*in:], w, bias, backend.ActNone, 0, 0)
			late = true
		}
		switch {
		case j.z != nil:
			j.o.finish(y, j.z[lo*s.pix:(lo+n)*s.pix])
		case late:
			j.o.finish(y, nil)
		}
		lo += n
	}
}
