package dynquant

import (
	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
)

// planesOf is a movement as kernels over planes know it: two dimensions, neighbouring elements, one stride.
func planesOf(axes *[3]convAxis) (g backend.Planes, ok bool) {
	d, h, w := &axes[0], &axes[1], &axes[2]
	if d.in != 1 || d.out != 1 || d.kernel != 1 || d.before != 0 || h.dilate != 1 || w.dilate != 1 || h.stride != w.stride {
		return g, false
	}
	return backend.Planes{InH: h.in, InW: w.in, OutH: h.out, OutW: w.out, KH: h.kernel, KW: w.kernel, Stride: h.stride, Top: h.before, Left: w.before}, true
}

// planesBatch is how many elements of the input are brought to float32 at a time, if that many planes are larger than one.
const planesBatch = 1 << 13

// runPlanes computes the planes of a depthwise convolution in float32, whose sums are exact.
func (st *convState) runPlanes(c *graph.RunCtx, g backend.Planes) error {
	for i := range st.slots {
		st.slots[i].planes.Depthwise(st.k, g)
	}
	st.in = count3(&st.axes)
	st.batch = min(st.m, 1+planesBatch/(st.in+st.pix))
	st.rows = st.batch*(st.in+st.pix) + 16 // floats of a goroutine
	st.acc = scratch[int32](c, c.Threads()*st.rows)
	if st.out.bytes != nil {
		st.a = scratch[uint8](c, c.Threads()*(st.batch*st.pix+16))
		st.setFloatBias(c)
	}
	return c.For(st.n*st.m, 1+16384/(st.in+st.pix), (*convPlanes)(st))
}

// count3 is the number of elements of a plane of the input.
func count3(axes *[3]convAxis) int { return axes[0].in * axes[1].in * axes[2].in }

// setFloatBias brings the bias to float32, for the kernel to add, which is as exact as adding integers where float32
// holds each: it is not there otherwise.
func (st *convState) setFloatBias(c *graph.RunCtx) {
	t := &st.out
	t.biasF = scratch[float32](c, st.m)
	clear(t.biasF)
	for i, v := range t.bias {
		if t.biasF[i] = float32(v); v < -1<<24 || v > 1<<24 {
			t.biasF = nil
			return
		}
	}
}

// convPlanes are the planes of a depthwise convolution, some at a time.
type convPlanes convState

func (j *convPlanes) Do(lo, hi int) { j.DoAs(0, lo, hi) }

func (j *convPlanes) DoAs(worker, lo, hi int) {
	st := (*convState)(j)
	for p := lo; p < hi; {
		n := min(st.batch, hi-p, st.m-p%st.m)
		st.planes(worker, p, n)
		p += n
	}
}

// planes computes n planes from p on, which are of one sample.
func (st *convState) planes(worker, p, n int) {
	s, ints := &st.slots[worker], st.acc[worker*st.rows:][:st.rows]
	x, sums := asFloats(ints[:n*st.in]), ints[st.batch*st.in:]
	y, ch, zero := asFloats(sums), p%st.m, st.zeroX[0]
	if src := st.x[p*st.in : (p+n)*st.in]; st.flip {
		st.k.DequantizeI8(x, asInt8(src), 1, zero-128)
	} else {
		st.k.DequantizeU8(x, src, 1, zero)
	}
	t, weights := &st.out, st.weight.floats[ch*st.depth:(ch+n)*st.depth]
	if t.bytes != nil && t.biasF != nil {
		s.planes.Run(n, y, x, weights, t.biasF[ch:ch+n], backend.ActNone, 0, 0)
		dst := st.a[worker*(st.batch*st.pix+16):][:st.batch*st.pix+16]
		st.k.RequantizeRows(dst, y, st.pix, t.scale[ch:ch+n], t.grid.zero, t.grid.low)
		copy(t.bytes[p*st.pix:(p+n)*st.pix], dst)
		return
	}
	s.planes.Run(n, y, x, weights, nil, backend.ActNone, 0, 0)
	st.k.FloatToInt(sums[:n*st.pix], y[:n*st.pix])
	for i := range n {
		st.putPlane(sums[i*st.pix:(i+1)*st.pix], p+i, 0, st.pix)
	}
}
