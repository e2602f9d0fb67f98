package ops

import (
	"slices"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// A product with attribute residual_broadcast adds a residual that has its shape as a rule, which only a run can tell. Where
// it has not, the sum is the broadcast one of Add.

// ResidualSpec is the result of a product of spec y and a residual z that broadcast.
func ResidualSpec(y, z tensor.Spec) (tensor.Spec, error) { return broadcastSpecs(tensor.Float32, y, z) }

// ResidualFits reports whether the residual of a product of that many elements has the result's shape.
func ResidualFits(c *graph.RunCtx, slot, elements int) bool {
	return c.Out[0].Len() == elements && slices.Equal(c.In[slot].Shape(), c.Out[0].Shape())
}

// AddResidual computes the product of that shape with run, which sees no residual in its slot, and adds the residual.
func AddResidual(c *graph.RunCtx, k *backend.Kernels, product []int, slot int, run func(*graph.RunCtx) error) error {
	out, z := c.Out[0], c.In[slot]
	t, err := tensor.New(tensor.Float32, product...)
	if err != nil {
		return err
	}
	c.Out[0], c.In[slot] = t, nil
	err = run(c)
	c.Out[0], c.In[slot] = out, z
	if err != nil {
		return err
	}
	var p plan
	p.init(out.Shape(), product, z.Shape())
	y, a, b := tensor.View[float32](out), tensor.View[float32](t), tensor.View[float32](z)
	p.each(0, len(y), func(at, n int, off [maxOperands]int) {
		k.Binary(backend.Add, y[at:at+n], operand(a, off[0], n, p.stride[0][0]), operand(b, off[1], n, p.stride[1][0]))
	})
	return nil
}
