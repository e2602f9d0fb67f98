package backend

// ConvPatches is the matrix of a convolution's input patches, B[K,N], which is never stored as a whole: row k is a
// channel and kernel position, column n an output position. Element (k, n) is X[Offset[k] + start(n)], where start
// walks over X in rows: output position n = r*Width + w starts at RowStart[r] + w*Step. X has its padding in it.
type ConvPatches struct {
	X        []float32
	Offset   []int // K
	RowStart []int // one per row of output positions
	Width    int   // output positions in a row
	Step     int
}

// packChunk is the largest number of columns that are packed at a time; it bounds the list of rows they lie in.
const packChunk = 64

// convRun is a run of columns that lie in one row of output positions.
type convRun struct{ dst, src, n int }

// PackConvInto packs columns col to col+n of the patches, as PackF32Into does for a stored matrix.
func (k *Kernels) PackConvInto(p *PackedF32, dst []float32, c *ConvPatches, col, n int) {
	K, l := len(c.Offset), &k.f32
	*p = PackedF32{K: K, N: n, layout: l, data: dst[:K*l.width(n)]}
	for i := range l.panels(n) {
		first, nv := l.panel(i, n)
		width := nv * l.vec
		panel := p.data[first*K:][:width*K]
		for at := 0; at < width; at += packChunk {
			chunk := min(packChunk, width-at)
			c.packChunk(panel[at:], width, chunk, col+first+at, min(chunk, n-first-at))
		}
	}
}

// packChunk fills columns of a panel whose rows are width apart: n of chunk columns, from output position col, the
// others with zeros.
func (c *ConvPatches) packChunk(panel []float32, width, chunk, col, n int) {
	var buf [packChunk]convRun
	runs := buf[:0]
	n = max(n, 0)
	for at := 0; at < n; {
		r, w := (col+at)/c.Width, (col+at)%c.Width
		m := min(c.Width-w, n-at)
		runs = append(runs, convRun{at, c.RowStart[r] + w*c.Step, m})
		at += m
	}
	for k, off := range c.Offset {
		row := panel[k*width : k*width+chunk]
		x := c.X[off:]
		if c.Step == 1 {
			for _, r := range runs {
				copy(row[r.dst:r.dst+r.n], x[r.src:r.src+r.n])
			}
		} else {
			for _, r := range runs {
				gather(row[r.dst:r.dst+r.n], x[r.src:], c.Step)
			}
		}
		if n < chunk {
			clear(row[n:])
		}
	}
}

// gather reads every step-th element of src.
func gather(dst, src []float32, step int) {
	if step == 2 {
		src = src[:2*len(dst)-1]
		i := 0
		for ; i+4 <= len(dst); i += 4 {
			d, s := dst[i:i+4:i+4], src[2*i:2*i+7:2*i+7]
			d[0], d[1], d[2], d[3] = s[0], s[2], s[4], s[6]
		}
		for ; i < len(dst); i++ {
			dst[i] = src[2*i]
		}
		return
	}
	for i := range dst {
		dst[i] = src[i*step]
	}
}

// PatchRow writes column col of the patches as a row of K elements.
func (c *ConvPatches) PatchRow(dst []float32, col int) {
	x := c.X[c.RowStart[col/c.Width]+col%c.Width*c.Step:]
	for k, off := range c.Offset {
		dst[k] = x[off]
	}
}
