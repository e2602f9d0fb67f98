package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func sequences(l lib) []graph.Def {
	all := everyType()
	return []graph.Def{
		{Op: "SequenceConstruct", Since: 11, New: newSequenceConstruct, Types: all},
		{Op: "SequenceEmpty", Since: 11, New: newSequenceEmpty, Types: all},
		{Op: "SequenceAt", Since: 11, New: newSequenceAt, Types: all},
		{Op: "SequenceInsert", Since: 11, New: newSequenceInsert, Types: all},
		{Op: "SequenceErase", Since: 11, New: newSequenceErase, Types: all},
		{Op: "SequenceLength", Since: 11, New: newSequenceLength, Types: all},
		{Op: "SequenceMap", Since: 17, New: newSequenceMap, Types: all},
	}
}

// sequenceSpec is the spec of a sequence.
func sequenceSpec(elem tensor.Spec) tensor.Spec {
	return tensor.Spec{Kind: tensor.KindSequence, Elem: &elem}
}

// wantSequence is the spec of the elements of input i.
func wantSequence(c *graph.InferCtx, i int) (tensor.Spec, error) {
	s := c.In(i)
	if s.Kind != tensor.KindSequence {
		if s.DType == tensor.Undefined && !s.Ranked {
			return tensor.Spec{}, nil
		}
		return tensor.Spec{}, fmt.Errorf("input %d is %v, want a sequence", i, s)
	}
	if s.Elem == nil {
		return tensor.Spec{}, nil
	}
	return *s.Elem, nil
}

// elemsOf are the elements of a sequence.
func elemsOf(t *tensor.Tensor) ([]*tensor.Tensor, error) {
	if t.Kind() != tensor.KindSequence {
		return nil, fmt.Errorf("got %v, want a sequence", t)
	}
	return t.Elems(), nil
}

// positionOf is a position in a sequence of n elements; up to the end where end is set.
func positionOf(t *tensor.Tensor, n int, end bool) (int, error) {
	v := runInts(t)
	if len(v) != 1 {
		return 0, fmt.Errorf("position is %v, want one integer", t)
	}
	if end && v[0] == int64(n) {
		return n, nil
	}
	i, err := indexOf(v[0], n)
	if err != nil {
		return 0, fmt.Errorf("position %d is outside a sequence of %d elements", v[0], n)
	}
	return i, nil
}

// sequenceConstruct makes a sequence of its inputs.
type sequenceConstruct struct{}

func newSequenceConstruct(*graph.Attrs) (graph.Op, error) { return sequenceConstruct{}, nil }

func (sequenceConstruct) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, c.NumIn(), c.NumIn()); err != nil {
		return err
	}
	if c.NumIn() == 0 {
		return fmt.Errorf("no inputs")
	}
	s := c.In(0)
	for i := range c.NumIn() {
		s = mergeSpecs(s, c.In(i))
	}
	c.Out(0, sequenceSpec(s))
	return nil
}

func (sequenceConstruct) Run(c *graph.RunCtx) error {
	c.Set(0, tensor.SequenceOf(append([]*tensor.Tensor{}, c.In...)))
	return nil
}

// sequenceEmpty is a sequence of no elements.
type sequenceEmpty struct{ dtype tensor.DType }

func newSequenceEmpty(a *graph.Attrs) (graph.Op, error) {
	d := tensor.DType(a.Int("dtype", int64(tensor.Float32)))
	if !d.Valid() {
		return nil, fmt.Errorf("attribute dtype=%d is no element type", d)
	}
	return sequenceEmpty{d}, nil
}

func (o sequenceEmpty) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 0, 0); err != nil {
		return err
	}
	c.Out(0, sequenceSpec(tensor.Unranked(o.dtype)))
	return nil
}

func (sequenceEmpty) Run(c *graph.RunCtx) error {
	c.Set(0, tensor.SequenceOf(nil))
	return nil
}

// sequenceAt is the element at a position.
type sequenceAt struct{}

func newSequenceAt(*graph.Attrs) (graph.Op, error) { return sequenceAt{}, nil }

func (sequenceAt) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 2, 2); err != nil {
		return err
	}
	elem, err := wantSequence(c, 0)
	if err != nil {
		return err
	}
	c.Out(0, elem)
	return wantIndex(c, 1, "position")
}

func (sequenceAt) Run(c *graph.RunCtx) error {
	elems, err := elemsOf(c.In[0])
	if err != nil {
		return err
	}
	i, err := positionOf(c.In[1], len(elems), false)
	if err != nil {
		return err
	}
	return give(c, 0, elems[i])
}

// sequenceInsert adds input 1 before a position, at the end without one.
type sequenceInsert struct{}

func newSequenceInsert(*graph.Attrs) (graph.Op, error) { return sequenceInsert{}, nil }

func (sequenceInsert) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 2, 3); err != nil {
		return err
	}
	elem, err := wantSequence(c, 0)
	if err != nil {
		return err
	}
	x := c.In(1)
	if elem.DType != tensor.Undefined && x.DType != tensor.Undefined && elem.DType != x.DType {
		return fmt.Errorf("cannot insert %v into a sequence of %v", x, elem)
	}
	c.Out(0, sequenceSpec(mergeSpecs(elem, x)))
	return wantIndex(c, 2, "position")
}

func (sequenceInsert) Run(c *graph.RunCtx) error {
	elems, err := elemsOf(c.In[0])
	if err != nil {
		return err
	}
	i := len(elems)
	if len(c.In) > 2 && c.In[2] != nil {
		if i, err = positionOf(c.In[2], len(elems), true); err != nil {
			return err
		}
	}
	list := append([]*tensor.Tensor{}, elems[:i]...)
	c.Set(0, tensor.SequenceOf(append(append(list, c.In[1]), elems[i:]...)))
	return nil
}

// sequenceErase takes the element at a position away, the last one without a position.
type sequenceErase struct{}

func newSequenceErase(*graph.Attrs) (graph.Op, error) { return sequenceErase{}, nil }

func (sequenceErase) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 1, 2); err != nil {
		return err
	}
	elem, err := wantSequence(c, 0)
	if err != nil {
		return err
	}
	c.Out(0, sequenceSpec(elem))
	return wantIndex(c, 1, "position")
}

func (sequenceErase) Run(c *graph.RunCtx) error {
	elems, err := elemsOf(c.In[0])
	if err != nil {
		return err
	}
	i := len(elems) - 1
	if len(c.In) > 1 && c.In[1] != nil {
		if i, err = positionOf(c.In[1], len(elems), false); err != nil {
			return err
		}
	}
	if i < 0 {
		return fmt.Errorf("the sequence is empty")
	}
	list := append([]*tensor.Tensor{}, elems[:i]...)
	c.Set(0, tensor.SequenceOf(append(list, elems[i+1:]...)))
	return nil
}

// sequenceLength is the number of elements.
type sequenceLength struct{}

func newSequenceLength(*graph.Attrs) (graph.Op, error) { return sequenceLength{}, nil }

func (sequenceLength) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 1, 1); err != nil {
		return err
	}
	c.Out(0, tensor.SpecOf(tensor.Int64))
	_, err := wantSequence(c, 0)
	return err
}

func (sequenceLength) Run(c *graph.RunCtx) error {
	elems, err := elemsOf(c.In[0])
	if err != nil {
		return err
	}
	y, err := output(c, 0, tensor.Int64)
	if err == nil {
		tensor.View[int64](y)[0] = int64(len(elems))
	}
	return err
}

// sequenceMap runs its body for every element of the sequence in input 0, and the elements at the same position of the
// other sequences; tensors are given to every call.
type sequenceMap struct{}

func newSequenceMap(a *graph.Attrs) (graph.Op, error) {
	a.Require("body")
	a.Graph("body")
	return sequenceMap{}, nil
}

func (sequenceMap) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, c.NumIn(), c.NumIn()); err != nil {
		return err
	}
	if _, err := wantSequence(c, 0); err != nil {
		return err
	}
	in := make([]tensor.Spec, c.NumIn())
	for i := range in {
		if in[i] = c.In(i); in[i].Kind == tensor.KindSequence {
			in[i], _ = wantSequence(c, i)
		}
	}
	outs, err := c.InferBody("body", in, nil)
	if err != nil {
		return err
	}
	for i, s := range outs {
		c.Out(i, sequenceSpec(s))
	}
	return nil
}

func (sequenceMap) Run(c *graph.RunCtx) error {
	elems, err := elemsOf(c.In[0])
	if err != nil {
		return err
	}
	lists := make([][]*tensor.Tensor, len(c.Out))
	for k := range elems {
		in := make([]*tensor.Tensor, len(c.In))
		for i, t := range c.In {
			if in[i] = t; t.Kind() != tensor.KindSequence {
				continue
			}
			if k >= len(t.Elems()) {
				return fmt.Errorf("input %d has %d elements, input 0 has %d", i, len(t.Elems()), len(elems))
			}
			in[i] = t.Elems()[k]
		}
		outs, err := c.RunBody("body", in)
		if err != nil {
			return err
		}
		for i := range lists {
			lists[i] = append(lists[i], outs[i])
		}
	}
	for i, l := range lists {
		c.Set(i, tensor.SequenceOf(l))
	}
	return nil
}
