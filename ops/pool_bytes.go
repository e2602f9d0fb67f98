package ops

import (
	"encoding/binary"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/internal/par"
	"github.com/qrun-onnx/qrun/tensor"
)

// poolBytes is the job of the maximum of 8-bit integers, by planes: some at a time are brought to float32, which holds
// their numbers exactly, pooled there and brought back. Numbers of int8 are 128 larger there, so that both types have the
// range of uint8.
type poolBytes struct {
	poolRows
	src, dst  []uint8
	signed    []int8 // src of int8
	batch     int    // planes at a time
	floats    []float32
	in, out   int // elements of a plane
	hasKernel bool
}

// poolBatch is how many elements of the input are brought to float32 at a time, if that many planes are larger than one.
const poolBatch = 1 << 13

func (o *pool) runBytes(c *graph.RunCtx) error {
	j := graph.State[poolBytes](c)
	shape := c.In[0].Shape()
	j.o, j.axes = o, o.axes(shape)
	j.src, j.dst, j.signed = c.In[0].Bytes(), c.Out[0].Bytes(), nil
	if c.In[0].DType() == tensor.Int8 {
		j.signed = tensor.View[int8](c.In[0])
	}
	if len(j.dst) == 0 {
		return nil
	}
	planes := shape[0] * shape[1]
	j.in, j.out = len(j.src)/planes, len(j.dst)/planes
	g, ok := planesOf(j.axes)
	g.Max = true
	j.hasKernel = ok && j.kernel.Pool(o.l.k, g)
	j.flatten()
	j.batch = min(planes, 1+poolBatch/(j.in+j.out))
	j.floats = floatScratch(c, c.Threads()*j.memory())
	err := c.For(planes, planeGrain(j.in+j.out), j)
	j.src, j.dst, j.signed, j.floats = nil, nil, nil, nil
	return err
}

// memory is the number of floats of a goroutine: a batch of planes of the input and of the result, and what one plane needs.
func (j *poolBytes) memory() int { return j.batch*(j.in+j.out) + j.poolRows.memory() }

var _ par.WorkerBody = (*poolBytes)(nil)

func (j *poolBytes) Do(lo, hi int) { j.DoAs(0, lo, hi) }

// DoAs computes the planes lo to hi.
func (j *poolBytes) DoAs(worker, lo, hi int) {
	k, all := j.o.l.k, j.floats[worker*j.memory():][:j.memory()]
	for p := lo; p < hi; p += j.batch {
		n := min(j.batch, hi-p)
		from, to := p*j.in, (p+n)*j.in
		x, y, row := all[:to-from], all[j.batch*j.in:][:n*j.out], all[j.batch*(j.in+j.out):]
		if j.signed != nil {
			k.DequantizeI8(x, j.signed[from:to], 1, -128)
		} else {
			k.DequantizeU8(x, j.src[from:to], 1, 0)
		}
		if j.hasKernel {
			j.kernel.Run(n, y, x, nil, nil, backend.ActNone, 0, 0)
		} else {
			for i := range n {
				j.plane(y[i*j.out:(i+1)*j.out], x[i*j.in:(i+1)*j.in], row)
			}
		}
		dst := j.dst[p*j.out : (p+n)*j.out]
		if k.QuantizeU8(dst, y, 1, 0); j.signed != nil {
			subtractHalf(dst)
		}
	}
}

// subtractHalf makes numbers of int8 of such that are 128 larger.
func subtractHalf(b []uint8) {
	for ; len(b) >= 8; b = b[8:] {
		binary.NativeEndian.PutUint64(b, binary.NativeEndian.Uint64(b)^0x8080808080808080)
	}
	for i := range b {
		b[i] ^= 0x80
	}
}
