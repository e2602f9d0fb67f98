package dynquant

import (
	"encoding/binary"

	"github.com/qrun-onnx/qrun/graph"
)

// pixels is the input with the channels of a group side by side: for each group of each sample the padded positions, pitch
// bytes apart. A patch then is a few runs of neighbouring bytes.
type pixels struct {
	st       *convState
	dst      []uint8
	channels int // of a group
	pitch    int
	plane    int // padded positions
}

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
	rows := d.padded() * h.padded()
	return c.For(st.n*st.groups*rows, 1+8192/max(1, w.padded()*p.pitch), p)
}

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

// Do makes padded rows lo to hi of all groups and samples.
func (p *pixels) Do(lo, hi int) {
	d, h, w := &p.st.axes[0], &p.st.axes[1], &p.st.axes[2]
	rows, pw := d.padded()*h.padded(), w.padded()
	in := d.in * h.in * w.in
	for i := lo; i < hi; i++ {
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
		if p.pitch > p.channels { // what is behind the channels multiplies nothing
			for at := p.channels; at < len(dst); at += p.pitch {
				clear(dst[at : at+p.pitch-p.channels])
			}
		}
		if inside {
			first := (batch*p.channels*d.in+z)*h.in*w.in + y*w.in
			p.turn(dst[w.before*p.pitch:], p.st.x[first:], in, w.in)
		}
	}
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

// turn writes a row of n positions, whose channels lie plane apart, with the channels of a position side by side.
func (p *pixels) turn(dst, src []uint8, plane, n int) {
	sign := uint64(0)
	if p.st.flip {
		sign = 0x8080808080808080
	}
	ch := 0
	for ; ch+8 <= p.channels; ch += 8 {
		x := 0
		for ; x+8 <= n; x += 8 {
			var m [8]uint64
			for i := range m {
				m[i] = binary.LittleEndian.Uint64(src[(ch+i)*plane+x:]) ^ sign
			}
			transpose8(&m)
			for i, v := range m {
				binary.LittleEndian.PutUint64(dst[(x+i)*p.pitch+ch:], v)
			}
		}
		for i := range 8 {
			p.turnChannel(dst[ch+i:], src[(ch+i)*plane:], x, n)
		}
	}
	for ; ch < p.channels; ch++ {
		p.turnChannel(dst[ch:], src[ch*plane:], 0, n)
	}
}

// turnChannel does positions lo to hi of a channel.
func (p *pixels) turnChannel(dst, src []uint8, lo, hi int) {
	sign := uint8(0)
	if p.st.flip {
		sign = 0x80
	}
	for x := lo; x < hi; x++ {
		dst[x*p.pitch] = src[x] ^ sign
	}
}

// transpose8 exchanges rows and columns of a square of bytes: squares of 4, then of 2, then of 1.
func transpose8(m *[8]uint64) {
	for i := range 4 {
		a, b := m[i], m[i+4]
		m[i], m[i+4] = a&0x00000000ffffffff|b<<32, a>>32|b&0xffffffff00000000
	}
	for _, i := range [4]int{0, 1, 4, 5} {
		a, b := m[i], m[i+2]
		m[i], m[i+2] = a&0x0000ffff0000ffff|b&0x0000ffff0000ffff<<16, a>>16&0x0000ffff0000ffff|b&0xffff0000ffff0000
	}
	for i := 0; i < 8; i += 2 {
		a, b := m[i], m[i+1]
		m[i], m[i+1] = a&0x00ff00ff00ff00ff|b&0x00ff00ff00ff00ff<<8, a>>8&0x00ff00ff00ff00ff|b&0xff00ff00ff00ff00
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
