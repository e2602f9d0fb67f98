package dynquant

import (
	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/internal/par"
	"github.com/qrun-onnx/qrun/tensor"
)

// convState is what a run of a convolution keeps: its sizes, the input as bytes, and where the sums go.
type convState struct {
	k      *backend.Kernels
	groups int
	weight convWeight

	n, c, m, depth, pix int // depth: of the sums; pix: output positions of a plane
	axes                [3]convAxis
	x                   []uint8 // as the input has it: planes of bytes
	flip                bool    // x is int8
	zeroX               []int32 // of the bytes as uint8: one or one per sample

	pixels   pixels
	tiles    bool  // the rows of pixels are the matrix
	runs     []int // where the runs of bytes of a patch start, from where its position starts
	run      int   // bytes of one
	width    int   // output positions that lie step apart
	rowStart []int // where each such row starts in a plane
	step     int

	out   convOut
	slots []convSlot
	rows  int // output positions of a block
	a     []uint8
	acc   []int32

	in, batch int // depthwise: elements of a plane of the input, planes at a time
}

// convSlot is what one goroutine works with.
type convSlot struct {
	gemm   backend.GemmU8S8
	planes backend.PlanesKernel
	zeroA  [1]int32
	scaleA [1]float32
	sums   []int32
}

// convOut is where the results go, one of: int32 sums; bytes, requantized with scale, bias and grid per output channel;
// floats, the sums times the scale of the sample's input and of the channel's weights.
type convOut struct {
	sums  []int32
	bytes []uint8
	scale []float32
	bias  []int32
	grid  byteGrid

	scaleCol []float32 // scale and bias in the order of the sums, see setColumns
	biasCol  []int32

	floats   []float32
	scaleX   []float32 // one or one per sample
	biasF    []float32
	act      backend.Activation
	p0, p1   float32
	residual []float32
	last     bool // the residual comes after the activation
}

// prepare sets the sizes. Outputs, zero points and the input are the caller's.
func (st *convState) prepare(k *backend.Kernels, win *convWindow, groups int, shapeX []int, weight convWeight) {
	shapeW := weight.shape
	st.k, st.groups, st.weight = k, groups, weight
	st.axes = win.axes(shapeX, shapeW[2:])
	st.n, st.c, st.m, st.depth = shapeX[0], shapeX[1], shapeW[0], count(shapeW[1:])
	st.pix = st.axes[0].out * st.axes[1].out * st.axes[2].out
}

// reset lets go of everything but memory for the next run.
func (st *convState) reset() {
	for i := range st.slots {
		st.slots[i] = convSlot{planes: st.slots[i].planes}
	}
	*st = convState{runs: st.runs[:0], rowStart: st.rowStart[:0], slots: st.slots[:0]}
}

// compute does the work.
func (st *convState) compute(c *graph.RunCtx) error {
	if st.weight.taps != nil {
		return st.runDirect(c)
	}
	if err := st.setPixels(c); err != nil {
		return err
	}
	return st.runBlocks(c)
}

func (o *byteConv) Run(c *graph.RunCtx) error {
	st := graph.State[convState](c)
	defer st.reset()
	x, y := c.In[o.in.x], c.Out[0]
	if y.Len() == 0 {
		return nil
	}
	weight := o.weight
	if weight.shape == nil {
		var err error
		if weight, err = o.ready(c.In[o.in.w], at(c.In, o.in.zeroW)); err != nil {
			return err
		}
	}
	st.prepare(o.l.k, &o.win, o.groups, x.Shape(), weight)
	st.x, st.flip = x.Bytes(), x.DType() == tensor.Int8
	st.zeroX = rowZeros(c, at(c.In, o.in.zeroX), x)[:1]
	if o.quant {
		o.target(c, st, y)
	} else {
		st.out.sums = tensor.View[int32](y)
	}
	return st.compute(c)
}

// target sets scale, bias and grid of the requantized result.
func (o *byteConv) target(c *graph.RunCtx, st *convState, y *tensor.Tensor) {
	sx, sy, sw := scalar(c.In[o.in.scaleX]), scalar(c.In[o.in.scaleY]), tensor.View[float32](c.In[o.in.scaleW])
	t := &st.out
	t.scale = scratch[float32](c, st.m)
	for i := range t.scale {
		t.scale[i] = float32(sx*sw[min(i, len(sw)-1)]) / sy
	}
	if b := at(c.In, o.in.bias); b != nil {
		t.bias = tensor.View[int32](b)
	}
	t.grid, t.bytes = byteGridOf(y.DType(), scalarZero(c.In[o.in.zeroY])), y.Bytes()
}

// runBlocks multiplies blocks of patches by the packed weights.
func (st *convState) runBlocks(c *graph.RunCtx) error {
	threads := c.Threads()
	stride, m := st.k.StrideU8(st.depth), st.pitch()
	if st.out.bytes != nil {
		st.setColumns(c)
	}
	planes := st.n * st.groups
	rows := min(max(1<<16/stride, 16), 512)
	if share := planes * st.pix / (3 * threads); threads > 1 && share < rows {
		rows = max(share, 16)
	}
	st.rows = min((rows+15)&^15, (st.pix+15)&^15)
	blocks := planes * ((st.pix + st.rows - 1) / st.rows)
	threads = min(threads, blocks)
	st.slots = extend(st.slots, threads)
	if !st.tiles {
		st.a = scratch[uint8](c, threads*st.rows*stride)
	}
	st.acc = scratch[int32](c, 2*threads*st.rows*m)
	for i := range threads {
		st.slots[i].sums = scratch[int32](c, st.rows)
	}
	return c.For(blocks, 1, (*convBlocks)(st))
}

// extend makes a slice of n elements, with those that there were in its memory.
func extend(s []convSlot, n int) []convSlot {
	s = s[:cap(s)]
	for len(s) < n {
		s = append(s, convSlot{})
	}
	return s[:n]
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

// block computes the results of one group of a sample, batch, at up to st.rows positions from pos on.
func (st *convState) block(worker, batch, pos int) {
	s, g := &st.slots[worker], batch%st.groups
	stride, m, n, pitch := st.k.StrideU8(st.depth), st.m/st.groups, min(st.rows, st.pix-pos), st.pitch()
	acc := st.acc[2*worker*st.rows*pitch:][:2*st.rows*pitch]
	acc, turned := acc[:n*pitch], acc[st.rows*pitch:][:n*pitch]
	x := st.pixels.dst[batch*st.pixels.plane*st.pixels.pitch:]
	a := x[pos*st.pixels.pitch:]
	if !st.tiles {
		a = st.a[worker*st.rows*stride:][:n*stride]
		st.patches(a, x, stride, pos, n)
	}
	b := st.weight.packs[g]
	s.zeroA[0] = st.zeroX[min(batch/st.groups, len(st.zeroX)-1)]
	s.gemm = backend.GemmU8S8{M: n, A: a, LDA: stride, ZeroA: s.zeroA[:], B: b, LDC: pitch}
	if st.out.floats != nil {
		s.scaleA[0] = st.out.scaleX[min(batch/st.groups, len(st.out.scaleX)-1)]
		s.gemm.ScaleA, s.gemm.C = s.scaleA[:], asFloats(acc)
		s.gemm.Epi = st.out.epilogue(g*m, m)
	} else {
		s.gemm.CI = acc
	}
	if b.Zero != nil {
		for r := range n {
			s.sums[r] = sumBytes(a[r*stride : (r+1)*stride])
		}
		s.gemm.RowSumA = s.sums[:n]
	}
	s.gemm.Init(st.k, 1)
	s.gemm.Do(0, s.gemm.Tasks())
	st.put(acc, turned, g*m, m, batch*m*st.pix+pos, n)
}
