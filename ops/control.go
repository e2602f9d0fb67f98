package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func control(l lib) []graph.Def {
	return []graph.Def{
		{Op: "If", Since: 1, New: newIf, Types: dtypes{tensor.Bool}},
		{Op: "Loop", Since: 1, New: newLoop, Types: dtypes{tensor.Int64}},
	}
}

// mergeSpecs is what is known of a value that is described by a or by b.
func mergeSpecs(a, b tensor.Spec) tensor.Spec {
	if a.Kind != b.Kind {
		return tensor.Spec{}
	}
	if a.Kind != tensor.KindTensor {
		if a.Elem == nil || b.Elem == nil {
			return tensor.Spec{Kind: a.Kind}
		}
		e := mergeSpecs(*a.Elem, *b.Elem)
		return tensor.Spec{Kind: a.Kind, Elem: &e}
	}
	if a.DType != b.DType {
		a.DType = tensor.Undefined
	}
	if !a.Ranked || !b.Ranked || len(a.Dims) != len(b.Dims) {
		return tensor.Unranked(a.DType)
	}
	dims := make([]tensor.Dim, len(a.Dims))
	for i := range dims {
		if dims[i] = tensor.AnyDim; sameDim(a.Dims[i], b.Dims[i]) {
			dims[i] = a.Dims[i]
		}
	}
	return tensor.Ranked(a.DType, dims)
}

func sameSpec(a, b tensor.Spec) bool { return a.Kind == b.Kind && a.String() == b.String() }

// give makes t output i, by a copy where the executor has already allocated it.
func give(c *graph.RunCtx, i int, t *tensor.Tensor) error {
	y := c.Out[i]
	if y == nil || t.Kind() != tensor.KindTensor {
		c.Set(i, t)
		return nil
	}
	if y.DType() != t.DType() || y.Len() != t.Len() {
		return fmt.Errorf("output %d is %v, want %v", i, t, y)
	}
	copyAll(y, t)
	return nil
}

// copyAll copies all elements between tensors of one type and size.
func copyAll(y, x *tensor.Tensor) {
	if y.DType() == tensor.String {
		copy(tensor.View[string](y), tensor.View[string](x))
		return
	}
	tensor.Copy(y.Bytes(), x.Bytes())
}

// truth is the one element of a condition.
func truth(t *tensor.Tensor) (bool, error) {
	if t.DType() != tensor.Bool || t.Len() != 1 {
		return false, fmt.Errorf("condition is %v, want one bool", t)
	}
	return t.Bytes()[0] != 0, nil
}

// branch is If: one of two bodies, which take nothing but what they capture.
type branch struct{}

func newIf(a *graph.Attrs) (graph.Op, error) {
	a.Require("then_branch", "else_branch")
	a.Graph("then_branch")
	a.Graph("else_branch")
	return branch{}, nil
}

// Infer takes the branch that a known condition selects, else what both agree on. A branch that does not fit the shapes
// at hand may be one that is never taken.
func (branch) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 1); err != nil {
		return err
	}
	if err := wantType(c, 0, "condition", tensor.Bool); err != nil {
		return err
	}
	yes, errYes := c.InferBody("then_branch", nil, nil)
	no, errNo := c.InferBody("else_branch", nil, nil)
	for _, outs := range [][]tensor.Spec{yes, no} {
		if outs != nil && len(outs) != c.NumOut() {
			return fmt.Errorf("a branch has %d outputs, want %d", len(outs), c.NumOut())
		}
	}
	if cond := c.Const(0); cond != nil {
		taken, err := truth(cond)
		if err != nil {
			return err
		}
		if taken {
			no, errNo = yes, errYes
		} else {
			yes, errYes = no, errNo
		}
	}
	if errYes != nil && errNo != nil {
		return errYes
	}
	for i := range c.NumOut() {
		if errYes == nil && errNo == nil {
			c.Out(i, mergeSpecs(yes[i], no[i]))
		}
	}
	return nil
}

func (branch) Run(c *graph.RunCtx) error {
	cond, err := truth(c.In[0])
	if err != nil {
		return err
	}
	name := "else_branch"
	if cond {
		name = "then_branch"
	}
	outs, err := c.RunBody(name, nil)
	if err != nil {
		return err
	}
	for i, t := range outs {
		if i < len(c.Out) && c.Wants(i) {
			if err := give(c, i, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// loop is Loop: a body that runs up to a number of times and while its condition holds. The body takes the iteration,
// the condition and the carried values, and gives the next condition, the carried values, and values that are stacked.
type loop struct{ body *graph.Graph }

func newLoop(a *graph.Attrs) (graph.Op, error) {
	a.Require("body")
	return loop{a.Graph("body")}, nil
}

func (o loop) Infer(c *graph.InferCtx) error {
	if c.NumIn() < 2 {
		return fmt.Errorf("got %d inputs, want a trip count and a condition, which may be absent", c.NumIn())
	}
	carried := c.NumIn() - 2
	in := make([]tensor.Spec, carried)
	for i := range in {
		if in[i] = c.In(i + 2); !c.Has(i + 2) {
			return fmt.Errorf("input %d is missing", i+2)
		}
	}
	first := []tensor.Spec{tensor.SpecOf(tensor.Int64), tensor.SpecOf(tensor.Bool)}
	outs, err := settle(c, in, func(state []tensor.Spec) []tensor.Spec { return append(first, state...) }, 1)
	if err != nil {
		return err
	}
	if len(outs)-1 != c.NumOut() {
		return fmt.Errorf("the body has %d outputs for a node with %d", len(outs), c.NumOut())
	}
	for i := range in {
		c.Out(i, in[i])
	}
	for i := carried; i < c.NumOut(); i++ {
		c.Out(i, insertAxis(outs[i+1], 0, tensor.AnyDim))
	}
	return nil
}

// settle infers a body until the specs of its carried values, which it widens in place, no longer change, and returns
// the specs of its outputs; the first skip of those are not carried.
func settle(c *graph.InferCtx, state []tensor.Spec, inputs func([]tensor.Spec) []tensor.Spec, skip int) ([]tensor.Spec, error) {
	for round := 0; ; round++ {
		outs, err := c.InferBody("body", inputs(state), nil)
		if err != nil {
			return nil, err
		}
		if len(outs) < skip+len(state) {
			return nil, fmt.Errorf("the body has %d outputs, want at least %d", len(outs), skip+len(state))
		}
		stable := true
		for i, s := range state {
			m := mergeSpecs(s, outs[skip+i])
			if round > 8 {
				m = tensor.Spec{Kind: s.Kind, DType: m.DType}
			}
			if !sameSpec(s, m) {
				state[i], stable = m, false
			}
		}
		if stable {
			return outs, nil
		}
	}
}

// insertAxis is the spec of tensors like s that are stacked along a new axis of size d.
func insertAxis(s tensor.Spec, axis int, d tensor.Dim) tensor.Spec {
	if !s.Ranked {
		return s
	}
	dims := append([]tensor.Dim{}, s.Dims[:axis]...)
	dims = append(append(dims, d), s.Dims[axis:]...)
	return tensor.Ranked(s.DType, dims)
}

func (o loop) Run(c *graph.RunCtx) error {
	trips, cond := int64(math.MaxInt64), true
	if t := c.In[0]; t != nil {
		v, ok := graph.ConstInts(t)
		if !ok || len(v) != 1 {
			return fmt.Errorf("trip count is %v, want one integer", t)
		}
		trips = v[0]
	}
	if t := c.In[1]; t != nil {
		var err error
		if cond, err = truth(t); err != nil {
			return err
		}
	}
	state := append([]*tensor.Tensor{}, c.In[2:]...)
	stacks := make([][]*tensor.Tensor, max(len(c.Out)-len(state), 0))
	for i := int64(0); i < trips && cond; i++ {
		if err := c.Ctx.Err(); err != nil {
			return err
		}
		in := append([]*tensor.Tensor{tensor.Scalar(i), tensor.Scalar(cond)}, state...)
		outs, err := c.RunBody("body", in)
		if err != nil {
			return err
		}
		if cond, err = truth(outs[0]); err != nil {
			return err
		}
		copy(state, outs[1:])
		for k := range stacks {
			stacks[k] = append(stacks[k], outs[1+len(state)+k])
		}
	}
	for i, t := range state {
		if c.Wants(i) {
			if err := give(c, i, t); err != nil {
				return err
			}
		}
	}
	for k, list := range stacks {
		if i := len(state) + k; c.Wants(i) {
			if err := stack(c, i, list, o.body.Outputs[1+i].Spec); err != nil {
				return err
			}
		}
	}
	return nil
}

// stack joins tensors of one shape along a new first axis; like tells type and sizes when there are none.
func stack(c *graph.RunCtx, i int, list []*tensor.Tensor, like tensor.Spec) error {
	d, shape := like.DType, []int{0}
	for _, n := range like.Dims {
		shape = append(shape, max(n.Size, 0))
	}
	if len(list) > 0 {
		d, shape = list[0].DType(), append([]int{len(list)}, list[0].Shape()...)
	}
	y, err := output(c, i, d, shape...)
	if err != nil {
		return err
	}
	j := boxJob{}
	for k, t := range list {
		if t.DType() != d || t.Len() != list[0].Len() {
			return fmt.Errorf("iteration %d gives %v to stack on %v", k, t, list[0])
		}
		j.reset()
		j.dstAt = k * t.Len()
		j.axis(t.Len(), 1, 1)
		if err := j.copy(c, y, t); err != nil {
			return err
		}
	}
	return nil
}
