package ops

import (
	"fmt"
	"sync"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func convolutions(l lib) []graph.Def {
	return []graph.Def{
		{Op: "Conv", Since: 1, New: l.newConv, Types: floatTypes},
		{Domain: "com.microsoft", Op: "FusedConv", Since: 1, New: l.newContribConv, Types: dtypes{tensor.Float32}},
		{Domain: "qrun", Op: "FusedConv", Since: 1, New: l.newFusedConv, Types: dtypes{tensor.Float32}},
	}
}

// conv is convolution over one to three spatial dimensions. Its fused forms add a tensor Z of the result's shape and
// apply a function: act(conv + bias + Z), or act(conv + bias) + Z where zLast.
type conv struct {
	l      lib
	win    window
	groups int
	fused  bool
	act    fusedActivation
	zLast  bool
	shapeW []int     // of a constant W
	w      []float32 // elements of a constant W
	few    *convFew
	wino   *winogradWeights // nil where it never pays
}

// convFew is a constant W packed for outputs of few positions, made when the first of them comes.
type convFew struct {
	once  sync.Once
	packs []*backend.PackedF32 // one per group: [K, M/groups]
}

func (l lib) newConv(a *graph.Attrs) (graph.Op, error) {
	w, err := newWindow(a)
	if err != nil {
		return nil, err
	}
	o := &conv{l: l, win: w, groups: int(a.Int("group", 1))}
	if o.groups < 1 {
		return nil, fmt.Errorf("attribute group is %d", o.groups)
	}
	return o, nil
}

func (l lib) newContribConv(a *graph.Attrs) (graph.Op, error) {
	op, err := l.newConv(a)
	if err != nil {
		return nil, err
	}
	o := op.(*conv)
	o.fused = true
	o.act, err = newContribActivation(a, a.Floats("activation_params"))
	return o, err
}

func (l lib) newFusedConv(a *graph.Attrs) (graph.Op, error) {
	op, err := l.newConv(a)
	if err != nil {
		return nil, err
	}
	o := op.(*conv)
	o.fused, o.zLast = true, a.Bool("residual_last", false)
	o.act, err = newFusedActivation(a)
	return o, err
}

func (o *conv) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 2, 3+b2i(o.fused)); err != nil {
		return err
	}
	inputs := []int{0, 1}
	for i := 2; i < c.NumIn(); i++ {
		if c.Has(i) {
			inputs = append(inputs, i)
		}
	}
	d, err := sameType(c, inputs...)
	if err != nil {
		return err
	}
	types := dtypes(floatTypes)
	if o.fused {
		types = dtypes{tensor.Float32}
	}
	if err := checkType("convolution", d, types); err != nil {
		return err
	}
	x, w := c.In(0), c.In(1)
	if !x.Ranked || !w.Ranked {
		c.Out(0, tensor.Unranked(d))
		return nil
	}
	if err := o.checkShapes(x, w, c.In(2)); err != nil {
		return err
	}
	dims := make([]tensor.Dim, len(x.Dims))
	dims[0], dims[1] = x.Dims[0], w.Dims[0]
	if err := o.win.inferAxes(dims, x.Dims, w.Dims[2:]); err != nil {
		return err
	}
	if err := o.checkPadding(x.Dims, w.Dims, dims); err != nil {
		return err
	}
	out := tensor.Ranked(d, dims)
	if z := c.In(3); c.Has(3) && z.Ranked {
		if len(z.Dims) != len(dims) {
			return fmt.Errorf("residual %v does not have the shape of the result %v", z, out)
		}
		for i := range dims {
			if !agree(z.Dims[i], dims[i]) {
				return fmt.Errorf("residual %v does not have the shape of the result %v", z, out)
			}
		}
	}
	c.Out(0, out)
	return nil
}

func (o *conv) checkShapes(x, w, bias tensor.Spec) error {
	rank := len(x.Dims) - 2
	if rank < 1 || rank > 3 {
		return fmt.Errorf("%w: convolution of %v, want one to three spatial dimensions", graph.ErrUnsupported, x)
	}
	if len(w.Dims) != len(x.Dims) {
		return fmt.Errorf("weights %v do not have the rank of the input %v", w, x)
	}
	if err := o.win.check(rank); err != nil {
		return err
	}
	for i, k := range w.Dims[2:] {
		if o.win.kernel != nil && k.Known() && o.win.kernel[i] != k.Size {
			return fmt.Errorf("kernel_shape %v does not fit the weights %v", o.win.kernel, w)
		}
		if k.Size == 0 {
			return fmt.Errorf("weights %v have an empty kernel", w)
		}
	}
	if ch := x.Dims[1]; ch.Known() && w.Dims[1].Known() && ch.Size != w.Dims[1].Size*o.groups {
		return fmt.Errorf("weights %v need %d input channels, got %d", w.Dims, w.Dims[1].Size*o.groups, ch.Size)
	}
	if m := w.Dims[0]; m.Known() && m.Size%o.groups != 0 {
		return fmt.Errorf("weights %v have %d output channels, which %d groups do not divide", w.Dims, m.Size, o.groups)
	}
	return checkBias(bias, w.Dims[0])
}

// checkPadding refuses padding that would make the padded input much larger than input and output are.
func (o *conv) checkPadding(x, w, out []tensor.Dim) error {
	padded, size := 1.0, 1.0
	for i, d := range out[2:] {
		if !d.Known() || !x[2+i].Known() || !w[2+i].Known() {
			return nil
		}
		a, err := o.win.axis(i, len(out)-2, x[2+i].Size, w[2+i].Size)
		if err != nil {
			return err
		}
		padded *= float64(a.in + a.before + a.after + a.stride)
		size *= float64(a.in + a.out*((a.kernel-1)*a.dilate+1))
	}
	if padded > 64*size && padded > 1<<20 {
		return fmt.Errorf("%w: padding %v of an input of %v", graph.ErrUnsupported, o.win.pads, x)
	}
	return nil
}

func checkBias(bias tensor.Spec, m tensor.Dim) error {
	if bias.Ranked && (len(bias.Dims) != 1 || !agree(bias.Dims[0], m)) {
		return fmt.Errorf("bias %v, want one number for each of %v output channels", bias, m)
	}
	return nil
}

// Prepack notes a constant W: whether it is packed depends on the size of the output.
func (o *conv) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	if len(consts) < 2 || consts[1] == nil || consts[1].Len() == 0 {
		return o, nil, nil
	}
	w, ok := o.l.constFloat32(consts[1])
	if !ok {
		return o, nil, nil
	}
	p := *o
	p.w, p.shapeW, p.few = w, consts[1].Shape(), new(convFew)
	p.wino = o.newWinogradWeights(p.shapeW)
	return &p, []int{1}, nil
}

func (o *conv) Run(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d {
	case tensor.Float32:
		return o.runFloat32(c)
	case tensor.Float16, tensor.BFloat16:
		return o.l.asFloat32(c, o.runFloat32)
	case tensor.Float64:
		return o.runFloat64(c)
	default:
		return graph.UnsupportedType("convolution", d)
	}
}

// convShape is a convolution with concrete sizes; missing spatial dimensions in front have size 1.
type convShape struct {
	n, c, m, groups int
	axes            [3]axis
	k               int // depth of the product: channels of a group times kernel positions
	pix             int // output positions
}

// shape computes the sizes; Infer has checked them.
func (o *conv) shape(x, w []int) (s convShape) {
	rank := len(x) - 2
	s = convShape{n: x[0], c: x[1], m: w[0], groups: o.groups, pix: 1}
	s.k = s.c / s.groups
	for i := range s.axes {
		s.axes[i] = axis{in: 1, out: 1, kernel: 1, stride: 1, dilate: 1}
		if j := i - 3 + rank; j >= 0 {
			s.axes[i], _ = o.win.axis(j, rank, x[2+j], w[2+j])
		}
		s.k *= s.axes[i].kernel
		s.pix *= s.axes[i].out
	}
	return s
}

// KernelName says which kernels compute a float32 convolution.
func (o *conv) KernelName() string { return "f32/" + o.l.k.Name() }

func (o *conv) weights(c *graph.RunCtx) ([]float32, []int) {
	if o.w != nil {
		return o.w, o.shapeW
	}
	return tensor.View[float32](c.In[1]), c.In[1].Shape()
}

func optional(c *graph.RunCtx, i int) []float32 {
	if i < len(c.In) && c.In[i] != nil {
		return tensor.View[float32](c.In[i])
	}
	return nil
}
