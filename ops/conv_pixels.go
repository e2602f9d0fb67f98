package ops

import (
	"sync/atomic"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
)

// pixelsJob is the job of a dense convolution whose vectors hold output channels: the input is read position by position
// where it lies, with its padding, whatever the stride, and small blocks of results are transposed. Its parts are blocks
// of runs of output positions by groups of panels of weights.
type pixelsJob struct {
	o             *conv
	s             *convShape
	in            phases // of stride 1: the input with its padding
	x, out, z     []float32
	bias          []float32
	conv          backend.ConvPixels
	late          bool // the function, or z, is left to do
	offsets       backend.ConvOffsets
	plane         int // elements between channels of the input
	width         int // positions of a row: all of an entry where they are one step apart
	length, runs  int // positions of a run at most, runs of a row
	total         int // runs of an entry
	block, blocks int // runs of a block, blocks of an entry
	groups        int // of panels
	scratch       []float32
	next          atomic.Int64
}

const (
	// pixelsRun is about how many positions are computed before they are transposed, so that both fit the first-level
	// cache.
	pixelsRun = 96
	// pixelsInput is how many elements of input a block reads, about: with a panel of weights they stay in the
	// second-level cache.
	pixelsInput = 32 << 10
	// pixelsWidth is the width of the widest panel.
	pixelsWidth = 48
)

// pixelsPay estimates whether output channels fill vectors so much better than output positions do that it is worth
// transposing the result, which takes a part of the time that falls with the depth of the product. The bits are the same.
func (s *convShape) pixelsPay() bool {
	m := s.m / s.groups
	if s.pix == 1 || m < 32 || s.k < 128 || 7*((m+15)&^15) > 8*m {
		return false
	}
	if s.pointwise() || s.thinned() && s.axes[2].stride == 1 {
		waste := float64((s.pix+15)&^15) / float64(s.pix)
		return waste > 1.2 || waste > 1.05 && s.k >= 256
	}
	w := &s.axes[2]
	return s.k >= 256 && (w.stride > 1 && s.axes[1].out > 1 || float64(w.out+(w.kernel-1)*w.dilate) > 1.06*float64(w.out))
}

// runPixels convolves with weights as columns of a product.
func (o *conv) runPixels(c *graph.RunCtx, st *convState, x, out, bias, z []float32) error {
	j, s := &st.pixels, &st.shape
	o.packFew(s)
	x, err := j.layOut(c, st, o, x)
	if err != nil {
		return err
	}
	j.o, j.s, j.x, j.out, j.z, j.bias = o, s, x, out, z, bias
	j.conv.Offsets = &j.offsets
	j.late = z != nil || !o.act.act.InKernel()
	if !j.late {
		j.conv.Act, j.conv.P0, j.conv.P1 = o.act.act, o.act.p0, o.act.p1
	}
	threads := c.Threads()
	j.divide(threads)
	threads = min(threads, s.n*s.groups*j.blocks*j.groups)
	j.scratch = floatScratch(c, threads*2*pixelsRun*pixelsWidth)
	j.next.Store(0)
	err = c.For(threads, 1, j)
	j.x, j.out, j.z, j.bias, j.scratch, j.conv = nil, nil, nil, nil, nil, backend.ConvPixels{}
	return err
}

// layOut brings the input to a layout in which positions of a row are one step apart: where rows are so short that tiles
// of positions would be, all positions of an entry, with a copy of each channel for every kernel position.
func (j *pixelsJob) layOut(c *graph.RunCtx, st *convState, o *conv, x []float32) ([]float32, error) {
	s := &st.shape
	j.offsets.Reset()
	j.width, j.plane, j.conv.Step = s.axes[2].out, 0, s.axes[2].stride
	if s.pointwise() {
		j.width = s.pix
	} else if g, ok := planesOf(s.axes); ok && o.l.k.ConvPixelsShort(j.width) && st.taps.init(o.l.k, g, s, x) {
		j.width, j.plane, j.conv.Step = s.pix, s.pix, 1
		st.taps.dst = floatScratch(c, s.n*s.c*st.taps.count*s.pix)
		for ch := range s.c / s.groups {
			for tap := range st.taps.count {
				j.offsets.Add((tap*s.n*s.c + ch) * s.pix)
			}
		}
		x = st.taps.dst
		err := c.For(s.n*s.c, planeGrain(s.pix*st.taps.count), &st.taps)
		st.taps.src, st.taps.dst = nil, nil
		return x, err
	}
	axes := s.axes
	for i := range axes {
		axes[i].stride = 1
	}
	j.in.init(axes)
	var err error
	if j.in.copied {
		x, err = o.spreadTo(c, st, &j.in, x)
	}
	addOffsets(&j.offsets, s, &j.in)
	j.plane = j.in.plane
	return x, err
}

// tapsJob is the job that copies each plane once for every kernel position, as the elements that output positions read.
type tapsJob struct {
	kernels  []backend.PlanesKernel // of kernel positions
	count    int
	src, dst []float32
	in, out  int // elements of a plane
	planes   int
}

// init reports whether there are kernels for it.
func (j *tapsJob) init(k *backend.Kernels, g backend.Planes, s *convShape, x []float32) bool {
	j.count, j.planes = g.KH*g.KW, s.n*s.c
	j.in, j.out = g.InH*g.InW, g.OutH*g.OutW
	if len(j.kernels) < j.count {
		j.kernels = make([]backend.PlanesKernel, j.count)
	}
	top, left, width := g.Top, g.Left, g.KW
	g.KH, g.KW = 1, 1
	for tap := range j.count {
		g.Top, g.Left = top-tap/width, left-tap%width
		if !j.kernels[tap].Pool(k, g) {
			return false
		}
	}
	j.src = x
	return true
}

// Do copies planes lo to hi.
func (j *tapsJob) Do(lo, hi int) {
	for tap := range j.count {
		j.kernels[tap].RunApart(hi-lo, j.out, j.dst[(tap*j.planes+lo)*j.out:], j.src[lo*j.in:])
	}
}

// divide cuts an entry into runs, and these into parts for a number of threads.
func (j *pixelsJob) divide(threads int) {
	s := j.s
	rows, per := s.pix/j.width, j.in.size[2]*s.axes[1].stride
	if rows == 1 {
		per = s.pix
	}
	j.runs = (j.width + pixelsRun - 1) / pixelsRun
	j.length = ((j.width+j.runs-1)/j.runs + 7) &^ 7
	j.runs = (j.width + j.length - 1) / j.length
	j.total = rows * j.runs
	per = s.c / s.groups * per / j.runs // elements of input of a run
	j.block = min(j.total, max(1, pixelsInput/max(per, 1), (pixelsRun+j.length-1)/j.length))
	j.groups = 1
	for {
		j.blocks = (j.total + j.block - 1) / j.block
		switch tasks := s.n * s.groups * j.blocks * j.groups; {
		case threads == 1 || tasks >= 4*threads:
			return
		case j.groups < j.o.few.packs[0].Panels():
			j.groups++
		case j.block*j.length > 16 && j.block > 1:
			j.block = (j.block + 1) / 2
		default:
			return
		}
	}
}

// Do lets goroutines lo to hi take parts until none is left.
func (j *pixelsJob) Do(lo, hi int) {
	const size = 2 * pixelsRun * pixelsWidth
	total := j.s.n * j.s.groups * j.blocks * j.groups
	for w := lo; w < hi; w++ {
		for {
			u := int(j.next.Add(1)) - 1
			if u >= total {
				break
			}
			j.part(j.scratch[w*size:(w+1)*size], u/(j.blocks*j.groups), u/j.groups%j.blocks, u%j.groups)
		}
	}
}

// part computes a block of runs of group b of all entries' by a group of panels.
func (j *pixelsJob) part(scratch []float32, b, block, group int) {
	s, k := j.s, j.o.l.k
	m, per := s.m/s.groups, s.c/s.groups
	g := j.conv
	g.B = j.o.few.packs[b%s.groups]
	if j.bias != nil {
		g.Bias = j.bias[b%s.groups*m : (b%s.groups+1)*m]
	}
	x, out := j.x[b*per*j.plane:], j.out[b*m*s.pix:(b+1)*m*s.pix]
	first, last := block*j.block, min((block+1)*j.block, j.total)
	for p := group * g.B.Panels() / j.groups; p < (group+1)*g.B.Panels()/j.groups; p++ {
		c0, c1 := g.B.Columns(p, p+1)
		cols := c1 - c0
		start, n := j.position(first), 0 // computed and not yet transposed
		for r := first; r < last; r++ {
			at := j.position(r)
			count := min(j.length, j.width-at%j.width)
			from := at * g.Step
			if j.width < s.pix {
				row, h := at/j.width, &s.axes[1]
				from = j.in.row(row/h.out*s.axes[0].stride, row%h.out*h.stride) + at%j.width*g.Step
			}
			g.Run(k, scratch[n*cols:], cols, x[from:], count, p)
			if n += count; n >= pixelsRun || r == last-1 {
				backend.Transpose(k, out[c0*s.pix+start:], s.pix, scratch, cols, n, cols)
				start, n = start+n, 0
			}
		}
		if j.late {
			at := j.position(first)
			for ch := c0; ch < c1; ch++ {
				y := out[ch*s.pix+at : ch*s.pix+start]
				if j.z == nil {
					j.o.finish(y, nil)
					continue
				}
				j.o.finish(y, j.z[b*m*s.pix+ch*s.pix+at:][:len(y)])
			}
		}
	}
}

// position is the first output position of a run.
func (j *pixelsJob) position(run int) int { return run/j.runs*j.width + run%j.runs*j.length }
