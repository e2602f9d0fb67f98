package dynquant

import (
	"fmt"
	"math"
	"slices"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) dynamicConvs() []graph.Def {
	return []graph.Def{{Domain: "qrun", Op: "QConv", Since: 1, New: l.newDynamicConv, Types: []tensor.DType{tensor.Float32}}}
}

// Inputs of QConv.
const (
	qconvX = iota
	qconvW
	qconvB
	qconvZ
	qconvInputs
)

// dynamicConv is a convolution whose input is quantized to uint8 at every call and whose weights W, float32, are quantized
// to int8 with a scale for each output channel when they are packed:
//
//	acc = sum over c and taps of (Q - zero)*V           int32, exact; padding is Q = zero
//	Y   = act(float32(acc)*(scale*vscale) + B + Z)      or act(...) + Z with residual_last
//
// each step rounded to float32. Inputs, attributes and shapes are those of Conv, Z has Y's shape. Profile row quantizes
// each sample of the batch on the grid of its own range, so that no sample depends on the others; profile onnx the tensor,
// as DynamicQuantizeLinear does. A sample with a NaN or an infinity gives NaN in profile row.
type dynamicConv struct {
	conv   byteConv
	tensor bool // one grid for the tensor: profile onnx
	act    backend.Activation
	p0, p1 float32
	last   bool
}

func (l lib) newDynamicConv(a *graph.Attrs) (graph.Op, error) {
	none := convInputs{x: qconvX, w: qconvW, zeroX: -1, zeroW: -1, scaleX: -1, scaleW: -1, scaleY: -1, zeroY: -1, bias: qconvB}
	op, err := l.newByteConv(a, false, none)
	if err != nil {
		return nil, err
	}
	o := &dynamicConv{conv: *op.(*byteConv), tensor: a.OneOf("profile", "row", "onnx") == "onnx",
		p0: a.Float("p0", 0), p1: a.Float("p1", 0), last: a.Bool("residual_last", false)}
	o.act, err = backend.ParseActivation(a.Str("activation", ""))
	return o, err
}

func (o *dynamicConv) KernelName() string { return o.conv.KernelName() }
func (o *dynamicConv) WeightBytes() int64 { return o.conv.WeightBytes() }

func (o *dynamicConv) Operations(in, out []tensor.Spec) int64 { return o.conv.Operations(in, out) }

func (o *dynamicConv) Infer(c *graph.InferCtx) error {
	if err := wantInputs(c, 2, qconvInputs); err != nil {
		return err
	}
	for i := range c.NumIn() {
		if err := wantType(c, i, "convolution", tensor.Float32); err != nil {
			return err
		}
	}
	return o.conv.inferShape(c, tensor.Float32)
}

func (o *dynamicConv) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	w := at(consts, qconvW)
	if w == nil || w.Len() == 0 {
		return o, nil, nil
	}
	p := *o
	var err error
	if p.conv.weight, err = o.ready(w); err != nil {
		return nil, nil, err
	}
	return &p, []int{qconvW}, nil
}

// ready quantizes and packs a weight: scale = A/127 with A the largest magnitude of the output channel.
func (o *dynamicConv) ready(t *tensor.Tensor) (convWeight, error) {
	shape := t.Shape()
	m, depth := shape[0]/o.conv.groups, count(shape[1:])
	w := &weight{float: make([]float32, t.Len()), shape: []int{o.conv.groups, m, depth}, trans: true}
	channelsLast(w.float, tensor.View[float32](t), shape)
	scale, err := w.scales(o.conv.l.k, nil)
	if err != nil {
		return convWeight{}, err
	}
	return convWeight{shape: shape, packs: *w.packs(o.conv.l, scale, nil, 1)}, nil
}

func (o *dynamicConv) Run(c *graph.RunCtx) error {
	j := graph.State[dynamicConvState](c)
	st := &j.conv
	defer j.reset()
	x, y := c.In[qconvX], c.Out[0]
	if y.Len() == 0 {
		return nil
	}
	weight := o.conv.weight
	if weight.shape == nil {
		var err error
		if weight, err = o.ready(c.In[qconvW]); err != nil {
			return err
		}
	}
	st.prepare(o.conv.l.k, &o.conv.win, o.conv.groups, x.Shape(), weight)
	t := &st.out
	t.floats, t.act, t.p0, t.p1, t.last = tensor.View[float32](y), o.act, o.p0, o.p1, o.last
	if b := at(c.In, qconvB); b != nil {
		t.biasF = tensor.View[float32](b)
	}
	if z := at(c.In, qconvZ); z != nil {
		if !slices.Equal(z.Shape(), y.Shape()) {
			return fmt.Errorf("want a residual of shape %v, got %v", y.Shape(), z.Shape())
		}
		t.residual = tensor.View[float32](z)
	}
	samples := st.n
	if j.whole = o.tensor; j.whole {
		samples = 1
	}
	if err := j.quantize(c, tensor.View[float32](x), samples); err != nil {
		return err
	}
	return st.compute(c)
}

// dynamicConvState is what a run keeps.
type dynamicConvState struct {
	conv  convState
	k     *backend.Kernels
	whole bool // one grid for the tensor
	x     []float32
	q     []uint8
	size  int // elements of a sample
	per   int // parts of one
	parts []extrema
	scale []float32
	zero  []int32
}

func (j *dynamicConvState) reset() {
	j.conv.reset()
	*j = dynamicConvState{conv: j.conv, parts: j.parts[:0]}
}

// quantize makes bytes of the input, with a grid for each of that many equal parts of it.
func (j *dynamicConvState) quantize(c *graph.RunCtx, x []float32, samples int) error {
	j.k, j.x, j.q, j.size = j.conv.k, x, scratch[uint8](c, len(x)), len(x)/samples
	j.per = (j.size + rangePart - 1) / rangePart
	if cap(j.parts) < samples*j.per {
		j.parts = make([]extrema, samples*j.per)
	}
	j.parts = j.parts[:samples*j.per]
	if err := c.For(len(j.parts), 1, (*convRanges)(j)); err != nil {
		return err
	}
	j.scale, j.zero = scratch[float32](c, samples), scratch[int32](c, samples)
	for i := range samples {
		var mn, mx float32
		odd := false
		for _, p := range j.parts[i*j.per : (i+1)*j.per] {
			mn, mx, odd = min(mn, p.mn), max(mx, p.mx), odd || p.mn > p.mx
		}
		scale, zero := backend.QuantizationU8(mn, mx)
		if j.scale[i], j.zero[i] = scale, int32(zero); odd {
			j.scale[i], j.zero[i] = float32(math.NaN()), 0
		}
	}
	j.conv.x, j.conv.zeroX, j.conv.out.scaleX = j.q, j.zero, j.scale
	return c.For(len(j.parts), 1, (*convBytes)(j))
}

// part is part i of the input and the number of its sample.
func (j *dynamicConvState) part(i int) (lo, hi, sample int) {
	sample = i / j.per
	lo = i % j.per * rangePart
	return sample*j.size + lo, sample*j.size + min(lo+rangePart, j.size), sample
}

// convRanges finds the extrema of parts. In profile row a part with a NaN or an infinity has its least element above its
// largest.
type convRanges dynamicConvState

func (j *convRanges) Do(lo, hi int) {
	for i := lo; i < hi; i++ {
		from, to, _ := (*dynamicConvState)(j).part(i)
		x := j.x[from:to]
		if j.whole {
			j.parts[i] = rangeOf(j.k, x)
			continue
		}
		mn, mx, finite := j.k.MinMax(x)
		if !finite {
			mn, mx = 1, -1
		}
		j.parts[i] = extrema{mn, mx}
	}
}

// convBytes quantizes parts.
type convBytes dynamicConvState

func (j *convBytes) Do(lo, hi int) {
	for i := lo; i < hi; i++ {
		from, to, s := (*dynamicConvState)(j).part(i)
		if scale := j.scale[s]; j.whole || scale == scale {
			j.k.QuantizeU8(j.q[from:to], j.x[from:to], scale, uint8(j.zero[s]))
		} else {
			clear(j.q[from:to])
		}
	}
}
