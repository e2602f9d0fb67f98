package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func optionals(l lib) []graph.Def {
	all := everyType()
	return []graph.Def{
		{Op: "Optional", Since: 15, New: newOptional, Types: all},
		{Op: "OptionalGetElement", Since: 15, New: newOptionalGet, Types: all},
		{Op: "OptionalHasElement", Since: 15, New: newOptionalHas, Types: all},
	}
}

// optionalValue holds its input, or nothing of the type that its attribute names.
type optionalValue struct{ elem tensor.Spec }

func newOptional(a *graph.Attrs) (graph.Op, error) {
	s, _ := a.Spec("type")
	if s.Kind == tensor.KindOptional && s.Elem != nil {
		s = *s.Elem
	}
	return optionalValue{s}, nil
}

func (o optionalValue) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 0, 1); err != nil {
		return err
	}
	elem := o.elem
	if c.Has(0) {
		elem = c.In(0)
	}
	c.Out(0, tensor.Spec{Kind: tensor.KindOptional, Elem: &elem})
	return nil
}

func (optionalValue) Run(c *graph.RunCtx) error {
	var v *tensor.Tensor
	if len(c.In) > 0 {
		v = c.In[0]
	}
	c.Set(0, tensor.OptionalOf(v))
	return nil
}

// optionalGet is the value that an optional holds; another value is taken as it is.
type optionalGet struct{}

func newOptionalGet(*graph.Attrs) (graph.Op, error) { return optionalGet{}, nil }

func (optionalGet) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 1, 1); err != nil {
		return err
	}
	s := c.In(0)
	if s.Kind == tensor.KindOptional {
		if s.Elem == nil {
			return nil
		}
		s = *s.Elem
	}
	c.Out(0, s)
	return nil
}

func (optionalGet) Run(c *graph.RunCtx) error {
	v := c.In[0]
	if v.Kind() == tensor.KindOptional {
		if len(v.Elems()) == 0 {
			return fmt.Errorf("the optional is empty")
		}
		v = v.Elems()[0]
	}
	return give(c, 0, v)
}

// optionalHas tells whether an optional holds a value; an absent input holds none, another value is one.
type optionalHas struct{}

func newOptionalHas(*graph.Attrs) (graph.Op, error) { return optionalHas{}, nil }

func (optionalHas) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 0, 1); err != nil {
		return err
	}
	c.Out(0, tensor.SpecOf(tensor.Bool))
	return nil
}

func (optionalHas) Run(c *graph.RunCtx) error {
	y, err := output(c, 0, tensor.Bool)
	if err != nil {
		return err
	}
	has := len(c.In) > 0 && c.In[0] != nil && (c.In[0].Kind() != tensor.KindOptional || len(c.In[0].Elems()) > 0)
	if y.Bytes()[0] = 0; has {
		y.Bytes()[0] = 1
	}
	return nil
}
