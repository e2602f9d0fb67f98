package graph

import (
	"errors"
	"fmt"
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// Small operators for tests of the executor. They check that they are given what the contract promises.

// testSum adds its inputs, all of one shape.
type testSum struct{ inPlace bool }

func (o testSum) Infer(c *InferCtx) error {
	for i := 1; i < c.NumIn(); i++ {
		if a, b := c.In(0), c.In(i); a.Complete() && b.Complete() && a.String() != b.String() {
			return fmt.Errorf("cannot add %v and %v", a, b)
		}
	}
	c.Out(0, c.In(0))
	return nil
}

func (o testSum) InPlace() []int {
	if o.inPlace {
		return []int{0, 1}
	}
	return nil
}

type sumBody struct {
	in  []*tensor.Tensor
	out []float32
}

func (b *sumBody) Do(lo, hi int) {
	for i := lo; i < hi; i++ {
		s := float32(0)
		for _, t := range b.in {
			s += tensor.View[float32](t)[i]
		}
		b.out[i] = s
	}
}

func (o testSum) Run(c *RunCtx) error {
	b := State[sumBody](c)
	if len(b.in) != 0 || b.out != nil {
		return errors.New("state holds tensors of an earlier run")
	}
	b.in, b.out = append(b.in[:0], c.In...), tensor.View[float32](c.Out[0])
	err := c.For(len(b.out), 64, b)
	clear(b.in)
	b.in, b.out = b.in[:0], nil
	return err
}

// testScale multiplies input 0 by a constant scalar, input 1, that it takes over.
type testScale struct {
	packed bool
	by     float32
}

func (o testScale) Infer(c *InferCtx) error {
	if c.In(1).String() != "float32[1]" {
		return fmt.Errorf("want float32[1], got %v", c.In(1))
	}
	c.Out(0, c.In(0))
	return nil
}

func (o testScale) Prepack(consts []*tensor.Tensor) (Op, []int, error) {
	if consts[1] == nil {
		return o, nil, nil
	}
	return testScale{true, tensor.View[float32](consts[1])[0]}, []int{1}, nil
}

func (o testScale) WeightBytes() int64 { return 4 }

func (o testScale) KernelName() string { return "test/scale" }

func (o testScale) Run(c *RunCtx) error {
	by := o.by
	if o.packed != (c.In[1] == nil) {
		return errors.New("a constant that was taken over is still there")
	}
	if !o.packed {
		by = tensor.View[float32](c.In[1])[0]
	}
	tmp := c.Scratch(4 * c.In[0].Len())
	for i, x := range tensor.View[float32](c.In[0]) {
		tmp[4*i]++
		tensor.View[float32](c.Out[0])[i] = x * by
	}
	return nil
}

// testReshape gives input 0 the shape in input 1.
type testReshape struct{}

func (testReshape) ViewOf() int { return 0 }

func (testReshape) Infer(c *InferCtx) error {
	dims, ok := c.Ints(1)
	if !ok {
		c.Out(0, tensor.Unranked(c.In(0).DType))
		return nil
	}
	c.Out(0, tensor.Ranked(c.In(0).DType, dims))
	return nil
}

func (testReshape) Run(c *RunCtx) error { return errors.New("a view was run") }

// testShape is the shape of input 0.
type testShape struct{}

func (testShape) Infer(c *InferCtx) error {
	s := c.In(0)
	if !s.Ranked {
		c.Out(0, tensor.Ranked(tensor.Int64, []tensor.Dim{tensor.AnyDim}))
		return nil
	}
	c.OutInts(0, s.Dims)
	c.Out(0, tensor.SpecOf(tensor.Int64, len(s.Dims)))
	return nil
}

func (testShape) Run(c *RunCtx) error {
	for i, n := range c.In[0].Shape() {
		tensor.View[int64](c.Out[0])[i] = int64(n)
	}
	return nil
}

// testPositive gives the positive elements of input 0, as many as there are, and, as output 1, how many.
type testPositive struct{}

func (testPositive) Infer(c *InferCtx) error {
	c.Out(0, tensor.Ranked(tensor.Float32, []tensor.Dim{tensor.AnyDim}))
	c.Out(1, tensor.SpecOf(tensor.Int64, 1))
	return nil
}

func (testPositive) Run(c *RunCtx) error {
	var pos []float32
	for _, x := range tensor.View[float32](c.In[0]) {
		if x > 0 {
			pos = append(pos, x)
		}
	}
	if c.Wants(1) {
		tensor.View[int64](c.Out[1])[0] = int64(len(pos))
	}
	if c.Wants(0) {
		t, err := c.Alloc(0, tensor.Float32, len(pos))
		if err != nil {
			return err
		}
		copy(tensor.View[float32](t), pos)
	}
	return nil
}

// testPass sets its input itself as output 0; sequences too.
type testPass struct{}

func (testPass) Infer(c *InferCtx) error { c.Out(0, c.In(0)); return nil }

func (testPass) Run(c *RunCtx) error { c.Set(0, c.In[0]); return nil }

// testSeq makes a sequence of its inputs.
type testSeq struct{}

func (testSeq) Infer(c *InferCtx) error {
	e := c.In(0)
	c.Out(0, tensor.Spec{Kind: tensor.KindSequence, Elem: &e})
	return nil
}

func (testSeq) Run(c *RunCtx) error { c.Set(0, tensor.SequenceOf(slices.Clone(c.In))); return nil }

// testFill makes a tensor of the shape in input 0, filled with one number.
type testFill struct{ x float32 }

func (o testFill) Infer(c *InferCtx) error {
	dims, ok := c.Ints(0)
	if !ok {
		c.Out(0, tensor.Unranked(tensor.Float32))
		return nil
	}
	c.Out(0, tensor.Ranked(tensor.Float32, dims))
	return nil
}

func (o testFill) Run(c *RunCtx) error {
	out := tensor.View[float32](c.Out[0])
	for i := range out {
		out[i] = o.x
	}
	return nil
}

// testIf runs body "then" when the first element of input 0 is positive, else body "else".
type testIf struct{ infer bool }

func (o testIf) Infer(c *InferCtx) error {
	if !o.infer {
		return nil
	}
	a, err := c.InferBody("then", nil, nil)
	if err != nil {
		return err
	}
	b, err := c.InferBody("else", nil, nil)
	if err != nil {
		return err
	}
	for i := range a {
		if a[i].String() == b[i].String() {
			c.Out(i, a[i])
		}
	}
	return nil
}

func (o testIf) Run(c *RunCtx) error {
	name := "else"
	if tensor.View[float32](c.In[0])[0] > 0 {
		name = "then"
	}
	out, err := c.RunBody(name, nil)
	if err != nil {
		return err
	}
	for i, t := range out {
		c.Set(i, t)
	}
	return nil
}

// testLoop runs its body n times on its inputs; the outputs of one time are the inputs of the next.
type testLoop struct{ n int }

func (o testLoop) Infer(c *InferCtx) error { return nil }

func (o testLoop) Run(c *RunCtx) error {
	vals := slices.Clone(c.In)
	for range o.n {
		var err error
		if vals, err = c.RunBody("body", vals); err != nil {
			return err
		}
	}
	for i, t := range vals {
		c.Set(i, t)
	}
	return nil
}

// funcOp is an operator from functions.
type funcOp struct {
	infer func(c *InferCtx) error
	run   func(c *RunCtx) error
}

func (o funcOp) Infer(c *InferCtx) error { return o.infer(c) }
func (o funcOp) Run(c *RunCtx) error     { return o.run(c) }

func likeInput(c *InferCtx) error { c.Out(0, c.In(0)); return nil }

// gb builds graphs for tests.
type gb struct{ g *Graph }

func newGB(outer *Graph) *gb { return &gb{&Graph{Name: "test", Outer: outer}} }

func (b *gb) input(name string, s tensor.Spec) *Value {
	v := &Value{Name: name, Spec: s}
	b.g.Inputs = append(b.g.Inputs, v)
	return v
}

func constant[T tensor.Element](name string, data ...T) *Value {
	t, err := tensor.Of(data, len(data))
	if err != nil {
		panic(err)
	}
	return &Value{Name: name, Spec: t.Spec(), Const: t}
}

func (b *gb) nodes(op Op, typ string, nOut int, in ...*Value) *Node {
	n := &Node{Name: fmt.Sprintf("%s_%d", typ, len(b.g.Nodes)), Type: typ, In: in, Op: op}
	for i := range nOut {
		n.Out = append(n.Out, &Value{Name: fmt.Sprintf("%s:%d", n.Name, i)})
	}
	b.g.Nodes = append(b.g.Nodes, n)
	return n
}

func (b *gb) node(op Op, typ string, in ...*Value) *Value { return b.nodes(op, typ, 1, in...).Out[0] }

func (b *gb) sum(in ...*Value) *Value { return b.node(testSum{}, "Sum", in...) }

func (b *gb) output(vs ...*Value) *gb { b.g.Outputs = append(b.g.Outputs, vs...); return b }
