package dynquant

import (
	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/internal/par"
)

// poolState is what a run of an average keeps: the job, and what computes it in float32.
type poolState struct {
	poolJob
	kernel    backend.PlanesKernel
	hasKernel bool
	signed    bool
	batch     int // planes at a time
	floats    []float32
	counts    []float32 // what each result of a plane is divided by
}

// poolBatch is how many elements of the input are brought to float32 at a time, if that many planes are larger than one.
const poolBatch = 1 << 13

// floatsExact reports whether float32 holds the sum of every window, and every part of it.
func (st *poolState) floatsExact() bool {
	return st.axes[0].kernel*st.axes[1].kernel*st.axes[2].kernel <= (1<<24)/255
}

// runFloats computes planes less the zero point in float32, whose sums are exact, and the averages with the roundings of
// poolJob.
func (st *poolState) runFloats(c *graph.RunCtx, planes int, signed bool) error {
	g, ok := planesOf(&st.axes)
	st.hasKernel = ok && !st.o.global && st.kernel.Pool(st.o.k, g)
	st.signed = signed
	st.batch = min(planes, 1+poolBatch/(st.in+st.out))
	st.floats, st.counts = scratch[float32](c, c.Threads()*st.memory()), scratch[float32](c, st.out)
	i := 0
	for z := range st.axes[0].out {
		for y := range st.axes[1].out {
			for x := range st.axes[2].out {
				st.counts[i] = float32(st.divisor(z, y, x))
				i++
			}
		}
	}
	err := c.For(planes, 1+16384/(st.in+st.out), (*poolFloats)(st))
	st.floats, st.counts = nil, nil
	return err
}

// memory is the number of floats of a goroutine: a batch of planes of the input and of the result, and a row.
func (st *poolState) memory() int { return st.batch*(st.in+st.out) + st.axes[2].in }

// poolFloats are the planes of an average, computed in float32.
type poolFloats poolState

var _ par.WorkerBody = (*poolFloats)(nil)

func (j *poolFloats) Do(lo, hi int) { j.DoAs(0, lo, hi) }

func (j *poolFloats) DoAs(worker, lo, hi int) {
	st := (*poolState)(j)
	k, all := st.o.k, st.floats[worker*st.memory():][:st.memory()]
	for p := lo; p < hi; p += st.batch {
		n := min(st.batch, hi-p)
		src := st.x[p*st.in : (p+n)*st.in]
		x, y, row := all[:len(src)], all[st.batch*st.in:][:n*st.out], all[st.batch*(st.in+st.out):]
		if st.signed {
			k.DequantizeI8(x, asInt8(src), 1, st.from.zero)
		} else {
			k.DequantizeU8(x, src, 1, st.from.zero)
		}
		if st.hasKernel {
			st.kernel.Run(n, y, x, nil, nil, backend.ActNone, 0, 0)
		}
		if st.o.global {
			k.SumRows(y, x, st.in)
			k.Binary(backend.Div, y, y, st.counts)
		} else {
			for i := range n {
				out := y[i*st.out : (i+1)*st.out]
				if !st.hasKernel {
					st.sums(out, x[i*st.in:(i+1)*st.in], row)
				}
				k.Binary(backend.Div, out, out, st.counts)
			}
		}
		k.Binary(backend.Mul, y, y, []float32{st.from.scale})
		if dst := st.y[p*st.out : (p+n)*st.out]; st.signed {
			k.QuantizeU8(dst, y, st.to.scale, uint8(st.to.zero+128))
			flipSign(dst, dst)
		} else {
			k.QuantizeU8(dst, y, st.to.scale, uint8(st.to.zero))
		}
	}
}

// sums adds up the windows of a plane: their rows into one, then along it.
func (st *poolState) sums(y, x, row []float32) {
	d, h, w := &st.axes[0], &st.axes[1], &st.axes[2]
	for od := range d.out {
		d0, d1 := d.taps(od)
		for oh := range h.out {
			h0, h1 := h.taps(oh)
			clear(row)
			for kd := d0; kd < d1; kd++ {
				for kh := h0; kh < h1; kh++ {
					at := ((od*d.stride+kd*d.dilate-d.before)*h.in + oh*h.stride + kh*h.dilate - h.before) * w.in
					st.o.k.Binary(backend.Add, row, row, x[at:at+w.in])
				}
			}
			for ow := range w.out {
				w0, w1 := w.taps(ow)
				sum := float32(0)
				for k := w0; k < w1; k++ {
					sum += row[ow*w.stride+k*w.dilate-w.before]
				}
				y[(od*h.out+oh)*w.out+ow] = sum
			}
		}
	}
}
