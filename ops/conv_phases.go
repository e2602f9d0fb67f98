package ops

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
	for k := range min(a.kernel, a.stride) {
		if k*a.dilate%a.stride == phase {
			return true
		}
	}
	return false
}

// split brings a channel to the layout. Phases that no kernel position reads stay as they are.
func (f *phases) split(dst, src []float32) {
	clear(dst)
	d, h, w := &f.axes[0], &f.axes[1], &f.axes[2]
	last := min(w.in, w.in+w.after)
	for z := max(0, -d.before); z < min(d.in, d.in+d.after); z++ {
		if d.stride > 1 && !d.used((z+d.before)%d.stride) {
			continue
		}
		for y := max(0, -h.before); y < min(h.in, h.in+h.after); y++ {
			if h.stride > 1 && !h.used((y+h.before)%h.stride) {
				continue
			}
			row := src[(z*h.in+y)*w.in : (z*h.in+y+1)*w.in]
			for p := range w.stride {
				if w.stride > 1 && !w.used(p) {
					continue
				}
				// padded positions q*stride+p, of which the first inside the input is q0
				q0 := max(0, (w.before-p+w.stride-1)/w.stride)
				x0 := q0*w.stride + p - w.before
				if n := (last - x0 + w.stride - 1) / w.stride; n > 0 {
					at := f.tap(z+d.before, y+h.before, p) + q0
					strided(dst[at:at+n], row[x0:], w.stride)
				}
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
