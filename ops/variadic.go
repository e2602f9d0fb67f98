package ops

import (
	"math"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func variadics(l lib) []graph.Def {
	var defs []graph.Def
	for _, o := range []struct {
		name string
		kern backend.Binary
		mean bool
	}{{"Max", backend.Max, false}, {"Min", backend.Min, false}, {"Sum", backend.Add, false}, {"Mean", backend.Add, true}} {
		types := floatTypes
		if o.kern != backend.Add {
			types = numberTypes
		}
		mk := func(a *graph.Attrs) (graph.Op, error) {
			ignoreConsumed(a)
			return variadic{arith{l, o.kern, legacyBroadcast{}}, o.mean, a.NumIn, types}, nil
		}
		defs = append(defs, graph.Def{Op: o.name, Since: 1, New: mk, Types: types}, graph.Def{Op: o.name, Since: 8, New: mk, Types: types})
	}
	return defs
}

// variadic folds any number of inputs: Max, Min, Sum, Mean.
type variadic struct {
	arith
	mean  bool
	numIn int
	types dtypes
}

// InPlace holds for two inputs, where none is read after the first result is written.
func (o variadic) InPlace() []int {
	if o.numIn > 2 {
		return nil
	}
	return []int{0, 1}
}

func (o variadic) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, max(1, c.NumIn()), math.MaxInt); err != nil {
		return err
	}
	all := make([]int, c.NumIn())
	for i := range all {
		all[i] = i
	}
	d, err := sameType(c, all...)
	if err != nil {
		return err
	}
	if err := checkType("input", d, o.types); err != nil {
		return err
	}
	s, err := broadcastSpecs(d, inputSpecs(c)...)
	if err != nil {
		return err
	}
	c.Out(0, s)
	return nil
}

func (o variadic) Run(c *graph.RunCtx) error {
	y := c.Out[0]
	if isHalf(y.DType()) {
		return o.asFloat32(c, o.Run)
	}
	if len(c.In) == 1 {
		tensor.Copy(y.Bytes(), c.In[0].Bytes())
		return nil
	}
	a := c.In[0]
	for _, b := range c.In[1:] {
		if err := o.run(c, y, a, b); err != nil {
			return err
		}
		a = y
	}
	if !o.mean {
		return nil
	}
	if y.DType() == tensor.Float64 {
		for i, v := range tensor.View[float64](y) {
			tensor.View[float64](y)[i] = v / float64(len(c.In))
		}
		return nil
	}
	n := [1]float32{float32(len(c.In))}
	v := tensor.View[float32](y)
	o.k.Binary(backend.Div, v, v, n[:])
	return nil
}
