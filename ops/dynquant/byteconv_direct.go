package dynquant

import (
	"github.com/qrun-onnx/qrun/graph"
)

// maxExactTaps is how many products of differences of bytes add up to no more than 2^22, which is exact in float32 and
// what Kernels.FloatToInt takes.
const maxExactTaps = 1 << 22 / (255 * 255)

// setFloats makes the weights of a depthwise convolution floats, where its sums are exact as such.
func (w *convWeight) setFloats() {
	if w.shape[1] != 1 || count(w.shape[2:]) > maxExactTaps {
		return
	}
	w.floats = make([]float32, len(w.taps))
	for i, v := range w.taps {
		w.floats[i] = float32(v)
	}
}

// runDirect adds up taps plane by plane, without patches.
func (st *convState) runDirect(c *graph.RunCtx) error {
	d, h, w := &st.axes[0], &st.axes[1], &st.axes[2]
	st.slots = extend(st.slots, c.Threads())
	grain := 1 + 16384/(st.pix*max(st.depth, 1))
	if g, ok := planesOf(&st.axes); ok && st.weight.floats != nil && st.m == st.groups && st.slots[0].planes.Depthwise(st.k, g) {
		return st.runPlanes(c, g)
	}
	st.setRows()
	st.setTaps()
	st.pixels.plane = d.padded() * h.padded() * w.padded()
	st.rows = st.c / st.groups * st.pixels.plane // of the padded input of a group
	st.a = scratch[uint8](c, c.Threads()*st.rows)
	st.acc = scratch[int32](c, c.Threads()*st.width)
	return c.For(st.n*st.m, grain, (*convDirect)(st))
}

// putPlane stores the sums of n positions from pos on of a plane of the result.
func (st *convState) putPlane(sums []int32, plane, pos, n int) {
	at := plane*st.pix + pos
	if st.out.sums != nil {
		copy(st.out.sums[at:at+n], sums)
		return
	}
	st.out.requantize(st.k, st.out.bytes[at:at+n], sums, plane%st.m)
}

// setTaps lists where taps read in the padded planes of a group.
func (st *convState) setTaps() {
	d, h, w := &st.axes[0], &st.axes[1], &st.axes[2]
	ph, pw := h.padded(), w.padded()
	st.runs = st.runs[:0]
	for ch := range st.c / st.groups {
		for kd := range d.kernel {
			for kh := range h.kernel {
				for kw := range w.kernel {
					st.runs = append(st.runs, (ch*d.padded()+kd*d.dilate)*ph*pw+kh*h.dilate*pw+kw*w.dilate)
				}
			}
		}
	}
}

// convDirect are the output planes of groups of few channels.
type convDirect convState

func (j *convDirect) Do(lo, hi int) { j.DoAs(0, lo, hi) }

func (j *convDirect) DoAs(worker, lo, hi int) {
	st := (*convState)(j)
	acc, x := st.acc[worker*st.width:][:st.width], st.a[worker*st.rows:][:st.rows]
	perGroup, padded := st.m/st.groups, -1
	for p := lo; p < hi; p++ {
		if g := p / perGroup; g != padded {
			st.pad(x, g)
			padded = g
		}
		ch := p % st.m
		taps := st.weight.taps[ch*st.depth : (ch+1)*st.depth]
		start := int32(0)
		for _, w := range taps {
			start -= w * st.zeroX[0]
		}
		for r, from := range st.rowStart {
			for i := range acc {
				acc[i] = start
			}
			st.addTaps(acc, x[from:], taps)
			st.putPlane(acc, p, r*st.width, st.width)
		}
	}
}

// pad copies the planes of a group of a sample into their padded form, int8 ones as uint8.
func (st *convState) pad(dst []uint8, group int) {
	d, h, w := &st.axes[0], &st.axes[1], &st.axes[2]
	ph, pw, in := h.padded(), w.padded(), d.in*h.in*w.in
	fillBytes(dst, uint8(st.zeroX[0]))
	for c := range st.c / st.groups {
		src, to := st.x[(group*(st.c/st.groups)+c)*in:][:in], dst[c*st.pixels.plane:][:st.pixels.plane]
		for z := range d.in {
			for y := range h.in {
				row := to[((z+d.before)*ph+y+h.before)*pw+w.before:][:w.in]
				if from := src[(z*h.in+y)*w.in:][:w.in]; st.flip {
					flipSign(row, from)
				} else {
					copy(row, from)
				}
			}
		}
	}
}

// addTaps adds the taps of a row of output positions, three at a time.
func (st *convState) addTaps(acc []int32, x []uint8, taps []int32) {
	last := (len(acc)-1)*st.step + 1
	k := 0
	for ; k+3 <= len(taps); k += 3 {
		a, b, c := x[st.runs[k]:][:last], x[st.runs[k+1]:][:last], x[st.runs[k+2]:][:last]
		u, v, w := taps[k], taps[k+1], taps[k+2]
		if st.step == 1 {
			a, b, c = a[:len(acc)], b[:len(acc)], c[:len(acc)]
			for i := range acc {
				acc[i] += u*int32(a[i]) + v*int32(b[i]) + w*int32(c[i])
			}
			continue
		}
		for i, at := 0, 0; i < len(acc); i, at = i+1, at+st.step {
			acc[i] += u*int32(a[at]) + v*int32(b[at]) + w*int32(c[at])
		}
	}
	for ; k < len(taps); k++ {
		a, u := x[st.runs[k]:][:last], taps[k]
		for i := range acc {
			acc[i] += u * int32(a[i*st.step])
		}
	}
}
