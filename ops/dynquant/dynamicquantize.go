package dynquant

import (
	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) dynamicQuantizes() []graph.Def {
	return []graph.Def{{Op: "DynamicQuantizeLinear", Since: 11, New: l.newDynamicQuantize, Types: []tensor.DType{tensor.Float32}}}
}

// dynamicQuantize quantizes a tensor to uint8 on the grid of its own range, 0 included: scale = (max-min)/255, 1 when
// that is 0; zero = rne(clip(-min/scale, 0, 255)); y = clip(rne(x/scale) + zero, 0, 255). Outputs: y, scale, zero. NaN
// takes no part in the range and becomes 0; with an infinity the scale is infinite and so whatever is computed from the
// result is NaN. It has the bits of ONNX Runtime for finite inputs, and those of QuantizeRows in profile onnx for all.
type dynamicQuantize struct{ k *backend.Kernels }

func (l lib) newDynamicQuantize(*graph.Attrs) (graph.Op, error) { return &dynamicQuantize{l.k}, nil }

func (o *dynamicQuantize) Infer(c *graph.InferCtx) error {
	if err := wantInputs(c, 1, 1); err != nil {
		return err
	}
	if err := wantType(c, 0, "dynamic quantization", tensor.Float32); err != nil {
		return err
	}
	x := c.In(0)
	c.Out(0, tensor.Spec{DType: tensor.Uint8, Dims: x.Dims, Ranked: x.Ranked})
	c.Out(1, tensor.SpecOf(tensor.Float32))
	c.Out(2, tensor.SpecOf(tensor.Uint8))
	return nil
}

func (o *dynamicQuantize) Run(c *graph.RunCtx) error {
	j := graph.State[rowsJob](c)
	defer j.reset()
	*j = rowsJob{k: o.k, x: tensor.View[float32](c.In[0]), parts: j.parts}
	if err := j.measure(c); err != nil {
		return err
	}
	if len(c.Out) > 1 && c.Out[1] != nil {
		tensor.View[float32](c.Out[1])[0] = j.wholeScale
	}
	if len(c.Out) > 2 && c.Out[2] != nil {
		tensor.View[uint8](c.Out[2])[0] = j.wholeZero
	}
	if c.Out[0] == nil {
		return nil
	}
	j.q = tensor.View[uint8](c.Out[0])
	return c.For(len(j.x), rangePart, (*elementsJob)(j))
}

// elementsJob quantizes elements on the grid of the tensor.
type elementsJob rowsJob

func (j *elementsJob) Do(lo, hi int) {
	j.k.QuantizeU8(j.q[lo:hi], j.x[lo:hi], j.wholeScale, j.wholeZero)
}
