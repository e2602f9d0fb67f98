package ops

import (
	"fmt"
	"slices"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func bitCasts(l lib) []graph.Def {
	return []graph.Def{{Op: "BitCast", Since: 26, Types: bitTypes, New: newBitCast}}
}

var bitTypes = slices.DeleteFunc(slices.Clone(castTypes), func(d tensor.DType) bool { return d == tensor.String })

// bitCast reads the bits of elements as another type of the same width.
type bitCast struct{ to tensor.DType }

func newBitCast(a *graph.Attrs) (graph.Op, error) {
	a.Require("to")
	to := a.Int("to", 1)
	if to <= 0 || to > 255 || !slices.Contains(bitTypes, tensor.DType(to)) {
		return nil, fmt.Errorf("attribute to=%d is not a type of numbers", to)
	}
	return bitCast{tensor.DType(to)}, nil
}

func (bitCast) InPlace() []int { return []int{0} }

func (o bitCast) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 1, 1); err != nil {
		return err
	}
	d, err := sameType(c, 0)
	if err != nil {
		return err
	}
	if err := checkType("input", d, bitTypes); err != nil {
		return err
	}
	if d != tensor.Undefined && d.Bits() != o.to.Bits() {
		return fmt.Errorf("input of type %v has %d bits an element, %v has %d", d, d.Bits(), o.to, o.to.Bits())
	}
	s := c.In(0)
	s.DType = o.to
	c.Out(0, s)
	return nil
}

func (o bitCast) Run(c *graph.RunCtx) error {
	tensor.Copy(c.Out[0].Bytes(), c.In[0].Bytes())
	if o.to == tensor.Bool {
		for i, b := range c.Out[0].Bytes() {
			c.Out[0].Bytes()[i] = min(b, 1)
		}
	}
	return nil
}
