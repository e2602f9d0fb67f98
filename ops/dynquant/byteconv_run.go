package dynquant

import (
	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/internal/par"
	"github.com/qrun-onnx/qrun/tensor"
)

// convState is what a run of a convolution keeps: its sizes, the padded input, and where the sums go.
type convState struct {
	o      *byteConv
	weight convWeight

	n, c, m, k, pix int // k: depth of the sums; pix: output positions of a plane
	axes            [3]convAxis
	x               []uint8 // planes of the padded input, as uint8
	plane           int     // elements of one
	zeroX           int32

	offset   []int // where a tap reads, from where its output position starts in the first channel of the group
	width    int   // output positions that lie step apart
	rowStart []int // where each such row starts in a plane
	step     int

	// Where the sums go: int32, or requantized with scale, bias and grid per output channel.
	sums  []int32
	out   []uint8
	scale []float32
	bias  []int32
	grid  byteGrid

	pad   padBytes
	slots []convSlot
	rows  int // output positions of a block
	a     []uint8
	acc   []int32
}

// convSlot is what one goroutine works with.
type convSlot struct {
	gemm  backend.GemmU8S8
	zeroA [1]int32
	sums  []int32
}

func (o *byteConv) Run(c *graph.RunCtx) error {
	st := graph.State[convState](c)
	defer func() {
		clear(st.slots)
		*st = convState{offset: st.offset[:0], rowStart: st.rowStart[:0], slots: st.slots[:0]}
	}()
	x, y := c.In[o.in.x], c.Out[0]
	if y.Len() == 0 {
		return nil
	}
	st.o, st.weight = o, o.weight
	if st.weight.shape == nil {
		var err error
		if st.weight, err = o.ready(c.In[o.in.w], at(c.In, o.in.zeroW)); err != nil {
			return err
		}
	}
	shapeX, shapeW := x.Shape(), st.weight.shape
	st.axes = o.win.axes(shapeX, shapeW[2:])
	st.n, st.c, st.m, st.k = shapeX[0], shapeX[1], shapeW[0], count(shapeW[1:])
	st.pix = st.axes[0].out * st.axes[1].out * st.axes[2].out
	st.zeroX = rowZeros(c, at(c.In, o.in.zeroX), x)[0]
	if o.quant {
		o.target(c, st, y)
	} else {
		st.sums = tensor.View[int32](y)
	}
	if err := st.padInput(c, x); err != nil {
		return err
	}
	st.setTaps()
	if st.weight.taps != nil {
		return st.runDirect(c)
	}
	return st.runBlocks(c)
}

// target sets scale, bias and grid of the requantized result.
func (o *byteConv) target(c *graph.RunCtx, st *convState, y *tensor.Tensor) {
	sx, sy, sw := scalar(c.In[o.in.scaleX]), scalar(c.In[o.in.scaleY]), tensor.View[float32](c.In[o.in.scaleW])
	st.scale = scratch[float32](c, st.m)
	for i := range st.scale {
		st.scale[i] = float32(sx*sw[min(i, len(sw)-1)]) / sy
	}
	if t := at(c.In, o.in.bias); t != nil {
		st.bias = tensor.View[int32](t)
	}
	st.grid, st.out = byteGridOf(y.DType(), scalarZero(c.In[o.in.zeroY])), y.Bytes()
}

// padInput makes the padded planes; an input of uint8 without padding is used as it is.
func (st *convState) padInput(c *graph.RunCtx, x *tensor.Tensor) error {
	d, h, w := &st.axes[0], &st.axes[1], &st.axes[2]
	st.plane = d.padded() * h.padded() * w.padded()
	flip := x.DType() == tensor.Int8
	if st.x = x.Bytes(); !flip && st.plane == d.in*h.in*w.in {
		return nil
	}
	planes := st.n * st.c
	st.pad = padBytes{src: st.x, dst: scratch[uint8](c, planes*st.plane), axes: &st.axes, fill: uint8(st.zeroX), flip: flip}
	st.x = st.pad.dst
	err := c.For(planes, 1+8192/max(st.plane, 1), &st.pad)
	st.pad = padBytes{}
	return err
}

// padBytes copies planes into their padded form, int8 ones as uint8.
type padBytes struct {
	src, dst []uint8
	axes     *[3]convAxis
	fill     uint8
	flip     bool
}

func (j *padBytes) Do(lo, hi int) {
	d, h, w := &j.axes[0], &j.axes[1], &j.axes[2]
	ph, pw := h.padded(), w.padded()
	in, out := d.in*h.in*w.in, d.padded()*ph*pw
	for p := lo; p < hi; p++ {
		src, dst := j.src[p*in:(p+1)*in], j.dst[p*out:(p+1)*out]
		for i := range dst {
			dst[i] = j.fill
		}
		for z := range d.in {
			for y := range h.in {
				row := src[(z*h.in+y)*w.in:][:w.in]
				to := dst[((z+d.before)*ph+y+h.before)*pw+w.before:][:w.in]
				if j.flip {
					flipSign(to, row)
				} else {
					copy(to, row)
				}
			}
		}
	}
}

// setTaps lists where taps and rows of output positions read.
func (st *convState) setTaps() {
	d, h, w := &st.axes[0], &st.axes[1], &st.axes[2]
	ph, pw := h.padded(), w.padded()
	st.offset, st.rowStart = st.offset[:0], st.rowStart[:0]
	for ch := range st.c / st.o.groups {
		for kd := range d.kernel {
			for kh := range h.kernel {
				for kw := range w.kernel {
					st.offset = append(st.offset, ch*st.plane+(kd*d.dilate*ph+kh*h.dilate)*pw+kw*w.dilate)
				}
			}
		}
	}
	if st.step = w.stride; st.pix == st.plane && st.step == 1 { // a plane is one row
		st.width, st.rowStart = st.pix, append(st.rowStart, 0)
		return
	}
	st.width = w.out
	for z := range d.out {
		for y := range h.out {
			st.rowStart = append(st.rowStart, (z*d.stride*ph+y*h.stride)*pw)
		}
	}
}

// runBlocks multiplies blocks of patches by the packed weights.
func (st *convState) runBlocks(c *graph.RunCtx) error {
	k, threads := st.o.l.k, c.Threads()
	stride, m := k.StrideU8(st.k), st.m/st.o.groups
	planes := st.n * st.o.groups
	rows := min(max(1<<16/stride, 16), 512)
	if share := planes * st.pix / (3 * threads); threads > 1 && share < rows {
		rows = max(share, 16)
	}
	st.rows = min((rows+15)&^15, (st.pix+15)&^15)
	threads = min(threads, planes*((st.pix+st.rows-1)/st.rows))
	for len(st.slots) < threads {
		st.slots = append(st.slots, convSlot{})
	}
	st.a, st.acc = scratch[uint8](c, threads*st.rows*stride), scratch[int32](c, threads*st.rows*m)
	for i := range threads {
		st.slots[i].sums = scratch[int32](c, st.rows)
	}
	return c.For(planes*((st.pix+st.rows-1)/st.rows), 1, (*convBlocks)(st))
}

// convBlocks are the blocks of output positions, those of a plane of a group one after the other.
type convBlocks convState

var _ par.WorkerBody = (*convBlocks)(nil)

func (j *convBlocks) Do(lo, hi int) { j.DoAs(0, lo, hi) }

func (j *convBlocks) DoAs(worker, lo, hi int) {
	st := (*convState)(j)
	per := (st.pix + st.rows - 1) / st.rows
	for i := lo; i < hi; i++ {
		st.block(worker, i/per, i%per*st.rows)
	}
}

func (st *convState) block(worker, batch, pos int) {
	k, s, g := st.o.l.k, &st.slots[worker], batch%st.o.groups
	stride, m, n := k.StrideU8(st.k), st.m/st.o.groups, min(st.rows, st.pix-pos)
	a := st.a[worker*st.rows*stride:][:n*stride]
	acc := st.acc[worker*st.rows*m:][:n*m]
	x := st.x[batch*(st.c/st.o.groups)*st.plane:]
	st.patches(a, x, stride, pos, n)
	b := st.weight.packs[g]
	s.zeroA[0] = st.zeroX
	s.gemm = backend.GemmU8S8{M: n, A: a, LDA: stride, ZeroA: s.zeroA[:], B: b, LDC: m, CI: acc}
	if b.Zero != nil {
		for r := range n {
			s.sums[r] = sumBytes(a[r*stride : (r+1)*stride])
		}
		s.gemm.RowSumA = s.sums[:n]
	}
	s.gemm.Init(k, 1)
	s.gemm.Do(0, s.gemm.Tasks())
	for ch := range m {
		st.put(acc[ch:], m, g*m+ch, (batch*m+ch)*st.pix+pos, n)
	}
}

// put stores n sums, which lie step apart, of an output channel at an element of the result and those after it.
func (st *convState) put(acc []int32, step, channel, at, n int) {
	if st.sums != nil {
		for i := range st.sums[at : at+n] {
			st.sums[at+i] = acc[i*step]
		}
		return
	}
	bias, scale := int32(0), st.scale[channel]
	if st.bias != nil {
		bias = st.bias[channel]
	}
	for i := range st.out[at : at+n] {
		st.out[at+i] = st.grid.byte(float32(acc[i*step]+bias) * scale)
	}
}
