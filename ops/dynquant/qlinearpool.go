package dynquant

import (
	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) qLinearPools() []graph.Def {
	return []graph.Def{
		{Domain: microsoft, Op: "QLinearAveragePool", Since: 1, New: l.newQLinearAveragePool, Types: byteTypes},
		{Domain: microsoft, Op: "QLinearGlobalAveragePool", Since: 1, New: l.newQLinearGlobalPool, Types: byteTypes},
	}
}

// qLinearPool is the average of windows of one to three spatial dimensions, or of whole planes, of dequantized numbers,
// quantized again. Inputs as those of qLinearUnary. With last, channels are the last dimension.
type qLinearPool struct {
	k        *backend.Kernels
	win      convWindow
	global   bool
	countPad bool
	last     bool
}

func (l lib) newQLinearAveragePool(a *graph.Attrs) (graph.Op, error) {
	w, err := newConvWindow(a)
	if err != nil {
		return nil, err
	}
	a.Require("kernel_shape")
	w.ceil = a.Bool("ceil_mode", false)
	return &qLinearPool{k: l.k, win: w, countPad: a.Bool("count_include_pad", false), last: a.Bool("channels_last", false)}, nil
}

func (l lib) newQLinearGlobalPool(a *graph.Attrs) (graph.Op, error) {
	return &qLinearPool{k: l.k, global: true, last: a.Bool("channels_last", false)}, nil
}

func (o *qLinearPool) Infer(c *graph.InferCtx) error {
	if err := inferQLinear(c); err != nil {
		return err
	}
	x := c.In(0)
	if !x.Ranked {
		return nil
	}
	rank := len(x.Dims) - 2
	if o.global && rank >= 1 && rank <= 3 {
		rank = 1
	}
	if err := o.win.check(rank); err != nil {
		return err
	}
	in := o.channelsFirst(x.Dims)
	dims := make([]tensor.Dim, len(in))
	dims[0], dims[1] = in[0], in[1]
	kernel := tensor.SpecOf(x.DType, o.win.kernel...).Dims
	if o.global {
		for i := range in[2:] {
			dims[2+i] = tensor.Fixed(1)
		}
	} else if err := o.win.spatial(dims, in, kernel); err != nil {
		return err
	}
	if o.last {
		dims = append(append(dims[:1:1], dims[2:]...), dims[1])
	}
	c.Out(0, tensor.Ranked(x.DType, dims))
	return nil
}

// channelsFirst brings the dimensions of the input into the order batch, channels, spatial ones.
func (o *qLinearPool) channelsFirst(dims []tensor.Dim) []tensor.Dim {
	if !o.last {
		return dims
	}
	n := len(dims)
	return append([]tensor.Dim{dims[0], dims[n-1]}, dims[1:n-1]...)
}

// poolJob averages the planes, of which each has elements step apart.
type poolJob struct {
	o              *qLinearPool
	x, y           []uint8
	axes           [3]convAxis
	channels, step int
	in, out        int // elements of a plane
	values         [256]int32
	from, to       scaled
	grid           byteGrid
}

func (o *qLinearPool) Run(c *graph.RunCtx) error {
	x, y := c.In[0], c.Out[0]
	if y.Len() == 0 {
		return nil
	}
	st := graph.State[poolState](c)
	j := &st.poolJob
	defer func() { *j = poolJob{} }()
	var buf [5]int
	shape := append(buf[:0], x.Shape()...)
	if n := len(shape); o.last {
		copy(shape[2:], shape[1:n-1])
		shape[1] = x.Shape()[n-1]
	}
	*j = poolJob{o: o, x: x.Bytes(), y: y.Bytes(), channels: shape[1], step: 1, in: count(shape[2:]), from: scaledOf(c, 1, 2), to: scaledOf(c, 3, 4)}
	if o.global {
		j.axes = o.win.axes([]int{1, 1, j.in}, []int{j.in})
	} else {
		j.axes = o.win.axes(shape, o.win.kernel)
	}
	j.out = j.axes[0].out * j.axes[1].out * j.axes[2].out
	j.grid = byteGridOf(x.DType(), j.to.zero)
	if !o.last && st.floatsExact() {
		return st.runFloats(c, shape[0]*shape[1], x.DType() == tensor.Int8)
	}
	if o.last {
		j.step = j.channels
	}
	for i := range j.values {
		if j.values[i] = int32(i) - j.from.zero; x.DType() == tensor.Int8 {
			j.values[i] = int32(int8(i)) - j.from.zero
		}
	}
	return c.For(shape[0]*shape[1], 1+8192/(j.in+1), j)
}

func (j *poolJob) Do(lo, hi int) {
	d, h, w := &j.axes[0], &j.axes[1], &j.axes[2]
	for p := lo; p < hi; p++ {
		x, y := j.x[p*j.in:], j.y[p*j.out:]
		if j.o.last {
			b, ch := p/j.channels, p%j.channels
			x, y = j.x[b*j.channels*j.in+ch:], j.y[b*j.channels*j.out+ch:]
		}
		at := 0
		for od := range d.out {
			for oh := range h.out {
				for ow := range w.out {
					v := float32(j.window(x, od, oh, ow)) / float32(j.divisor(od, oh, ow)) * j.from.scale
					y[at] = j.grid.byte(v / j.to.scale)
					at += j.step
				}
			}
		}
	}
}

// window adds up one window.
func (j *poolJob) window(x []uint8, od, oh, ow int) (sum int64) {
	d, h, w := &j.axes[0], &j.axes[1], &j.axes[2]
	d0, d1 := d.taps(od)
	h0, h1 := h.taps(oh)
	w0, w1 := w.taps(ow)
	for kd := d0; kd < d1; kd++ {
		for kh := h0; kh < h1; kh++ {
			row := ((od*d.stride+kd*d.dilate-d.before)*h.in + oh*h.stride + kh*h.dilate - h.before) * w.in
			for kw := w0; kw < w1; kw++ {
				sum += int64(j.values[x[(row+ow*w.stride+kw*w.dilate-w.before)*j.step]])
			}
		}
	}
	return sum
}

// divisor is by how many elements the average of a window divides.
func (j *poolJob) divisor(od, oh, ow int) int {
	n := 1
	for i, o := range [3]int{od, oh, ow} {
		a := &j.axes[i]
		if j.o.countPad {
			n *= min(a.kernel, (a.in+a.after-(o*a.stride-a.before)-1)/a.dilate+1)
			continue
		}
		lo, hi := a.taps(o)
		n *= hi - lo
	}
	return max(n, 1)
}

// taps returns the kernel positions lo <= k < hi that meet the input at output o.
func (a *convAxis) taps(o int) (lo, hi int) {
	start := o*a.stride - a.before
	if start < 0 {
		lo = (-start + a.dilate - 1) / a.dilate
	}
	if start < a.in {
		hi = (a.in-1-start)/a.dilate + 1
	}
	hi = min(hi, a.kernel)
	return min(lo, hi), hi
}
