package dynquant

import (
	"fmt"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) dequantizeLinears() []graph.Def {
	types := []tensor.DType{tensor.Uint8, tensor.Int8, tensor.Uint16, tensor.Int16, tensor.Int32, tensor.Uint4, tensor.Int4, tensor.Uint2, tensor.Int2,
		tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ, tensor.Float8E5M2, tensor.Float8E5M2FNUZ, tensor.Float4E2M1}
	def := func(since int) graph.Def {
		return graph.Def{Op: "DequantizeLinear", Since: since, Types: types,
			New: func(a *graph.Attrs) (graph.Op, error) { return l.newDequantizeLinear(a, since) }}
	}
	contrib := def(13)
	contrib.Domain, contrib.Since = microsoft, 1
	return []graph.Def{def(10), def(13), def(19), def(21), def(23), def(24), def(25), contrib}
}

// dequantizeLinear computes y = (x - zero)*scale, the difference exactly, the product in float32, rounded to the type
// of the output. Inputs: x, scale, zero point.
type dequantizeLinear struct {
	k           *backend.Kernels
	axis, block int
	output      tensor.DType // Undefined: that of the scale
}

func (l lib) newDequantizeLinear(a *graph.Attrs, since int) (graph.Op, error) {
	o := &dequantizeLinear{k: l.k}
	var err error
	if o.axis, o.block, err = gridAttrs(a, since); err != nil {
		return nil, err
	}
	if since >= 23 {
		if o.output, err = typeAttr(a, "output_dtype"); err != nil {
			return nil, err
		}
	}
	switch o.output {
	case tensor.Undefined, tensor.Float32, tensor.Float16, tensor.BFloat16:
		return o, nil
	}
	return nil, graph.UnsupportedType("attribute output_dtype", o.output)
}

func (o *dequantizeLinear) Infer(c *graph.InferCtx) error {
	if err := wantInputs(c, 2, 3); err != nil {
		return err
	}
	x, s := c.In(0), c.In(1)
	if d := x.DType; d != tensor.Undefined && d != tensor.Int32 && !isCode(d) {
		return graph.UnsupportedType("dequantization", d)
	}
	if err := wantType(c, 1, "scale", tensor.Float32, tensor.Float16, tensor.BFloat16, tensor.Float8E8M0); err != nil {
		return err
	}
	if err := wantSameType(c, 0, 2, "elements and zero point"); err != nil {
		return err
	}
	out := o.output
	if out == tensor.Undefined {
		if out = s.DType; out == tensor.Float8E8M0 {
			return fmt.Errorf("scales of type %v need the attribute output_dtype", out)
		}
	}
	c.Out(0, tensor.Spec{DType: out, Dims: x.Dims, Ranked: x.Ranked})
	return inferGrid(c, o.axis, o.block)
}

// dequantizeJob dequantizes ranges of elements.
type dequantizeJob struct {
	k           *backend.Kernels
	grid        grid
	x, y        *tensor.Tensor
	scale, zero []float64
}

func (o *dequantizeLinear) Run(c *graph.RunCtx) error {
	x, s := c.In[0], c.In[1]
	g, err := newGrid(x.Shape(), s.Shape(), o.axis, o.block)
	if err != nil {
		return err
	}
	j := graph.State[dequantizeJob](c)
	defer func() { *j = dequantizeJob{} }()
	*j = dequantizeJob{k: o.k, grid: g, x: x, y: c.Out[0], scale: scratch[float64](c, s.Len())}
	decode(j.scale, s, 0)
	if z := at(c.In, 2); z != nil {
		j.zero = scratch[float64](c, z.Len())
		decode(j.zero, z, 0)
	}
	return c.For(x.Len(), 1<<12, j)
}

func (j *dequantizeJob) Do(lo, hi int) {
	d := j.x.DType()
	fast := j.y.DType() == tensor.Float32 && (d == tensor.Uint8 || d == tensor.Int8)
	for i := lo; i < hi; {
		p, n, step := j.grid.run(i)
		if n = min(n, hi-i); fast && step == 0 && n >= 16 {
			j.vector(i, n, p)
		} else {
			n = min(quantizeChunk, hi-i)
			j.chunk(i, n)
		}
		i += n
	}
}

// vector dequantizes 8-bit elements of one scale.
func (j *dequantizeJob) vector(i, n, p int) {
	zero := int32(0)
	if j.zero != nil {
		zero = int32(j.zero[p])
	}
	dst, scale := tensor.View[float32](j.y)[i:i+n], float32(j.scale[p])
	if j.x.DType() == tensor.Uint8 {
		j.k.DequantizeU8(dst, tensor.View[uint8](j.x)[i:i+n], scale, zero)
	} else {
		j.k.DequantizeI8(dst, tensor.View[int8](j.x)[i:i+n], scale, zero)
	}
}

func (j *dequantizeJob) chunk(i, n int) {
	var xs, ss, zs [quantizeChunk]float64
	x, s, z := xs[:n], ss[:n], zs[:n]
	decode(x, j.x, i)
	j.grid.spread(s, j.scale, i)
	j.grid.spread(z, j.zero, i)
	for k, v := range x {
		x[k] = float64(float32(v-z[k]) * float32(s[k]))
	}
	encode(j.y, i, x, false)
}
