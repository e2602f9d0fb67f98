package ops

import (
	"sync/atomic"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
)

// convRows is the job of a dense convolution, which reads the patches where they lie in a padded copy of the input. Its
// parts are blocks of output rows of one group. Rows that are wide enough are computed one by one where they belong;
// others as one run over rows of the padded width, in memory of whoever computes them, and then moved together.
type convRows struct {
	o            *conv
	s            *convShape
	in           phases
	x, w, out    []float32
	bias, z      []float32
	offsets      backend.ConvOffsets
	joined       bool // rows are computed as one run
	rows, blocks int  // output rows of a block, blocks of a depth
	next         atomic.Int64
	scratch      []float32
	size         int // of one goroutine's scratch
	epi          backend.Epilogue
	late         fusedActivation
	slots        []backend.ConvF32
}

const (
	// wideRow is the length from which output rows are computed one by one: the last panel of a row may be partly empty.
	wideRow = 96
	// convBlock is the number of results of a block, which stay in the second-level cache.
	convBlock = 32 << 10
	// heavyWeights is the size in bytes from which blocks have at least heavyColumns columns instead: weights beyond
	// the second-level cache are read again for every block.
	heavyWeights, heavyColumns = 512 << 10, 240
)

// runRows convolves x, laid out as st.rows.in says.
func (o *conv) runRows(c *graph.RunCtx, st *convState, x, w, out, bias, z []float32) error {
	j, s := &st.rows, &st.shape
	j.o, j.s, j.x, j.w, j.out, j.bias, j.z = o, s, x, w, out, bias, z
	j.setOffsets()
	m, h, width := s.m/s.groups, s.axes[1].out, j.in.size[2]
	j.joined = width != s.axes[2].out && s.axes[2].out < wideRow
	threads := c.Threads()
	j.rows = max(1, convBlock/(m*width))
	if 4*m*s.k > heavyWeights {
		j.rows = max(j.rows, heavyColumns/width)
	}
	j.rows = min(h, j.rows)
	if units := s.n * s.groups * s.axes[0].out; threads > 1 {
		j.rows = min(j.rows, max(1, (h*units+4*threads-1)/(4*threads)))
	}
	j.blocks = (h + j.rows - 1) / j.rows
	threads = min(threads, s.n*s.groups*s.axes[0].out*j.blocks)
	j.size = 0
	if j.joined {
		j.size = align16(m * j.rows * width)
	}
	j.scratch = floatScratch(c, threads*j.size)
	if cap(j.slots) < threads {
		j.slots = make([]backend.ConvF32, threads)
	}
	j.slots = j.slots[:threads]
	j.epi, j.late = o.epilogue(z, s.pix)
	j.next.Store(0)
	err := c.For(threads, 1, j)
	clear(j.slots)
	j.x, j.w, j.out, j.bias, j.z, j.scratch, j.epi = nil, nil, nil, nil, nil, nil, backend.Epilogue{}
	return err
}

func (j *convRows) setOffsets() {
	j.offsets.Reset()
	addOffsets(&j.offsets, j.s, &j.in)
}

// addOffsets appends where the elements under the kernel lie, by channel of a group and kernel position.
func addOffsets(o *backend.ConvOffsets, s *convShape, in *phases) {
	channels, before := s.c/s.groups, o.Len()
	if channels == 0 {
		return
	}
	for kd := range s.axes[0].kernel {
		for kh := range s.axes[1].kernel {
			for kw := range s.axes[2].kernel {
				o.Add(in.tap(kd*s.axes[0].dilate, kh*s.axes[1].dilate, kw*s.axes[2].dilate))
			}
		}
	}
	o.Repeat(o.Len()-before, channels-1, in.plane)
}

// Do lets slots lo to hi take blocks until none is left.
func (j *convRows) Do(lo, hi int) {
	depth := j.s.axes[0].out
	total := j.s.n * j.s.groups * depth * j.blocks
	for w := lo; w < hi; w++ {
		for {
			u := int(j.next.Add(1)) - 1
			if u >= total {
				break
			}
			first := u % j.blocks * j.rows
			last := min(first+j.rows, j.s.axes[1].out)
			u /= j.blocks
			if g := &j.slots[w]; j.joined {
				j.join(g, j.scratch[w*j.size:(w+1)*j.size], u/depth, u%depth, first, last)
			} else {
				j.single(g, u/depth, u%depth, first, last)
			}
		}
	}
}

// set describes the convolution of group b of all entries' for n positions from row y at depth z on.
func (j *convRows) set(g *backend.ConvF32, b, z, y, n int) (first int) {
	s := j.s
	m, per := s.m/s.groups, s.c/s.groups
	*g = backend.ConvF32{M: m, N: n, A: j.w[b%s.groups*m*s.k:], LDA: s.k, Offsets: &j.offsets}
	if at := b*per*j.in.plane + j.in.row(z, y); s.k > 0 {
		g.X = j.x[at:]
	}
	g.Epi.Act, g.Epi.P0, g.Epi.P1 = j.epi.Act, j.epi.P0, j.epi.P1
	if j.bias != nil {
		g.Epi.BiasRow = j.bias[b%s.groups*m : (b%s.groups+1)*m]
	}
	return b*m*s.pix + (z*s.axes[1].out+y)*s.axes[2].out
}

// single computes rows one by one, or all at once where the layout has no gaps.
func (j *convRows) single(g *backend.ConvF32, b, z, first, last int) {
	s := j.s
	width, step := s.axes[2].out, 1
	if j.in.size[2] == width {
		step = last - first
	}
	for y := first; y < last; y += step {
		at := j.set(g, b, z, y, step*width)
		g.C, g.LDC = j.out[at:], s.pix
		if j.z != nil {
			g.Epi.Residual, g.Epi.LDR = j.z[at:], s.pix
		}
		g.Run(j.o.l.k)
		if f, ok := j.late.unary(); ok {
			for m := range g.M {
				row := j.out[at+m*s.pix : at+m*s.pix+g.N]
				j.o.l.k.Unary(f, row, row, j.late.p0, j.late.p1)
			}
		}
	}
}

// join computes rows as one run and moves them together.
func (j *convRows) join(g *backend.ConvF32, scratch []float32, b, z, first, last int) {
	s, rows, width, out := j.s, last-first, j.in.size[2], j.s.axes[2].out
	at := j.set(g, b, z, first, (rows-1)*width+out)
	g.C, g.LDC = scratch, rows*width
	g.Run(j.o.l.k)
	k := j.o.l.k
	f, late := j.late.unary()
	for m := range g.M {
		dst := j.out[at+m*s.pix : at+m*s.pix+rows*out]
		for r := range rows {
			copy(dst[r*out:(r+1)*out], scratch[(m*rows+r)*width:])
		}
		if j.z != nil {
			k.Binary(backend.Add, dst, dst, j.z[at+m*s.pix:at+m*s.pix+rows*out])
		}
		if late {
			k.Unary(f, dst, dst, j.late.p0, j.late.p1)
		}
	}
}
