package dynquant

import "github.com/qrun-onnx/qrun/graph"

// pixels is the input with the channels of a group side by side: for each group of each sample the padded positions, pitch
// bytes apart. A patch then is a few runs of neighbouring bytes.
type pixels struct {
	st       *convState
	dst      []uint8
	channels int // of a group
	pitch    int
	plane    int // padded positions
	chunk    int // positions made at a time where there is no padding, else 0
}

// pixelChunk is about how many bytes of pixels without padding are made at a time.
const pixelChunk = 1 << 14

// setPixels makes the pixels, and says where the patches read in them.
func (st *convState) setPixels(c *graph.RunCtx) error {
	d, h, w := &st.axes[0], &st.axes[1], &st.axes[2]
	ch := st.c / st.groups
	p := &st.pixels
	*p = pixels{st: st, channels: ch, pitch: ch, plane: d.padded() * h.padded() * w.padded()}
	st.setRows()
	taps := d.kernel * h.kernel * w.kernel
	if st.tiles = taps == 1 && st.step == 1 && st.pix == p.plane; st.tiles {
		p.pitch = st.k.StrideU8(ch)
	}
	st.setRuns()
	p.dst = scratch[uint8](c, st.n*st.groups*p.plane*p.pitch)
	if p.plane == d.in*h.in*w.in {
		p.chunk = max(16, pixelChunk/p.pitch&^15)
		return c.For(st.n*st.groups*p.chunks(), 1, p)
	}
	rows := d.padded() * h.padded()
	return c.For(st.n*st.groups*rows, 1+8192/max(1, w.padded()*p.pitch), p)
}

// chunks is the number of chunks of a plane.
func (p *pixels) chunks() int { return (p.plane + p.chunk - 1) / p.chunk }

// setRows lists where rows of output positions start.
func (st *convState) setRows() {
	d, h, w := &st.axes[0], &st.axes[1], &st.axes[2]
	ph, pw := h.padded(), w.padded()
	st.rowStart, st.width = st.rowStart[:0], w.out
	if st.step = w.stride; st.pix == d.padded()*ph*pw && st.step == 1 { // a plane is one row
		st.width, st.rowStart = st.pix, append(st.rowStart, 0)
		return
	}
	for z := range d.out {
		for y := range h.out {
			st.rowStart = append(st.rowStart, (z*d.stride*ph+y*h.stride)*pw)
		}
	}
}

// setRuns lists the runs of bytes of a patch: a row of the kernel where its taps are neighbours, else a tap.
func (st *convState) setRuns() {
	d, h, w := &st.axes[0], &st.axes[1], &st.axes[2]
	pitch := st.pixels.pitch
	apart := 1
	if st.run = w.kernel * pitch; w.dilate > 1 {
		st.run, apart = pitch, w.kernel
	}
	st.runs = st.runs[:0]
	for kd := range d.kernel {
		for kh := range h.kernel {
			for kw := range apart {
				st.runs = append(st.runs, ((kd*d.dilate*h.padded()+kh*h.dilate)*w.padded()+kw*w.dilate)*pitch)
			}
		}
	}
}

// Do makes padded rows, or chunks, lo to hi of all groups and samples.
func (p *pixels) Do(lo, hi int) {
	for i := lo; i < hi; i++ {
		if p.chunk > 0 {
			batch, from := i/p.chunks(), i%p.chunks()*p.chunk
			n := min(p.chunk, p.plane-from)
			dst := p.dst[(batch*p.plane+from)*p.pitch:][:n*p.pitch]
			p.clearTails(dst)
			p.turn(dst, p.st.x[batch*p.channels*p.plane+from:], p.plane, n)
			continue
		}
		p.row(i)
	}
}

// row makes a padded row.
func (p *pixels) row(i int) {
	d, h, w := &p.st.axes[0], &p.st.axes[1], &p.st.axes[2]
	rows, pw := d.padded()*h.padded(), w.padded()
	batch, z, y := i/rows, i%rows/h.padded()-d.before, i%h.padded()-h.before
	fill := uint8(p.st.zeroX[min(batch/p.st.groups, len(p.st.zeroX)-1)])
	dst := p.dst[i*pw*p.pitch : (i+1)*pw*p.pitch]
	inside := z >= 0 && z < d.in && y >= 0 && y < h.in
	if !inside {
		fillBytes(dst, fill)
	} else {
		fillBytes(dst[:w.before*p.pitch], fill)
		fillBytes(dst[(w.before+w.in)*p.pitch:], fill)
	}
	p.clearTails(dst)
	if inside {
		first := (batch*p.channels*d.in+z)*h.in*w.in + y*w.in
		p.turn(dst[w.before*p.pitch:], p.st.x[first:], d.in*h.in*w.in, w.in)
	}
}

// clearTails clears what is behind the channels, which multiplies nothing.
func (p *pixels) clearTails(dst []uint8) {
	if p.pitch == p.channels {
		return
	}
	for at := p.channels; at < len(dst); at += p.pitch {
		clear(dst[at : at+p.pitch-p.channels])
	}
}

// turn writes n positions, whose channels lie plane apart, with the channels of a position side by side.
func (p *pixels) turn(dst, src []uint8, plane, n int) {
	flip := uint8(0)
	if p.st.flip {
		flip = 0x80
	}
	p.st.k.TransposeBytes(dst, p.pitch, src, plane, p.channels, n, flip)
}

// fillBytes sets all to v, doubling what it has.
func fillBytes(s []uint8, v uint8) {
	if len(s) == 0 {
		return
	}
	s[0] = v
	for n := 1; n < len(s); n *= 2 {
		copy(s[n:], s[:n])
	}
}

// patches writes the inputs of n output positions from pos on as rows of a matrix, stride apart and zero after their end.
// x are the pixels of the group.
func (st *convState) patches(a, x []uint8, stride, pos, n int) {
	for at := 0; at < n; {
		row, w := (pos+at)/st.width, (pos+at)%st.width
		m := min(st.width-w, n-at)
		src := x[(st.rowStart[row]+w*st.step)*st.pixels.pitch:]
		for i := range m {
			dst, from := a[(at+i)*stride:(at+i+1)*stride], src[i*st.step*st.pixels.pitch:]
			for _, r := range st.runs {
				copy(dst[:st.run], from[r:])
				dst = dst[st.run:]
			}
			clear(dst)
		}
		at += m
	}
}
