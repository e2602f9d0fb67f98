package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func scans(l lib) []graph.Def {
	return []graph.Def{
		{Op: "Scan", Since: 8, New: newScan8, Types: everyType()},
		{Op: "Scan", Since: 9, New: newScan, Types: everyType()},
	}
}

// scan runs its body once per slice of the scan inputs along an axis each. The body takes the state and the slices, and
// gives the next state and slices of the scan outputs. Version 8 has an optional first input with the length of every
// batch entry, and runs for each entry by itself.
type scan struct {
	body                *graph.Graph
	inputs              int // scan inputs
	inAxes, outAxes     []int64
	inReverse, outBack  []int64
	batched             bool
	states, scanOutputs int
}

func newScan(a *graph.Attrs) (graph.Op, error) {
	a.Require("body", "num_scan_inputs")
	o := scan{
		body: a.Graph("body"), inputs: int(a.Int("num_scan_inputs", 1)),
		inAxes: a.Ints("scan_input_axes"), outAxes: a.Ints("scan_output_axes"),
		inReverse: a.Ints("scan_input_directions"), outBack: a.Ints("scan_output_directions"),
	}
	return o.sized(a.NumIn, a.NumOut)
}

func newScan8(a *graph.Attrs) (graph.Op, error) {
	a.Require("body", "num_scan_inputs")
	o := scan{body: a.Graph("body"), inputs: int(a.Int("num_scan_inputs", 1)), inReverse: a.Ints("directions"), batched: true}
	return o.sized(a.NumIn-1, a.NumOut)
}

func (o scan) sized(in, out int) (graph.Op, error) {
	o.states = in - o.inputs
	o.scanOutputs = out - o.states
	for _, s := range []struct {
		name string
		list []int64
		n    int
	}{{"scan_input_axes", o.inAxes, o.inputs}, {"scan_output_axes", o.outAxes, o.scanOutputs},
		{"scan_input_directions", o.inReverse, o.inputs}, {"scan_output_directions", o.outBack, o.scanOutputs}} {
		if s.list != nil && len(s.list) != s.n {
			return nil, fmt.Errorf("attribute %s has %d entries, want %d", s.name, len(s.list), s.n)
		}
	}
	if o.states < 0 || o.inputs < 1 || o.scanOutputs < 0 {
		return nil, fmt.Errorf("%d inputs, %d outputs and %d scan inputs do not fit together", in, out, o.inputs)
	}
	if o.body != nil && (len(o.body.Inputs) != in || len(o.body.Outputs) != out) {
		return nil, fmt.Errorf("the body has %d inputs and %d outputs, want %d and %d", len(o.body.Inputs), len(o.body.Outputs), in, out)
	}
	return o, nil
}

// entryOf is entry i of an attribute, 0 where that is absent.
func entryOf(list []int64, i int) int64 {
	if list == nil {
		return 0
	}
	return list[i]
}

func (o scan) Infer(c *graph.InferCtx) error {
	first, lead := 0, 0
	batch := tensor.AnyDim
	if o.batched {
		first, lead = 1, 1
	}
	for i := first; i < c.NumIn(); i++ {
		if !c.Has(i) || c.In(i).Kind != tensor.KindTensor {
			return fmt.Errorf("input %d is %v, want a tensor", i, c.In(i))
		}
	}
	state := make([]tensor.Spec, o.states)
	for i := range state {
		s := c.In(first + i)
		if o.batched && s.Ranked && len(s.Dims) > 0 {
			batch, s = s.Dims[0], dropAxis(s, 0)
		}
		state[i] = s
	}
	length := tensor.AnyDim
	slices := make([]tensor.Spec, o.inputs)
	for i := range slices {
		x := c.In(first + o.states + i)
		if slices[i] = x; !x.Ranked {
			continue
		}
		if len(x.Dims) < lead {
			return fmt.Errorf("scan input %d is %v, want a batch and a sequence axis", i, x)
		}
		if o.batched {
			batch, x = x.Dims[0], dropAxis(x, 0)
		}
		axis, err := axisOf(entryOf(o.inAxes, i), len(x.Dims))
		if err != nil {
			return err
		}
		n, ok := unifyDim(length, x.Dims[axis])
		if !ok {
			return fmt.Errorf("scan input %d has length %v, the ones before %v", i, x.Dims[axis], length)
		}
		length, slices[i] = n, dropAxis(x, axis)
	}
	outs, err := settle(c, state, func(s []tensor.Spec) []tensor.Spec { return append(append([]tensor.Spec{}, s...), slices...) }, 0)
	if err != nil {
		return err
	}
	for i, s := range outs {
		if i < o.states {
			s = state[i]
		} else if s.Ranked {
			axis, err := axisOf(entryOf(o.outAxes, i-o.states), len(s.Dims)+1)
			if err != nil {
				return err
			}
			s = insertAxis(s, axis, length)
		}
		if o.batched {
			s = insertAxis(s, 0, batch)
		}
		c.Out(i, s)
	}
	return nil
}

func dropAxis(s tensor.Spec, axis int) tensor.Spec {
	dims := append([]tensor.Dim{}, s.Dims[:axis]...)
	return tensor.Ranked(s.DType, append(dims, s.Dims[axis+1:]...))
}

func (o scan) Run(c *graph.RunCtx) error {
	if o.batched {
		return o.runBatched(c)
	}
	length := -1
	axes := make([]int, o.inputs)
	for i := range axes {
		x := c.In[o.states+i]
		var err error
		if axes[i], err = axisOf(entryOf(o.inAxes, i), x.Rank()); err != nil {
			return err
		}
		length = x.Shape()[axes[i]]
	}
	state := append([]*tensor.Tensor{}, c.In[:o.states]...)
	for t := range length {
		if err := c.Ctx.Err(); err != nil {
			return err
		}
		in := append([]*tensor.Tensor{}, state...)
		for i, axis := range axes {
			k := t
			if entryOf(o.inReverse, i) != 0 {
				k = length - 1 - t
			}
			x, err := sliceAt(c, c.In[o.states+i], axis, k)
			if err != nil {
				return err
			}
			in = append(in, x)
		}
		outs, err := c.RunBody("body", in)
		if err != nil {
			return err
		}
		copy(state, outs)
		for i, s := range outs[o.states:] {
			if err := o.put(c, i, s, t, length); err != nil {
				return err
			}
		}
	}
	if length == 0 {
		for i := range o.scanOutputs {
			if err := o.empty(c, i); err != nil {
				return err
			}
		}
	}
	for i, s := range state {
		if c.Wants(i) {
			if err := give(c, i, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// sliceAt is position k of an axis, without that axis.
func sliceAt(c *graph.RunCtx, x *tensor.Tensor, axis, k int) (*tensor.Tensor, error) {
	s := x.Shape()
	y, err := tensor.New(x.DType(), append(append([]int{}, s[:axis]...), s[axis+1:]...)...)
	if err != nil {
		return nil, err
	}
	outer, inner := elemCount(s[:axis]), elemCount(s[axis+1:])
	j := boxJob{}
	j.srcAt = k * inner
	j.axis(outer, inner, s[axis]*inner)
	j.axis(inner, 1, 1)
	return y, j.copy(c, y, x)
}

// put stores the slice of one step in scan output i.
func (o scan) put(c *graph.RunCtx, i int, s *tensor.Tensor, t, length int) error {
	if !c.Wants(o.states + i) {
		return nil
	}
	axis, err := axisOf(entryOf(o.outAxes, i), s.Rank()+1)
	if err != nil {
		return err
	}
	shape := append(append(append([]int{}, s.Shape()[:axis]...), length), s.Shape()[axis:]...)
	y, err := output(c, o.states+i, s.DType(), shape...)
	if err != nil {
		return err
	}
	if y.Len() != length*s.Len() || y.DType() != s.DType() {
		return fmt.Errorf("step %d gives %v for %v", t, s, y)
	}
	if entryOf(o.outBack, i) != 0 {
		t = length - 1 - t
	}
	return putAt(c, y, s, axis, t)
}

// putAt stores x at position k of an axis that y has and x lacks.
func putAt(c *graph.RunCtx, y, x *tensor.Tensor, axis, k int) error {
	outer, inner := elemCount(x.Shape()[:axis]), elemCount(x.Shape()[axis:])
	j := boxJob{}
	j.dstAt = k * inner
	j.axis(outer, y.Shape()[axis]*inner, inner)
	j.axis(inner, 1, 1)
	return j.copy(c, y, x)
}

// empty makes a scan output of no steps.
func (o scan) empty(c *graph.RunCtx, i int) error {
	k := o.states + i
	if !c.Wants(k) || c.Out[k] != nil {
		return nil
	}
	s := o.body.Outputs[k].Spec
	axis, err := axisOf(entryOf(o.outAxes, i), len(s.Dims)+1)
	if err != nil {
		return err
	}
	shape := make([]int, len(s.Dims)+1)
	for a, d := range insertAxis(tensor.Ranked(s.DType, s.Dims), axis, tensor.Fixed(0)).Dims {
		shape[a] = max(d.Size, 0)
	}
	_, err = output(c, k, s.DType, shape...)
	return err
}

// runBatched is version 8: every batch entry scans along its first axis, steps past its length give zeros.
func (o scan) runBatched(c *graph.RunCtx) error {
	x := c.In[1+o.states]
	batch, length := x.Shape()[0], x.Shape()[1]
	lens := runInts(c.In[0])
	if lens != nil && len(lens) != batch {
		return fmt.Errorf("sequence_lens has %d entries for a batch of %d", len(lens), batch)
	}
	for _, y := range c.Out {
		if y != nil {
			clear(y.Bytes())
		}
	}
	for b := range batch {
		steps := length
		if lens != nil {
			if steps = int(lens[b]); steps < 0 || steps > length {
				return fmt.Errorf("sequence_lens has %d, the sequences have %d steps", steps, length)
			}
		}
		if err := o.entry(c, b, batch, steps, length); err != nil {
			return err
		}
	}
	return nil
}

func (o scan) entry(c *graph.RunCtx, b, batch, steps, length int) error {
	var all []*tensor.Tensor
	for _, x := range c.In[1:] {
		s, err := sliceAt(c, x, 0, b)
		if err != nil {
			return err
		}
		all = append(all, s)
	}
	state := all[:o.states]
	for t := range steps {
		in := append([]*tensor.Tensor{}, state...)
		for i, x := range all[o.states:] {
			k := t
			if entryOf(o.inReverse, i) != 0 {
				k = steps - 1 - t
			}
			s, err := sliceAt(c, x, 0, k)
			if err != nil {
				return err
			}
			in = append(in, s)
		}
		outs, err := c.RunBody("body", in)
		if err != nil {
			return err
		}
		copy(state, outs)
		for i, s := range outs[o.states:] {
			if i += o.states; !c.Wants(i) {
				continue
			}
			y, err := output(c, i, s.DType(), append([]int{batch, length}, s.Shape()...)...)
			if err != nil {
				return err
			}
			flat, err := y.Reshape(append([]int{batch * length}, s.Shape()...)...)
			if err != nil {
				return err
			}
			if err := putAt(c, flat, s, 0, b*length+t); err != nil {
				return err
			}
		}
	}
	for i, s := range state {
		if !c.Wants(i) {
			continue
		}
		y, err := output(c, i, s.DType(), append([]int{batch}, s.Shape()...)...)
		if err != nil {
			return err
		}
		if err := putAt(c, y, s, 0, b); err != nil {
			return err
		}
	}
	return nil
}
