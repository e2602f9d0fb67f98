package dynquant

import (
	"fmt"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) quantizeLinears() []graph.Def {
	types := append([]tensor.DType{tensor.Int32}, scaleTypes...)
	def := func(since int) graph.Def {
		return graph.Def{Op: "QuantizeLinear", Since: since, Types: types,
			New: func(a *graph.Attrs) (graph.Op, error) { return l.newQuantizeLinear(a, since) }}
	}
	contrib := def(13)
	contrib.Domain, contrib.Since = microsoft, 1
	return []graph.Def{def(10), def(13), def(19), def(21), def(23), def(24), def(25), contrib}
}

// quantizeLinear computes y = clip(rne(x/scale) + zero), the division in the type of the scale or in precision. Inputs:
// x, scale, zero point. NaN becomes the smallest number of an integer type. The small floats are rounded and have no
// zero point but 0; saturate says whether what is out of range becomes the largest number or infinity or NaN.
type quantizeLinear struct {
	k           *backend.Kernels
	axis, block int
	saturate    bool
	output      tensor.DType // Undefined: that of the zero point, or uint8
	precision   tensor.DType // Undefined: that of the scale
}

func (l lib) newQuantizeLinear(a *graph.Attrs, since int) (graph.Op, error) {
	o := &quantizeLinear{k: l.k, saturate: true}
	var err error
	if o.axis, o.block, err = gridAttrs(a, since); err != nil {
		return nil, err
	}
	if since >= 19 {
		o.saturate = a.Bool("saturate", true)
	}
	if since >= 21 {
		if o.output, err = typeAttr(a, "output_dtype"); err != nil {
			return nil, err
		}
	}
	if since >= 23 {
		if o.precision, err = typeAttr(a, "precision"); err != nil {
			return nil, err
		}
	}
	if o.output != tensor.Undefined && !isCode(o.output) {
		return nil, graph.UnsupportedType("attribute output_dtype", o.output)
	}
	switch o.precision {
	case tensor.Undefined, tensor.Float32, tensor.Float16, tensor.BFloat16:
		return o, nil
	}
	return nil, graph.UnsupportedType("attribute precision", o.precision)
}

// isCode reports whether d is a type that quantization makes.
func isCode(d tensor.DType) bool {
	_, _, ok := intRange(d)
	return ok || isMinifloat(d)
}

func (o *quantizeLinear) Infer(c *graph.InferCtx) error {
	if err := wantInputs(c, 2, 3); err != nil {
		return err
	}
	if err := wantType(c, 0, "quantization", tensor.Float32, tensor.Float16, tensor.BFloat16, tensor.Int32); err != nil {
		return err
	}
	if err := wantType(c, 1, "scale", tensor.Float32, tensor.Float16, tensor.BFloat16, tensor.Int32, tensor.Float8E8M0); err != nil {
		return err
	}
	out := o.output
	if z := c.In(2).DType; c.Has(2) {
		if z != tensor.Undefined && !isCode(z) {
			return graph.UnsupportedType("zero point", z)
		}
		if out != tensor.Undefined && z != tensor.Undefined && z != out {
			return fmt.Errorf("zero point of type %v, but output_dtype is %v", z, out)
		}
		if out == tensor.Undefined {
			out = z
		}
	} else if out == tensor.Undefined {
		out = tensor.Uint8
	}
	x := c.In(0)
	x.DType = out
	c.Out(0, x)
	return inferGrid(c, o.axis, o.block)
}

// quantizeChunk is the number of elements that are brought to float64 at a time; chunks of packed types fill bytes.
const quantizeChunk = 256

// quantizeJob quantizes ranges of elements.
type quantizeJob struct {
	o           *quantizeLinear
	grid        grid
	x, y        *tensor.Tensor
	scale, zero []float64
	precision   tensor.DType
	lo, hi      float64
}

func (o *quantizeLinear) Run(c *graph.RunCtx) error {
	x, s, y := c.In[0], c.In[1], c.Out[0]
	g, err := newGrid(x.Shape(), s.Shape(), o.axis, o.block)
	if err != nil {
		return err
	}
	j := graph.State[quantizeJob](c)
	defer func() { *j = quantizeJob{} }()
	*j = quantizeJob{o: o, grid: g, x: x, y: y, scale: scratch[float64](c, s.Len()), precision: o.precision}
	decode(j.scale, s, 0)
	if z := at(c.In, 2); z != nil {
		j.zero = scratch[float64](c, z.Len())
		decode(j.zero, z, 0)
	}
	if j.precision == tensor.Undefined {
		if j.precision = s.DType(); j.precision == tensor.Float8E8M0 {
			j.precision = tensor.Float32
		}
	}
	if isMinifloat(y.DType()) && y.DType() != tensor.Float4E2M1 {
		for _, z := range j.zero {
			if z != 0 {
				return fmt.Errorf("zero point %v for type %v, want 0", z, y.DType())
			}
		}
	}
	j.lo, j.hi, _ = intRange(y.DType())
	return c.For(x.Len(), 1<<12, j)
}

func (j *quantizeJob) Do(lo, hi int) {
	d := j.y.DType()
	fast := j.x.DType() == tensor.Float32 && j.precision == tensor.Float32 && (d == tensor.Uint8 || d == tensor.Int8)
	for i := lo; i < hi; {
		p, n, step := j.grid.run(i)
		if n = min(n, hi-i); fast && step == 0 && n >= 16 {
			j.vector(i, n, float32(j.scale[p]), j.zeroAt(p))
			i += n
			continue
		}
		n = min(quantizeChunk, hi-i)
		j.chunk(i, n)
		i += n
	}
}

func (j *quantizeJob) zeroAt(p int) float64 {
	if j.zero == nil {
		return 0
	}
	return j.zero[p]
}

// vector quantizes elements of one scale to 8 bits. An int8 number is the uint8 one less 128.
func (j *quantizeJob) vector(i, n int, scale float32, zero float64) {
	y := j.y.Bytes()[i : i+n]
	if j.y.DType() == tensor.Uint8 {
		j.o.k.QuantizeU8(y, tensor.View[float32](j.x)[i:i+n], scale, uint8(zero))
		return
	}
	j.o.k.QuantizeU8(y, tensor.View[float32](j.x)[i:i+n], scale, uint8(zero+128))
	flipSign(y, y)
}

func (j *quantizeJob) chunk(i, n int) {
	var xs, ss, zs [quantizeChunk]float64
	x, s, z := xs[:n], ss[:n], zs[:n]
	decode(x, j.x, i)
	j.grid.spread(s, j.scale, i)
	j.grid.spread(z, j.zero, i)
	if p := j.precision; j.hi > 0 {
		for k, v := range x {
			x[k] = roundClip(roundTo(p, roundTo(p, v)/roundTo(p, s[k])), z[k], j.lo, j.hi)
		}
	} else {
		for k, v := range x {
			x[k] = roundTo(p, roundTo(p, v)/roundTo(p, s[k])) + z[k]
		}
	}
	encode(j.y, i, x, j.o.saturate)
}
