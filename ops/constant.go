package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func constants(l lib) []graph.Def {
	all := everyType()
	return []graph.Def{
		{Op: "Constant", Since: 1, New: newConstant, Types: all},
		{Op: "ConstantOfShape", Since: 9, New: newConstantOfShape, Types: all},
	}
}

// constant is a tensor from its attributes.
type constant struct{ value *tensor.Tensor }

func newConstant(a *graph.Attrs) (graph.Op, error) {
	var made []*tensor.Tensor
	add := func(t *tensor.Tensor, err error) error {
		made = append(made, t)
		return err
	}
	var err error
	if t := a.Tensor("value"); t != nil {
		made = append(made, t)
	}
	if a.Has("value_float") {
		err = add(tensor.Scalar(a.Float("value_float", 0)), err)
	}
	if a.Has("value_int") {
		err = add(tensor.Scalar(a.Int("value_int", 0)), err)
	}
	if a.Has("value_string") {
		err = add(tensor.Scalar(a.Str("value_string", "")), err)
	}
	if v := a.Floats("value_floats"); a.Has("value_floats") {
		err = add(tensor.Of(v, len(v)))
	}
	if v := a.Ints("value_ints"); a.Has("value_ints") {
		err = add(tensor.Of(v, len(v)))
	}
	if v := a.Strings("value_strings"); a.Has("value_strings") {
		err = add(tensor.Of(v, len(v)))
	}
	if err != nil {
		return nil, err
	}
	if len(made) != 1 {
		return nil, fmt.Errorf("%d attributes with a value, want one", len(made))
	}
	return constant{made[0]}, nil
}

func (o constant) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 0, 0); err != nil {
		return err
	}
	c.OutConst(0, o.value)
	return nil
}

func (o constant) Run(c *graph.RunCtx) error {
	if c.Out[0] == nil {
		c.Set(0, o.value.Clone())
		return nil
	}
	return view{}.set(&graph.RunCtx{In: []*tensor.Tensor{o.value}, Out: c.Out}, nil)
}

// constantOfShape is a tensor of the shape in input 0 with one value everywhere.
type constantOfShape struct{ value *tensor.Tensor }

func newConstantOfShape(a *graph.Attrs) (graph.Op, error) {
	v := a.Tensor("value")
	if v == nil {
		v = tensor.Scalar(float32(0))
	}
	if v.Len() != 1 {
		return nil, fmt.Errorf("attribute value is %v, want one element", v)
	}
	return constantOfShape{v}, nil
}

func (o constantOfShape) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 1); err != nil {
		return err
	}
	d := o.value.DType()
	if err := wantType(c, 0, "shape", tensor.Int64); err != nil {
		return err
	}
	dims, ok := c.Ints(0)
	if !ok {
		if n := knownLen(c, 0); n >= 0 {
			c.Out(0, tensor.Ranked(d, anyDims(n)))
		} else {
			c.Out(0, tensor.Unranked(d))
		}
		return nil
	}
	if vals, ok := constInts(c, 0); ok {
		for _, v := range vals {
			if v < 0 {
				return fmt.Errorf("shape %v has a negative size", vals)
			}
		}
	}
	if err := checkDims(d, dims); err != nil {
		return err
	}
	c.Out(0, tensor.Ranked(d, dims))
	if shape, ok := tensor.Ranked(d, dims).Shape(); ok && len(shape) <= 1 && elemCount(shape) <= maxKnown && d == tensor.Int64 {
		vals := make([]int64, elemCount(shape))
		for i := range vals {
			vals[i] = tensor.View[int64](o.value)[0]
		}
		outVals(c, 0, d, vals, shape...)
	}
	return nil
}

func (o constantOfShape) Run(c *graph.RunCtx) error {
	y := c.Out[0]
	if y == nil {
		vals := runInts(c.In[0])
		shape := make([]int, len(vals))
		for i, v := range vals {
			shape[i] = int(v)
		}
		var err error
		if y, err = output(c, 0, o.value.DType(), shape...); err != nil {
			return err
		}
	}
	fill(y, o.value)
	return nil
}

// fill sets every element of y to the one element of v.
func fill(y, v *tensor.Tensor) {
	if y.Len() == 0 {
		return
	}
	if y.DType() == tensor.String {
		s := tensor.View[string](y)
		for i := range s {
			s[i] = tensor.View[string](v)[0]
		}
		return
	}
	if bits := y.DType().Bits(); bits < 8 {
		for i := range y.Len() {
			setPacked(y.Bytes(), i, bits, packedAt(v.Bytes(), 0, bits))
		}
		return
	}
	b := y.Bytes()
	for n := copy(b, v.Bytes()); n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}
