package onnxgo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/qrun-onnx/qrun"
	qtensor "github.com/qrun-onnx/qrun/tensor"
)

// Run is RunContext without a context.
func (g *Graph) Run() error { return g.RunContext(context.Background()) }

// RunContext runs the model on the inputs that were set, after which its outputs are those tensors of their nodes. The
// first run compiles the model for the shapes of its inputs, and so does the first with others; the session then serves
// any sizes.
func (g *Graph) RunContext(ctx context.Context) error {
	if len(g.ops) == 0 {
		return fmt.Errorf("the graph has no model; onnx.NewModel(graph).UnmarshalBinary puts one there")
	}
	if err := g.sort(); err != nil {
		return err
	}
	in, shapes, err := g.collect()
	if err != nil {
		return err
	}
	if g.session == nil || !fits(shapes, g.shapes) {
		if err := g.compile(in, shapes); err != nil {
			return err
		}
	}
	out, err := g.session.Run(ctx, in)
	if err != nil {
		return err
	}
	for name, t := range out {
		if g.values[name].t, err = ToGorgonia(t); err != nil {
			return fmt.Errorf("output %q: %w", name, err)
		}
	}
	g.ran = true
	return nil
}

// Session is what the model was compiled to, for its report and kernels; nil before the first Run.
func (g *Graph) Session() *qrun.Session { return g.session }

// collect gathers the inputs of a run.
func (g *Graph) collect() (qrun.Tensors, [][]int, error) {
	if g.inputs == nil {
		for _, v := range g.values {
			if v.input && v.read {
				g.inputs = append(g.inputs, v)
			}
		}
		slices.SortFunc(g.inputs, func(a, b *value) int { return cmp.Compare(a.nodes[0].id, b.nodes[0].id) })
	}
	in, shapes := qrun.Tensors{}, make([][]int, 0, len(g.inputs))
	for _, v := range g.inputs {
		if !v.fed {
			return nil, nil, fmt.Errorf("input %q (%d) is not set", v.name, v.nodes[0].id)
		}
		t, err := FromGorgonia(v.t)
		if err != nil {
			return nil, nil, fmt.Errorf("input %q: %w", v.name, err)
		}
		in[v.name] = t
		shapes = append(shapes, t.Shape())
	}
	return in, shapes, nil
}

// fits reports whether a session compiled for those shapes takes these.
func fits(shapes, compiled [][]int) bool {
	return slices.EqualFunc(shapes, compiled, func(a, b []int) bool {
		return slices.EqualFunc(a, b, func(n, want int) bool { return want < 0 || n == want })
	})
}

// compile makes a session: for these shapes at first, for any of these ranks when it was compiled before.
func (g *Graph) compile(in qrun.Tensors, shapes [][]int) error {
	if g.session != nil && slices.EqualFunc(shapes, g.shapes, func(a, b []int) bool { return len(a) == len(b) }) {
		for i, s := range shapes {
			shapes[i] = slices.Repeat([]int{-1}, len(s))
		}
	}
	specs := make([]qtensor.Spec, len(shapes))
	for i, v := range g.inputs {
		specs[i] = qtensor.SpecOf(in[v.name].DType(), shapes[i]...)
	}
	s, err := g.load(specs)
	if err != nil {
		return err
	}
	g.session, g.shapes = s, shapes
	return nil
}

func (g *Graph) load(specs []qtensor.Spec) (*qrun.Session, error) {
	if g.opset != 0 {
		return g.loadAs(g.opset, specs, nil, &g.options)
	}
	const first, oldest, newest = 13, 7, 25
	s, err := g.loadAs(first, specs, nil, &g.options)
	if err == nil {
		return s, g.checkSoftmax(first-1, specs)
	}
	for n := first - 1; n >= oldest; n-- {
		if s, err := g.loadAs(n, specs, nil, &g.options); err == nil {
			return s, nil
		}
	}
	for n := first + 1; n <= newest; n++ {
		if s, err := g.loadAs(n, specs, nil, &g.options); err == nil {
			return s, nil
		}
	}
	return nil, fmt.Errorf("as opset %d, and WithOpset may know better: %w", first, err)
}

// loadAs makes a session of the model as one of that opset, with outputs besides its own.
func (g *Graph) loadAs(opset int, specs []qtensor.Spec, more []*value, o *qrun.Options) (*qrun.Session, error) {
	p, err := g.proto(opset, specs, more)
	if err != nil {
		return nil, err
	}
	return qrun.LoadProto(p, o)
}

// checkSoftmax fails when the model is valid in opset old too and has operators that mean something else there.
func (g *Graph) checkSoftmax(old int, specs []qtensor.Spec) error {
	var doubtful []*operation
	var read []*value
	for i := range g.ops {
		o := &g.ops[i]
		if axis, ok := o.Attributes["axis"].(int64); slices.Contains([]string{"Softmax", "LogSoftmax", "Hardmax"}, o.Name) && (!ok || axis != -1) {
			doubtful = append(doubtful, o)
			if v := o.in[0]; v.computed && !slices.Contains(read, v) {
				read = append(read, v)
			}
		}
	}
	if len(doubtful) == 0 {
		return nil
	}
	s, err := g.loadAs(old, specs, read, nil)
	if err != nil {
		return nil // so the model is newer
	}
	ranks := map[string]int{}
	for i, v := range g.inputs {
		ranks[v.name] = len(specs[i].Dims)
	}
	for _, out := range s.Outputs() {
		ranks[out.Name] = len(out.Spec.Dims)
	}
	var lines []string
	for _, o := range doubtful {
		rank := ranks[o.in[0].name]
		axis, ok := o.Attributes["axis"].(int64)
		if !ok {
			axis = 1
		}
		if int(axis) != rank-1 {
			lines = append(lines, fmt.Sprintf("%s %q of %d dimensions along axis %d", o.Name, o.label(), rank, axis))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return fmt.Errorf("the model's opset is not known and decides about %s: say it by WithOpset", strings.Join(lines, ", "))
}
