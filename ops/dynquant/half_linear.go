package dynquant

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/ops"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) halfLinears() []graph.Def {
	return []graph.Def{{Domain: "qrun", Op: "HalfLinear", Since: 1, New: l.newHalfLinear, Types: []tensor.DType{tensor.Float32}}}
}

// Inputs of HalfLinear.
const (
	halfX = iota
	halfW
	halfBias
	halfResidual
	halfInputs
)

// halfLinear is a matrix product with float16 weights: Y = act(X*W + bias) + residual, X float32 [..., K], W float16
// [..., K, N] (with transB [..., N, K]), widened exactly where it is read; sums are float32, K ascending with a fused
// multiply-add per step. The activations are not quantized. Weights of more than two dimensions are broadcast against
// the leading dimensions of X as in MatMul. A W of float32 is multiplied by attribute alpha, clamped to the finite range and
// rounded to nearest even when it is packed.
type halfLinear struct {
	l         lib
	trans     bool
	act       backend.Activation
	p0, p1    float32
	alpha     float32
	broadcast bool // the residual; see ops.AddResidual

	packs  []*backend.PackedF16
	shapeW []int
}

func (l lib) newHalfLinear(a *graph.Attrs) (graph.Op, error) {
	o := &halfLinear{l: l, trans: a.Bool("transB", false), p0: a.Float("p0", 0), p1: a.Float("p1", 0), alpha: a.Float("alpha", 1), broadcast: a.Bool("residual_broadcast", false)}
	var err error
	o.act, err = backend.ParseActivation(a.Str("activation", ""))
	return o, err
}

func (o *halfLinear) KernelName() string { return "f16/" + o.l.k.Name() }

// WeightBytes is the memory of the packed weights.
func (o *halfLinear) WeightBytes() int64 {
	n := int64(0)
	for _, p := range o.packs {
		n += p.Bytes()
	}
	return n
}

func (o *halfLinear) Infer(c *graph.InferCtx) error {
	x, w := c.In(halfX), c.In(halfW)
	if c.NumIn() <= halfW || c.NumIn() > halfInputs {
		return fmt.Errorf("want %d to %d inputs, got %d", halfW+1, halfInputs, c.NumIn())
	}
	if x.DType != tensor.Float32 || w.DType != tensor.Float16 && w.DType != tensor.Float32 || !w.Complete() || len(w.Dims) < 2 {
		return fmt.Errorf("want a float32 activation and a float16 or float32 weight of known shape, got %v and %v", x, w)
	}
	k, n := w.Dims[len(w.Dims)-2].Size, w.Dims[len(w.Dims)-1].Size
	if o.trans {
		k, n = n, k
	}
	if !x.Ranked {
		c.Out(0, tensor.Unranked(tensor.Float32))
		return nil
	}
	if len(x.Dims) == 0 {
		return fmt.Errorf("want an activation of at least one dimension, got a scalar")
	}
	if d := x.Dims[len(x.Dims)-1]; d.Known() && d.Size != k {
		return fmt.Errorf("weight %v needs activation rows of %d, got %v", w, k, x)
	}
	dims, err := linearDims(x.Dims, w.Dims, n)
	if err != nil {
		return err
	}
	if r := c.In(halfResidual); c.Has(halfResidual) && r.Ranked && !o.broadcast && !agree(r.Dims, dims) {
		return fmt.Errorf("want a residual of shape %v, got %v", tensor.Ranked(tensor.Float32, dims), r)
	}
	y := tensor.Ranked(tensor.Float32, dims)
	if o.broadcast {
		if y, err = ops.ResidualSpec(y, c.In(halfResidual)); err != nil {
			return err
		}
	}
	c.Out(0, y)
	return nil
}

func (o *halfLinear) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	if consts[halfW] == nil {
		return o, nil, nil
	}
	p := *o
	p.shapeW, p.packs = consts[halfW].Shape(), o.pack(consts[halfW])
	return &p, []int{halfW}, nil
}

func (o *halfLinear) pack(w *tensor.Tensor) []*backend.PackedF16 {
	shape := w.Shape()
	k, n := shape[len(shape)-2], shape[len(shape)-1]
	ld := n
	if o.trans {
		k, n = n, k
	}
	batches := 1
	for _, d := range shape[:len(shape)-2] {
		batches *= d
	}
	packs := make([]*backend.PackedF16, batches)
	if w.DType() == tensor.Float32 {
		float := tensor.View[float32](w)
		if o.alpha != 1 {
			float = make([]float32, w.Len())
			o.l.k.Binary(backend.Mul, float, tensor.View[float32](w), []float32{o.alpha})
		}
		for b := range packs {
			packs[b] = o.l.k.PackF16(float[b*k*n:(b+1)*k*n], k, n, ld, o.trans)
		}
		return packs
	}
	bits := halfView(w)
	for b := range packs {
		packs[b] = o.l.k.PackF16Bits(bits[b*k*n:(b+1)*k*n], k, n, ld, o.trans)
	}
	return packs
}

func (o *halfLinear) Run(c *graph.RunCtx) error {
	packs, shapeW := o.packs, o.shapeW
	if packs == nil {
		packs, shapeW = o.pack(c.In[halfW]), c.In[halfW].Shape()
	}
	j := graph.State[backend.GemmF16](c)
	defer func() { *j = backend.GemmF16{} }()
	x := c.In[halfX].Shape()
	k := x[len(x)-1]
	if len(packs) == 1 && len(shapeW) == 2 {
		rows := 1
		for _, d := range x[:len(x)-1] {
			rows *= d
		}
		if n := packs[0].N; o.broadcast && c.In[halfResidual] != nil && !ops.ResidualFits(c, halfResidual, rows*n) {
			shape := slices.Clone(x)
			shape[len(shape)-1] = n
			return ops.AddResidual(c, o.l.k, shape, halfResidual, o.Run)
		}
		o.job(c, j, packs[0], 0, 0, rows, k)
		return c.For(j.Tasks(), 1, j)
	}
	return eachBatch(c.Out[0].Shape(), x, shapeW, func(a, w, y, rows int) error {
		o.job(c, j, packs[w], a, y, rows, k)
		return c.For(j.Tasks(), 1, j)
	})
}

// job makes the product of rows rows of X from row a, to row y of the result.
func (o *halfLinear) job(c *graph.RunCtx, j *backend.GemmF16, b *backend.PackedF16, a, y, rows, k int) {
	n := b.N
	*j = backend.GemmF16{M: rows, A: tensor.View[float32](c.In[halfX])[a*k : (a+rows)*k], LDA: k, B: b, C: tensor.View[float32](c.Out[0])[y*n : (y+rows)*n], LDC: n,
		Epi: backend.Epilogue{Act: o.act, P0: o.p0, P1: o.p1}}
	if t := at(c.In, halfBias); t != nil {
		j.Epi.Bias = tensor.View[float32](t)
	}
	if t := at(c.In, halfResidual); t != nil {
		j.Epi.Residual, j.Epi.LDR = tensor.View[float32](t)[y*n:(y+rows)*n], n
	}
	j.Init(o.l.k, c.Threads())
}

// halfView returns the bits of a float16 tensor.
func halfView(t *tensor.Tensor) []uint16 {
	h := tensor.View[tensor.F16](t)
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(h))), len(h))
}
