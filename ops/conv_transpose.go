package ops

import (
	"fmt"
	"math"
	"sync"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func convTransposes(l lib) []graph.Def {
	return []graph.Def{{Op: "ConvTranspose", Since: 1, New: l.newConvTranspose, Types: floatTypes}}
}

// convTranspose is the adjoint of convolution: input position i adds W to the outputs i*stride + k*dilation - padding.
// Outputs with the same remainders by the strides are a convolution of stride 1 by the kernel positions that reach them.
// Where padding would make too much of that, it is a product of the transposed weights and the input, whose rows (output
// channel and kernel position) are then added into the output in ascending order of kernel position.
type convTranspose struct {
	l        lib
	win      window
	groups   int
	outPad   []int
	outShape []int
	shapeW   []int     // of a constant W
	w        []float32 // elements of a constant W
	packs    *transposedWeights
}

// transposedWeights are the forms of a constant W, each made when the first input comes that needs it.
type transposedWeights struct {
	addOnce, remOnce sync.Once
	rows             []float32 // of transposeWeights
	remainders       []float32 // of remainderWeights
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

// Prepack notes a constant W: its form depends on the size of the input.
func (o *convTranspose) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	if len(consts) < 2 || consts[1] == nil || consts[1].Len() == 0 {
		return o, nil, nil
	}
	w, ok := o.l.constFloat32(consts[1])
	if !ok {
		return o, nil, nil
	}
	p := *o
	p.w, p.shapeW, p.packs = w, consts[1].Shape(), new(transposedWeights)
	return &p, []int{1}, nil
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
	shape      convShape
	product    product
	add        addTaps
	rem        remainders
	spread     spreadJob
	offA, offB []int
}

func (o *convTranspose) runFloat32(c *graph.RunCtx) error {
	st := graph.State[convTransposeState](c)
	w, shapeW := o.w, o.shapeW
	if w == nil {
		w, shapeW = tensor.View[float32](c.In[1]), c.In[1].Shape()
	}
	st.shape = o.shape(c.In[0].Shape(), shapeW)
	x, out := tensor.View[float32](c.In[0]), tensor.View[float32](c.Out[0])
	if len(out) == 0 {
		return nil
	}
	if st.rem.init(&st.shape) {
		return o.runRemainders(c, st, x, w, out)
	}
	return o.runAdd(c, st, x, w, out)
}
