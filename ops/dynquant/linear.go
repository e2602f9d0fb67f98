package dynquant

import (
	"fmt"
	"slices"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/ops"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) linears() []graph.Def {
	return []graph.Def{
		{Domain: "qrun", Op: "QLinear", Since: 1, New: l.newLinear, Types: []tensor.DType{tensor.Uint8}},
		{Domain: "qrun", Op: "QLinears", Since: 1, New: l.newLinearGroup, Types: []tensor.DType{tensor.Uint8}},
	}
}

// Inputs of QLinear.
const (
	linQ = iota
	linScale
	linZero
	linSum
	linW
	linWScale
	linWZero
	linBias
	linResidual
	linInputs
)

// linear is a matrix product of an activation that QuantizeRows quantized and an 8-bit weight:
//
//	acc = sum over k of (Q - zero)*(W - wzero)          int32, exact
//	Y   = act(float32(acc)*(scale*wscale) + bias) + residual
//
// with every step rounded to float32. W is [..., K, N], with transB [..., N, K]; wscale float32 and wzero (W's type, or
// absent) have one element or one per column; bias is [N]; residual has Y's shape. Weights of more than two dimensions
// are broadcast against the leading dimensions of Q as in MatMul. Y is float32 [..., N].
//
// W is int8 or uint8, or it is float32 and quantized when it is packed: to rne(W/wscale), with the channels in attribute
// repeat shared out over their copies behind the K others (see weight.quantize). Then wscale has an element for each
// column of each matrix, there is no wzero, and the scale of the result is multiplied by attribute alpha.
type linear struct {
	l         lib
	trans     bool
	act       backend.Activation
	p0, p1    float32
	alpha     float32
	repeat    []int
	broadcast bool // the residual; see ops.AddResidual

	packs  *[]*backend.PackedI8 // by batch of the weight
	shapeW []int                // of the packed weight
}

func (l lib) newLinear(a *graph.Attrs) (graph.Op, error) {
	o := &linear{l: l, trans: a.Bool("transB", false), p0: a.Float("p0", 0), p1: a.Float("p1", 0), alpha: a.Float("alpha", 1), broadcast: a.Bool("residual_broadcast", false)}
	for _, i := range a.Ints("repeat") {
		if i < 0 {
			return nil, fmt.Errorf("repeat has channel %d", i)
		}
		o.repeat = append(o.repeat, int(i))
	}
	var err error
	o.act, err = backend.ParseActivation(a.Str("activation", ""))
	return o, err
}

func (o *linear) KernelName() string { return "u8s8/" + o.l.k.Name() }

func (o *linear) Infer(c *graph.InferCtx) error {
	if c.NumIn() <= linWScale || c.NumIn() > linInputs {
		return fmt.Errorf("want %d to %d inputs, got %d", linWScale+1, linInputs, c.NumIn())
	}
	y, err := o.result(c.In(linQ), c.In(linW), c.In(linWScale), c.Has(linWZero))
	if err != nil {
		return err
	}
	if r := c.In(linResidual); c.Has(linResidual) && r.Ranked && y.Ranked && !o.broadcast && !agree(r.Dims, y.Dims) {
		return fmt.Errorf("want a residual of shape %v, got %v", y, r)
	}
	if o.broadcast && y.Ranked {
		if y, err = ops.ResidualSpec(y, c.In(linResidual)); err != nil {
			return err
		}
	}
	c.Out(0, y)
	return nil
}

// result is the spec of the product, and checks its operands.
func (o *linear) result(q, w, wscale tensor.Spec, hasZero bool) (y tensor.Spec, err error) {
	if q.DType != tensor.Uint8 || w.DType != tensor.Int8 && w.DType != tensor.Uint8 && w.DType != tensor.Float32 {
		return y, fmt.Errorf("want a uint8 activation and an int8, uint8 or float32 weight, got %v and %v", q, w)
	}
	if !w.Complete() || len(w.Dims) < 2 {
		return y, fmt.Errorf("want a weight of known shape with at least two dimensions, got %v", w)
	}
	k, n := w.Dims[len(w.Dims)-2].Size, w.Dims[len(w.Dims)-1].Size
	if o.trans {
		k, n = n, k
	}
	if w.DType == tensor.Float32 {
		if err := o.checkFloat(w, wscale, hasZero, k); err != nil {
			return y, err
		}
		k += len(o.repeat)
	}
	if k > backend.MaxDepthI8 {
		return y, fmt.Errorf("a depth of %d overflows int32 sums, the largest is %d", k, backend.MaxDepthI8)
	}
	if !q.Ranked {
		return tensor.Unranked(tensor.Float32), nil
	}
	if len(q.Dims) == 0 {
		return y, fmt.Errorf("want an activation of at least one dimension, got a scalar")
	}
	if s := q.Dims[len(q.Dims)-1]; s.Known() && s.Size != o.l.k.StrideU8(k) {
		return y, fmt.Errorf("weight %v needs activation rows of %d, got a stride of %d", w, k, s.Size)
	}
	dims, err := linearDims(q.Dims, w.Dims, n)
	if err != nil {
		return y, err
	}
	return tensor.Ranked(tensor.Float32, dims), nil
}

// checkFloat checks what a float32 weight of depth k needs.
func (o *linear) checkFloat(w, wscale tensor.Spec, hasZero bool, k int) error {
	if !agree(wscale.Dims, []tensor.Dim{tensor.Fixed(columnsOf(w, o.trans))}) || hasZero {
		return fmt.Errorf("a float32 weight %v wants a scale for each column and no zero point, got %v", w, wscale)
	}
	for _, i := range o.repeat {
		if i >= k {
			return fmt.Errorf("channel %d is repeated and the weight has %d", i, k)
		}
	}
	return nil
}

// columnsOf is the number of columns of all matrices of a weight of known shape.
func columnsOf(w tensor.Spec, trans bool) int {
	n := 1
	for i, d := range w.Dims {
		if i != len(w.Dims)-2 && !trans || i != len(w.Dims)-1 && trans {
			n *= d.Size
		}
	}
	return n
}

func agree(a, b []tensor.Dim) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Known() && b[i].Known() && a[i].Size != b[i].Size {
			return false
		}
	}
	return true
}

// WeightBytes is the memory of the packed weights. Nodes that share a weight count it once each.
func (o *linear) WeightBytes() int64 {
	if o.packs == nil {
		return 0
	}
	n := int64(0)
	for _, p := range *o.packs {
		n += p.Bytes()
	}
	return n
}

func (o *linear) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	if consts[linW] == nil || consts[linWScale] == nil {
		return o, nil, nil
	}
	p := *o
	p.shapeW = consts[linW].Shape()
	p.packs = o.pack(consts)
	used := []int{linW, linWScale}
	if at(consts, linWZero) != nil {
		used = append(used, linWZero)
	}
	return &p, used, nil
}

func (o *linear) pack(in []*tensor.Tensor) *[]*backend.PackedI8 {
	if in[linW].DType() == tensor.Float32 {
		return o.l.packFloat(in[linW], in[linWScale], o.trans, o.repeat, o.alpha)
	}
	return o.l.pack(in[linW], in[linWScale], at(in, linWZero), o.trans)
}

func at(list []*tensor.Tensor, i int) *tensor.Tensor {
	if i >= len(list) {
		return nil
	}
	return list[i]
}

func (o *linear) Run(c *graph.RunCtx) error {
	packs, shapeW := o.packs, o.shapeW
	if packs == nil {
		packs, shapeW = o.pack(c.In), c.In[linW].Shape()
	}
	j := graph.State[backend.GemmU8S8](c)
	defer func() { *j = backend.GemmU8S8{} }()
	q := c.In[linQ]
	stride := q.Shape()[q.Rank()-1]
	if len(*packs) == 1 && len(shapeW) == 2 {
		rows := c.In[linSum].Len()
		if n := (*packs)[0].N; o.broadcast && c.In[linResidual] != nil && !ops.ResidualFits(c, linResidual, rows*n) {
			shape := slices.Clone(q.Shape())
			shape[len(shape)-1] = n
			return ops.AddResidual(c, o.l.k, shape, linResidual, o.Run)
		}
		o.job(c, j, (*packs)[0], 0, 0, rows, stride)
		return c.For(j.Tasks(), 1, j)
	}
	return eachBatch(c.Out[0].Shape(), q.Shape(), shapeW, func(a, w, y, rows int) error {
		o.job(c, j, (*packs)[w], a, y, rows, stride)
		return c.For(j.Tasks(), 1, j)
	})
}

// job makes the product of rows rows of the activation, from row a of it to row y of the result.
func (o *linear) job(c *graph.RunCtx, j *backend.GemmU8S8, b *backend.PackedI8, a, y, rows, stride int) {
	o.start(c, j, layerProduct{b, tensor.View[float32](c.Out[0]), at(c.In, linBias), at(c.In, linResidual)}, a, y, rows, stride)
}

// layerProduct is what a layer multiplies with, and what it adds to and where the result is.
type layerProduct struct {
	b              *backend.PackedI8
	out            []float32
	bias, residual *tensor.Tensor
}

// start makes the product of rows rows of the activation of c, from row a of it to row y of the result.
func (o *linear) start(c *graph.RunCtx, j *backend.GemmU8S8, p layerProduct, a, y, rows, stride int) {
	n := p.b.N
	scale, zero := tensor.View[float32](c.In[linScale]), tensor.View[int32](c.In[linZero])
	if len(zero) > 1 {
		scale, zero = scale[a:a+rows], zero[a:a+rows]
	}
	*j = backend.GemmU8S8{M: rows, A: tensor.View[uint8](c.In[linQ])[a*stride : (a+rows)*stride], LDA: stride, ZeroA: zero, ScaleA: scale,
		RowSumA: tensor.View[int32](c.In[linSum])[a : a+rows], B: p.b, C: p.out[y*n : (y+rows)*n], LDC: n}
	j.Epi = backend.Epilogue{Act: o.act, P0: o.p0, P1: o.p1}
	if p.bias != nil {
		j.Epi.Bias = tensor.View[float32](p.bias)
	}
	if p.residual != nil {
		j.Epi.Residual, j.Epi.LDR = tensor.View[float32](p.residual)[y*n:(y+rows)*n], n
	}
	j.Init(o.l.k, c.Threads())
}
