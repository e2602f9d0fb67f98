package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func convTransposes(l lib) []graph.Def {
	return []graph.Def{{Op: "ConvTranspose", Since: 1, New: l.newConvTranspose, Types: floatTypes}}
}

// convTranspose is the adjoint of convolution: input position i adds W to the outputs i*stride + k*dilation - padding.
// It is a product of the transposed weights and the input, whose rows (output channel and kernel position) are then
// added into the output in ascending order of kernel position.
type convTranspose struct {
	l           lib
	win         window
	groups      int
	outPad      []int
	outShape    []int
	shapeW      []int
	transposedW []float32 // a constant W as [groups, M/groups*kernel, C/groups]
}

func (l lib) newConvTranspose(a *graph.Attrs) (graph.Op, error) {
	w, err := newWindow(a)
	if err != nil {
		return nil, err
	}
	o := &convTranspose{l: l, win: w, groups: int(a.Int("group", 1))}
	if o.groups < 1 {
		return nil, fmt.Errorf("attribute group is %d", o.groups)
	}
	for _, x := range []struct {
		name string
		dst  *[]int
	}{{"output_padding", &o.outPad}, {"output_shape", &o.outShape}} {
		for _, v := range a.Ints(x.name) {
			if v < 0 || v > math.MaxInt32 {
				return nil, fmt.Errorf("attribute %s has the value %d", x.name, v)
			}
			*x.dst = append(*x.dst, int(v))
		}
	}
	return o, nil
}

func (o *convTranspose) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 2, 3); err != nil {
		return err
	}
	inputs := []int{0, 1}
	if c.Has(2) {
		inputs = append(inputs, 2)
	}
	d, err := sameType(c, inputs...)
	if err != nil {
		return err
	}
	if err := checkType("transposed convolution", d, floatTypes); err != nil {
		return err
	}
	x, w := c.In(0), c.In(1)
	if !x.Ranked || !w.Ranked {
		c.Out(0, tensor.Unranked(d))
		return nil
	}
	if err := o.checkShapes(x, w); err != nil {
		return err
	}
	dims := make([]tensor.Dim, len(x.Dims))
	dims[0], dims[1] = x.Dims[0], tensor.AnyDim
	if m := w.Dims[1]; m.Known() {
		dims[1] = tensor.Fixed(m.Size * o.groups)
	}
	if err := checkBias(c.In(2), dims[1]); err != nil {
		return err
	}
	for i := range dims[2:] {
		dims[2+i] = tensor.AnyDim
		if !x.Dims[2+i].Known() || !w.Dims[2+i].Known() {
			continue
		}
		a, err := o.axis(i, len(dims)-2, x.Dims[2+i].Size, w.Dims[2+i].Size)
		if err != nil {
			return fmt.Errorf("spatial dimension %d: %w", i, err)
		}
		dims[2+i] = tensor.Fixed(a.in)
	}
	c.Out(0, tensor.Ranked(d, dims))
	return nil
}

func (o *convTranspose) checkShapes(x, w tensor.Spec) error {
	rank := len(x.Dims) - 2
	if rank < 1 || rank > 3 {
		return fmt.Errorf("%w: transposed convolution of %v, want one to three spatial dimensions", graph.ErrUnsupported, x)
	}
	if len(w.Dims) != len(x.Dims) {
		return fmt.Errorf("weights %v do not have the rank of the input %v", w, x)
	}
	if err := o.win.check(rank); err != nil {
		return err
	}
	if o.outPad != nil && len(o.outPad) != rank {
		return fmt.Errorf("output_padding %v, want %d values", o.outPad, rank)
	}
	if n := len(o.outShape); n != 0 && n != rank && n != rank+2 {
		return fmt.Errorf("output_shape %v, want %d values", o.outShape, rank)
	}
	for i, k := range w.Dims[2:] {
		if o.win.kernel != nil && k.Known() && o.win.kernel[i] != k.Size || k.Size == 0 {
			return fmt.Errorf("kernel_shape %v does not fit the weights %v", o.win.kernel, w)
		}
	}
	ch := x.Dims[1]
	if !agree(ch, w.Dims[0]) || ch.Known() && ch.Size%o.groups != 0 {
		return fmt.Errorf("weights %v in %d groups do not fit %v input channels", w.Dims, o.groups, ch)
	}
	return nil
}

// axis is the movement of the convolution of which this is the adjoint: its input is our output.
func (o *convTranspose) axis(i, rank, in, kernel int) (axis, error) {
	a := axis{out: in, kernel: kernel, stride: at(o.win.strides, i, 1), dilate: at(o.win.dilations, i, 1)}
	full := (in-1)*a.stride + (kernel-1)*a.dilate + 1 + at(o.outPad, i, 0)
	same := o.win.auto == "SAME_UPPER" || o.win.auto == "SAME_LOWER"
	switch {
	case len(o.outShape) > 0:
		a.in = o.outShape[len(o.outShape)-rank+i]
	case same:
		a.in = in * a.stride
	default:
		if o.win.auto == "NOTSET" {
			a.before, a.after = at(o.win.pads, i, 0), at(o.win.pads, i+rank, 0)
		}
		a.in = full - a.before - a.after
		if a.in < 0 || in == 0 {
			return a, fmt.Errorf("size %d with padding %d and %d leaves no output", in, a.before, a.after)
		}
		return a, nil
	}
	total := max(0, full-a.in)
	a.before = total - total/2
	if o.win.auto == "SAME_UPPER" {
		a.before = total / 2
	}
	a.after = total - a.before
	return a, nil
}

// Prepack transposes a constant W.
func (o *convTranspose) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	if len(consts) < 2 || consts[1] == nil || consts[1].Len() == 0 {
		return o, nil, nil
	}
	w, ok := o.l.constFloat32(consts[1])
	if !ok {
		return o, nil, nil
	}
	p := *o
	p.shapeW = consts[1].Shape()
	p.transposedW = make([]float32, len(w))
	o.transposeWeights(p.transposedW, w, p.shapeW)
	return &p, []int{1}, nil
}

func (o *convTranspose) transposeWeights(dst, w []float32, shape []int) {
	rows := shape[0] / o.groups
	cols := len(w) / shape[0]
	for g := range o.groups {
		transposeInto(dst[g*rows*cols:], w[g*rows*cols:], rows, cols, cols)
	}
}

func (o *convTranspose) shape(x, w []int) (s convShape) {
	rank := len(x) - 2
	s = convShape{n: x[0], c: x[1], m: w[1] * o.groups, groups: o.groups, k: 1, pix: 1}
	for i := range s.axes {
		s.axes[i] = axis{in: 1, out: 1, kernel: 1, stride: 1, dilate: 1}
		if j := i - 3 + rank; j >= 0 {
			s.axes[i], _ = o.axis(j, rank, x[2+j], w[2+j])
		}
		s.k *= s.axes[i].kernel
		s.pix *= s.axes[i].out
	}
	return s
}

func (o *convTranspose) Run(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d {
	case tensor.Float32:
		return o.runFloat32(c)
	case tensor.Float16, tensor.BFloat16:
		return o.l.asFloat32(c, o.runFloat32)
	case tensor.Float64:
		return o.runFloat64(c)
	default:
		return graph.UnsupportedType("transposed convolution", d)
	}
}

// convTransposeState is what a run of a convTranspose keeps.
type convTransposeState struct {
	product    product
	add        addTaps
	offA, offB []int
}

func (o *convTranspose) runFloat32(c *graph.RunCtx) error {
	st := graph.State[convTransposeState](c)
	w, shapeW := o.transposedW, o.shapeW
	if w == nil {
		shapeW = c.In[1].Shape()
		w = floatScratch(c, c.In[1].Len())
		o.transposeWeights(w, tensor.View[float32](c.In[1]), shapeW)
	}
	s := o.shape(c.In[0].Shape(), shapeW)
	out := tensor.View[float32](c.Out[0])
	if len(out) == 0 {
		return nil
	}
	p := &st.product
	p.k, p.batches, p.m, p.kk, p.n = o.l.k, s.n*s.groups, s.m/s.groups*s.k, s.c/s.groups, s.pix
	p.a, p.lda, p.b, p.ldb, p.transB = w, p.kk, tensor.View[float32](c.In[0]), s.pix, false
	p.c, p.ldc, p.sizeC = floatScratch(c, s.n*s.m*s.k*s.pix), s.pix, p.m*s.pix
	p.alpha, p.epi, p.rowBias = 1, backend.Epilogue{}, nil
	st.offA, st.offB = st.offA[:0], st.offB[:0]
	for b := range p.batches {
		st.offA = append(st.offA, b%s.groups*p.m*p.kk)
		st.offB = append(st.offB, b*p.kk*s.pix)
	}
	p.offA, p.offB = st.offA, st.offB
	st.add = addTaps{k: o.l.k, s: s, src: p.c, dst: out, bias: optional(c, 2)}
	if err := p.run(c); err != nil {
		return err
	}
	st.add.parts = min(s.n*s.m, 4*c.Threads())
	st.add.row = align16(st.add.column() * s.axes[2].stride)
	st.add.rows = floatScratch(c, st.add.parts*st.add.row)
	err := c.For(st.add.parts, 1, &st.add)
	st.add = addTaps{}
	return err
}

// addTaps is the job that adds the rows of the product, one per kernel position, into the output. Its parts are groups
// of planes. A row of the output is made from the rows that reach it, apart for each remainder of the column by the
// stride, where they are contiguous; the order of the sums is that of kernel positions.
type addTaps struct {
	k        *backend.Kernels
	s        convShape
	src, dst []float32
	bias     []float32
	rows     []float32 // a row for each part
	row      int       // elements of it
	parts    int
}

// column is the number of outputs of a row that have the same remainder by the stride, at most.
func (j *addTaps) column() int { w := &j.s.axes[2]; return (w.in + w.stride - 1) / w.stride }

func (j *addTaps) Do(lo, hi int) {
	s := &j.s
	size := s.axes[0].in * s.axes[1].in * s.axes[2].in
	planes := s.n * s.m
	for part := lo; part < hi; part++ {
		tmp := j.rows[part*j.row : (part+1)*j.row]
		for p := part * planes / j.parts; p < (part+1)*planes/j.parts; p++ {
			y := j.dst[p*size : (p+1)*size]
			j.plane(y, j.src[p*s.k*s.pix:(p+1)*s.k*s.pix], tmp)
			if j.bias != nil {
				m := p % s.m
				j.k.Binary(backend.Add, y, y, j.bias[m:m+1])
			}
		}
	}
}

func (j *addTaps) plane(dst, src, tmp []float32) {
	d, h, w := &j.s.axes[0], &j.s.axes[1], &j.s.axes[2]
	for z := range d.in {
		for y := range h.in {
			clear(tmp)
			for kd := range d.kernel {
				i, ok := d.source(z, kd)
				for kh := 0; ok && kh < h.kernel; kh++ {
					if r, ok := h.source(y, kh); ok {
						tap := (kd*h.kernel + kh) * w.kernel
						j.addRow(tmp, src[tap*j.s.pix+(i*h.out+r)*w.out:])
					}
				}
			}
			at := (z*h.in + y) * w.in
			weave(dst[at:at+w.in], tmp, w.stride)
		}
	}
}

// source is the position that kernel position k adds to output o of the transposed convolution, if there is one.
func (a *axis) source(o, k int) (i int, ok bool) {
	i = o + a.before - k*a.dilate
	return i / a.stride, i >= 0 && i%a.stride == 0 && i/a.stride < a.out
}

// addRow adds the row of the input at src under all columns of the kernel.
func (j *addTaps) addRow(tmp, src []float32) {
	w, n := &j.s.axes[2], j.column()
	for k := range w.kernel {
		lo, hi := w.span(k)
		if lo >= hi {
			continue
		}
		x := lo*w.stride + k*w.dilate - w.before // of the output
		to := tmp[x%w.stride*n+x/w.stride:][:hi-lo]
		from := src[k*j.s.pix+lo:][:hi-lo]
		j.k.Binary(backend.Add, to, to, from)
	}
}

// weave puts the elements of stride rows, which follow each other in src, side by side.
func weave(dst, src []float32, stride int) {
	n := (len(dst) + stride - 1) / stride
	switch stride {
	case 1:
		copy(dst, src)
	case 2:
		a, b := src[:n], src[n:2*n]
		i := 0
		for ; 2*i+8 <= len(dst); i += 4 {
			d, s, t := dst[2*i:2*i+8:2*i+8], a[i:i+4:i+4], b[i:i+4:i+4]
			d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7] = s[0], t[0], s[1], t[1], s[2], t[2], s[3], t[3]
		}
		for x := 2 * i; x < len(dst); x++ {
			dst[x] = src[x%2*n+x/2]
		}
	default:
		for r := range min(stride, len(dst)) {
			from := src[r*n:]
			for i, x := 0, r; x < len(dst); i, x = i+1, x+stride {
				dst[x] = from[i]
			}
		}
	}
}
