package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

var recurrentTypes = dtypes{tensor.Float32, tensor.Float16, tensor.BFloat16}

func recurrents(l lib) []graph.Def {
	return []graph.Def{
		{Op: "RNN", Since: 1, New: l.newRecurrent(cellRNN), Types: recurrentTypes},
		{Op: "GRU", Since: 1, New: l.newRecurrent(cellGRU), Types: recurrentTypes},
		{Op: "LSTM", Since: 1, New: l.newRecurrent(cellLSTM), Types: recurrentTypes},
	}
}

// cellKind is the kind of a recurrent layer; its number is that of its gates.
type cellKind int

const (
	cellRNN  cellKind = 1
	cellGRU  cellKind = 3 // gates z, r, h
	cellLSTM cellKind = 4 // gates i, o, f, c
)

// Inputs of the recurrent operators; LSTM alone has the last two.
const (
	rnnX = iota
	rnnW
	rnnR
	rnnB
	rnnLens
	rnnH0
	rnnC0
	rnnP
)

// recurrent is a layer of RNN, GRU or LSTM in one or both directions. The projection of all inputs is one matrix
// product; each step then is a product of the state and the recurrent weights, added to its rows.
type recurrent struct {
	l           lib
	kind        cellKind
	reverse     bool // one direction, from the end
	dirs        int
	hidden      int // 0: not given
	acts        [][]cellActivation
	clip        float32 // 0: none
	batchFirst  bool
	inputForget bool // LSTM: f = 1-i
	linearFirst bool // GRU: the reset gate applies after the recurrent product
	weights     *cellWeights
	shapeR      []int // of constant weights
}

func (l lib) newRecurrent(kind cellKind) func(a *graph.Attrs) (graph.Op, error) {
	return func(a *graph.Attrs) (graph.Op, error) {
		dir := a.OneOf("direction", "forward", "reverse", "bidirectional")
		o := &recurrent{l: l, kind: kind, reverse: dir == "reverse", dirs: 1 + b2i(dir == "bidirectional")}
		o.hidden = int(a.Int("hidden_size", 0))
		o.clip = a.Float("clip", 0)
		o.batchFirst = a.Bool("layout", false)
		a.Ignore("output_sequence") // of opset 1 to 6: which outputs exist says the same
		switch kind {
		case cellLSTM:
			o.inputForget = a.Bool("input_forget", false)
		case cellGRU:
			o.linearFirst = a.Bool("linear_before_reset", false)
		}
		if o.clip < 0 || o.hidden < 0 {
			return nil, fmt.Errorf("attributes clip %v and hidden_size %d, want none below 0", o.clip, o.hidden)
		}
		var err error
		o.acts, err = newCellActivations(kind, o.dirs, a.Strings("activations"), a.Floats("activation_alpha"), a.Floats("activation_beta"))
		return o, err
	}
}

func (o *recurrent) Infer(c *graph.InferCtx) error {
	most := rnnH0 + 1
	if o.kind == cellLSTM {
		most = rnnP + 1
	}
	if err := needInputs(c, 3, most); err != nil {
		return err
	}
	floats := []int{}
	for i := range c.NumIn() {
		if c.Has(i) && i != rnnLens {
			floats = append(floats, i)
		}
	}
	d, err := sameType(c, floats...)
	if err != nil {
		return err
	}
	if err := checkType("recurrent layer", d, recurrentTypes); err != nil {
		return err
	}
	if s := c.In(rnnLens); s.DType != tensor.Undefined && s.DType != tensor.Int32 {
		return fmt.Errorf("sequence_lens of type %v, want int32", s.DType)
	}
	steps, batch, h, err := o.sizes(c)
	if err != nil {
		return err
	}
	if err := o.checkStates(c, batch, h); err != nil {
		return err
	}
	o.setOutputs(c, d, steps, batch, h)
	return nil
}

func (o *recurrent) setOutputs(c *graph.InferCtx, d tensor.DType, steps, batch, h tensor.Dim) {
	dirs := tensor.Fixed(o.dirs)
	all, last := []tensor.Dim{steps, dirs, batch, h}, []tensor.Dim{dirs, batch, h}
	if o.batchFirst {
		all, last = []tensor.Dim{batch, steps, dirs, h}, []tensor.Dim{batch, dirs, h}
	}
	c.Out(0, tensor.Ranked(d, all))
	c.Out(1, tensor.Ranked(d, last))
	c.Out(2, tensor.Ranked(d, last))
}

// sizes checks X, W, R and B.
func (o *recurrent) sizes(c *graph.InferCtx) (steps, batch, h tensor.Dim, err error) {
	steps, batch, h = tensor.AnyDim, tensor.AnyDim, tensor.AnyDim
	if o.hidden > 0 {
		h = tensor.Fixed(o.hidden)
	}
	input := tensor.AnyDim
	if x := c.In(rnnX); x.Ranked {
		if len(x.Dims) != 3 {
			return steps, batch, h, fmt.Errorf("input %v, want three dimensions", x)
		}
		steps, batch, input = x.Dims[0], x.Dims[1], x.Dims[2]
		if o.batchFirst {
			steps, batch = batch, steps
		}
	}
	w, r := c.In(rnnW), c.In(rnnR)
	if r.Ranked && len(r.Dims) == 3 && !h.Known() {
		h = r.Dims[2]
	}
	gates := tensor.AnyDim
	if h.Known() {
		gates = tensor.Fixed(h.Size * int(o.kind))
	}
	for _, x := range []struct {
		name string
		s    tensor.Spec
		want []tensor.Dim
	}{{"W", w, []tensor.Dim{tensor.Fixed(o.dirs), gates, input}}, {"R", r, []tensor.Dim{tensor.Fixed(o.dirs), gates, h}}} {
		if err := wantDims(x.name, x.s, x.want); err != nil {
			return steps, batch, h, err
		}
	}
	if gates.Known() {
		gates.Size *= 2
	}
	return steps, batch, h, wantDims("B", c.In(rnnB), []tensor.Dim{tensor.Fixed(o.dirs), gates})
}

func (o *recurrent) checkStates(c *graph.InferCtx, batch, h tensor.Dim) error {
	state := []tensor.Dim{tensor.Fixed(o.dirs), batch, h}
	if o.batchFirst {
		state[0], state[1] = state[1], state[0]
	}
	peep := tensor.AnyDim
	if h.Known() {
		peep = tensor.Fixed(3 * h.Size)
	}
	for _, x := range []struct {
		name string
		in   int
		want []tensor.Dim
	}{{"sequence_lens", rnnLens, []tensor.Dim{batch}}, {"initial_h", rnnH0, state}, {"initial_c", rnnC0, state},
		{"P", rnnP, []tensor.Dim{tensor.Fixed(o.dirs), peep}}} {
		if err := wantDims(x.name, c.In(x.in), x.want); err != nil {
			return err
		}
	}
	return nil
}

// wantDims compares an input's dimensions with those wanted, as far as both are known.
func wantDims(name string, s tensor.Spec, want []tensor.Dim) error {
	ok := len(s.Dims) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = agree(s.Dims[i], want[i])
	}
	if s.Ranked && !ok {
		return fmt.Errorf("%s %v, want the shape %v", name, s, want)
	}
	return nil
}

// Prepack packs constant W and R, with a constant B.
func (o *recurrent) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	if len(consts) < 3 || consts[rnnW] == nil || consts[rnnR] == nil || consts[rnnW].Rank() != 3 || consts[rnnR].Rank() != 3 {
		return o, nil, nil
	}
	w, ok := o.l.constFloat32(consts[rnnW])
	r, ok2 := o.l.constFloat32(consts[rnnR])
	if !ok || !ok2 || len(w) == 0 || len(r) == 0 {
		return o, nil, nil
	}
	used := []int{rnnW, rnnR}
	var b []float32
	if len(consts) > rnnB && consts[rnnB] != nil {
		if b, ok = o.l.constFloat32(consts[rnnB]); ok {
			used = append(used, rnnB)
		}
	}
	p := *o
	p.shapeR = consts[rnnR].Shape()
	p.weights = o.pack(w, r, b, p.shapeR[2])
	return &p, used, nil
}

// KernelName says which kernels compute the products.
func (o *recurrent) KernelName() string { return "f32/" + o.l.k.Name() }

func (o *recurrent) Run(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d {
	case tensor.Float32:
		return o.runFloat32(c)
	case tensor.Float16, tensor.BFloat16:
		return o.l.asFloat32(c, o.runFloat32)
	default:
		return graph.UnsupportedType("recurrent layer", d)
	}
}
