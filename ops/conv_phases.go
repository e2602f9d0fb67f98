package ops

import "github.com/qrun-onnx/qrun/backend"

// phases is the layout of a channel for convolution: it is spread, with its padding, over stride x stride x stride
// phases, padded position p of an axis being element p/stride of phase p%stride. Output positions of a row then read
// adjacent elements at every kernel position, whatever the stride.
type phases struct {
	axes   [3]axis
	size   [3]int // of a phase
	copied bool   // else the layout is the channel's own
	plane  int    // elements of a channel, phases and padding together
}

func (f *phases) init(axes [3]axis) {
	f.axes, f.copied, f.plane = axes, false, 1
	for i := range axes {
		a := &axes[i]
		f.size[i] = (a.in + a.before + a.after + a.stride - 1) / a.stride
		f.plane *= f.size[i] * a.stride
		f.copied = f.copied || a.stride > 1 || a.before != 0 || a.after != 0
	}
}

// spaced makes room between channels, an odd number of cache lines each, so that the same position of all channels
// does not compete for the same few lines of the cache.
func (f *phases) spaced() { f.plane = ((f.plane+15)/16 | 1) * 16 }

// tap is where the run of a kernel position starts: that of output position 0.
func (f *phases) tap(d, h, w int) int {
	a := &f.axes
	phase := (d%a[0].stride*a[1].stride+h%a[1].stride)*a[2].stride + w%a[2].stride
	return (phase*f.size[0]+d/a[0].stride)*f.size[1]*f.size[2] + h/a[1].stride*f.size[2] + w/a[2].stride
}

// row is where the output row y at depth z starts, relative to a tap.
func (f *phases) row(z, y int) int { return (z*f.size[1] + y) * f.size[2] }

// used reports whether some kernel position of an axis lies in a phase.
func (a *axis) used(phase int) bool {
	if a.stride == 1 {
		return true
	}
	for k := range min(a.kernel, a.stride) {
		if k*a.dilate%a.stride == phase {
			return true
		}
	}
	return false
}

// kernels are the kernels that copy the phases of channels, with their padding; none where there are none for it.
func (f *phases) kernels(k *backend.Kernels, list []backend.PlanesKernel) []backend.PlanesKernel {
	h, w := &f.axes[1], &f.axes[2]
	flat := h.in == 1 && h.out == 1 && h.stride == 1 && h.before == 0 && f.size[1] == 1
	if one := &f.axes[0]; one.in != 1 || one.before != 0 || f.size[0] != 1 || one.stride != 1 || !flat && h.stride != w.stride {
		return list[:0]
	}
	n := h.stride * w.stride
	if list = list[:cap(list)]; len(list) < n { // those of an earlier run know what they were asked for
		list = make([]backend.PlanesKernel, n)
	}
	list = list[:n]
	for p := range list {
		g := backend.Planes{
			InH: h.in, InW: w.in, OutH: f.size[1], OutW: f.size[2], KH: 1, KW: 1, Stride: w.stride,
			Top: h.before - p/w.stride, Left: w.before - p%w.stride,
		}
		if !list[p].Pool(k, g) {
			return list[:0]
		}
	}
	return list
}

// copyPlanes is split for n channels, by the kernels.
func (f *phases) copyPlanes(kernels []backend.PlanesKernel, dst, src []float32, n int) {
	h, w := &f.axes[1], &f.axes[2]
	for p := range kernels {
		if h.used(p/w.stride) && w.used(p%w.stride) {
			kernels[p].RunApart(n, f.plane, dst[p*f.size[1]*f.size[2]:], src)
		}
	}
}

// split brings a channel to the layout. Phases that no kernel position reads are left out.
func (f *phases) split(dst, src []float32) {
	d, h, w := &f.axes[0], &f.axes[1], &f.axes[2]
	size := f.size[0] * f.size[1] * f.size[2]
	for p := range d.stride * h.stride * w.stride {
		pd, ph, pw := p/(h.stride*w.stride), p/w.stride%h.stride, p%w.stride
		if !d.used(pd) || !h.used(ph) || !w.used(pw) {
			continue
		}
		phase := dst[p*size : (p+1)*size]
		// positions q*stride+pw of a row, of which from q0 up to q1 lie in the input, the first at x0
		q0 := max(0, (w.before-pw+w.stride-1)/w.stride)
		x0 := q0*w.stride + pw - w.before
		q1 := max(q0, q0+(min(w.in, w.in+w.after)-x0+w.stride-1)/w.stride)
		for r := range f.size[0] * f.size[1] {
			row := phase[r*f.size[2] : (r+1)*f.size[2]]
			z, y := r/f.size[1]*d.stride+pd-d.before, r%f.size[1]*h.stride+ph-h.before
			if z < 0 || z >= d.in || y < 0 || y >= h.in || q0 == q1 {
				clear(row)
				continue
			}
			for i := range q0 {
				row[i] = 0
			}
			strided(row[q0:q1], src[(z*h.in+y)*w.in+x0:], w.stride)
			for i := q1; i < len(row); i++ {
				row[i] = 0
			}
		}
	}
}

// strided reads every step-th element of src.
func strided(dst, src []float32, step int) {
	switch step {
	case 1:
		copy(dst, src)
	case 2:
		src = src[:2*len(dst)-1]
		i := 0
		for ; i+4 <= len(dst); i += 4 {
			d, s := dst[i:i+4:i+4], src[2*i:2*i+7:2*i+7]
			d[0], d[1], d[2], d[3] = s[0], s[2], s[4], s[6]
		}
		for ; i < len(dst); i++ {
			dst[i] = src[2*i]
		}
	default:
		for i := range dst {
			dst[i] = src[i*step]
		}
	}
}
