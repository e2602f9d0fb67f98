package ops

import (
	"math"

	"github.com/qrun-onnx/qrun/backend"
)

// poolFlat is pooling with a step of 1 as operations on whole planes: under each row of the window lies the padded plane
// moved by as many rows, under each column what came of that moved by as many elements. So a plane takes as many calls as
// the window has rows and columns, each over all of its elements. Results that wrap around the end of a row are not used.
type poolFlat struct {
	rows  int // of the output at a time
	width int // of a padded row
	halo  int // rows of the window beyond the first
}

const (
	flatBlock = 1 << 14 // elements of a block, if a row has fewer
	flatSpare = 1 << 16 // elements that padding may take beyond four times the plane's
)

// newPoolFlat is the form of a window, if it has one that does not take much more memory than the planes.
func newPoolFlat(axes *[3]axis) (f poolFlat, ok bool) {
	d, h, w := &axes[0], &axes[1], &axes[2]
	if d.in != 1 || d.out != 1 || d.kernel != 1 || d.before != 0 || h.stride != 1 || w.stride != 1 {
		return f, false
	}
	f.width = w.out + (w.kernel-1)*w.dilate
	f.halo = (h.kernel - 1) * h.dilate
	f.rows = max(1, min(h.out, flatBlock/f.width))
	return f, f.memory() <= 4*(h.in*w.in+h.out*w.out)+flatSpare
}

// memory is the number of floats that a plane needs.
func (f *poolFlat) memory() int { return (2*f.rows + f.halo) * f.width }

// plane reduces the windows of one plane to their maximum or their sum; padding is minus infinity or zero.
func (f *poolFlat) plane(k *backend.Kernels, by backend.Binary, axes *[3]axis, dst, src, mem []float32) {
	h, w := &axes[1], &axes[2]
	pad := float32(0)
	if by == backend.Max {
		pad = float32(math.Inf(-1))
	}
	padded, columns := mem[:(f.rows+f.halo)*f.width], mem[(f.rows+f.halo)*f.width:]
	inPlace := h.before == 0 && w.before == 0 && h.in == h.out+f.halo && w.in == f.width
	for y := 0; y < h.out; y += f.rows {
		n := min(f.rows, h.out-y)
		x, c := padded[:(n+f.halo)*f.width], columns[:n*f.width]
		if inPlace {
			x = src[y*w.in:][:len(x)]
		} else {
			for r := range n + f.halo {
				padRow(x[r*f.width:(r+1)*f.width], src, y+r-h.before, h.in, w, pad)
			}
		}
		reduceMoved(k, by, c, x, h.kernel, h.dilate*f.width)
		sums := padded[:len(c)-(w.kernel-1)*w.dilate]
		reduceMoved(k, by, sums, c, w.kernel, w.dilate)
		for r := range n {
			copy(dst[(y+r)*w.out:(y+r+1)*w.out], sums[r*f.width:])
		}
	}
}

// padRow makes the padded form of row y of a plane, which may lie outside.
func padRow(dst, src []float32, y, height int, w *axis, pad float32) {
	lo, hi := 0, 0 // where the row's elements lie
	if y >= 0 && y < height {
		lo = min(w.before, len(dst))
		hi = lo + copy(dst[lo:], src[y*w.in:(y+1)*w.in])
	}
	for i := range dst[:lo] {
		dst[i] = pad
	}
	for i := hi; i < len(dst); i++ {
		dst[i] = pad
	}
}

// reduceMoved computes dst[i] = by(src[i], src[i+step], ...) of n elements, in this order.
func reduceMoved(k *backend.Kernels, by backend.Binary, dst, src []float32, n, step int) {
	if n == 1 {
		copy(dst, src)
		return
	}
	k.Binary(by, dst, src, src[step:])
	for i := 2; i < n; i++ {
		k.Binary(by, dst, dst, src[i*step:])
	}
}
