package graph

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

// ifGraph is y = sum(x, x); if x[0] > 0 then sum(y, x, c) else Reshape of y itself; z = sum(that, y), with the If inside
// depth more bodies.
func ifGraph(depth int, infer bool) *gb {
	b := newGB(nil)
	x := b.input("x", vec)
	y := b.sum(x, x)
	n := nestedIf(b, depth, infer, x, y)
	b.output(b.sum(n.Out[0], y))
	return b
}

func nestedIf(b *gb, depth int, infer bool, x, y *Value) *Node {
	n := b.nodes(testIf{infer}, "If", 1, x)
	then, other := newGB(b.g), newGB(b.g)
	if depth > 0 {
		in := nestedIf(then, depth-1, infer, x, then.sum(y))
		then.output(in.Out[0])
	} else {
		then.output(then.sum(y, x, constant("c", float32(100), 200)))
	}
	other.output(other.node(testReshape{}, "Reshape", y, constant("shape", int64(2))))
	n.Bodies = map[string]*Graph{"then": then.g, "else": other.g}
	return n
}

func TestBodies(t *testing.T) {
	for depth := range 4 {
		for _, infer := range []bool{false, true} {
			e := executable(t, ifGraph(depth, infer))
			for range 3 {
				want(t, mustRun(t, e, values{"x": floats(1, 2)}), 105, 210)
				want(t, mustRun(t, e, values{"x": floats(-1, 2)}), -4, 8)
			}
		}
	}
}

func TestBodyGivesAnOuterValueAsItIs(t *testing.T) {
	b := newGB(nil)
	x := b.input("x", vec)
	y := b.sum(x, x)
	n := b.nodes(testIf{}, "If", 2, x)
	then, other := newGB(b.g), newGB(b.g)
	then.output(y, x)
	other.output(x, other.sum(y, y))
	n.Bodies = map[string]*Graph{"then": then.g, "else": other.g}
	z := b.sum(x, x, x) // would be y's memory if the If's output did not hold it
	b.output(n.Out[0], n.Out[1], z)
	e := executable(t, b)
	in := floats(5)
	out, err := e.run(context.Background(), withInputs(e, in), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range []float32{10, 5, 15} {
		if got := tensor.View[float32](out[i])[0]; got != w {
			t.Errorf("output %d is %v, want %v", i, got, w)
		}
		if out[i].Overlaps(in) || slices.ContainsFunc(out[:i], out[i].Overlaps) {
			t.Errorf("output %d shares memory", i)
		}
	}
}

// loopGraph is sum(acc, step) n times; the body reads step from around it and computes in its arena.
func loopGraph(n int) *gb {
	b := newGB(nil)
	x := b.input("x", vec)
	step := b.sum(x, x)
	loop := b.nodes(testLoop{n}, "Loop", 2, b.sum(x), x)
	body := newGB(b.g)
	acc, same := body.input("acc", tensor.Spec{}), body.input("same", tensor.Spec{})
	next := body.node(testSum{inPlace: true}, "Sum", body.sum(acc, step), body.sum(same))
	body.output(body.node(testReshape{}, "Reshape", next, body.node(testShape{}, "Shape", acc)), same)
	loop.Bodies = map[string]*Graph{"body": body.g}
	b.output(loop.Out[0], b.sum(loop.Out[1], step))
	return b
}

func TestLoop(t *testing.T) {
	b := loopGraph(1000)
	e := executable(t, b)
	for _, n := range []int{1, 2, 1} {
		out, err := e.run(context.Background(), withInputs(e, floats(slices.Repeat([]float32{1}, n)...)), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range []float32{3001, 3} {
			if got := tensor.View[float32](out[i]); len(got) != n || got[n-1] != w {
				t.Errorf("output %d is %v, want %v", i, got, w)
			}
		}
	}
	p := e.plans.plans[len(e.plans.plans)-1]
	if got := len(p.bodies[2][0].plans); got != 1 {
		t.Errorf("%d plans of the body", got)
	}
}

func TestErrorInABody(t *testing.T) {
	b := newGB(nil)
	x := b.input("x", vec)
	n := b.nodes(testIf{}, "If", 1, x)
	then := newGB(b.g)
	then.output(then.node(funcOp{likeInput, func(*RunCtx) error { return errors.New("inside") }}, "Bad", then.sum(x)))
	n.Bodies = map[string]*Graph{"then": then.g, "else": then.g}
	b.output(n.Out[0])
	_, err := executable(t, b).Run(context.Background(), values{"x": floats(1)}, nil)
	var ne *NodeError
	if !errors.As(err, &ne) || ne.Op != "Bad" || !strings.Contains(err.Error(), "Sum_0:0 float32[1]") {
		t.Errorf("got %v", err)
	}
}

func TestBrokenGraphs(t *testing.T) {
	stray := &Value{Name: "stray"}
	for _, c := range []struct {
		name, want string
		make       func(b *gb, x *Value)
	}{
		{"nowhere", `value "stray" is computed nowhere`, func(b *gb, x *Value) { b.output(b.sum(x, stray)) }},
		{"later", `read before it is computed`, func(b *gb, x *Value) {
			n := b.nodes(testSum{}, "Sum", 1, x, nil)
			n.In[1] = b.sum(x)
			b.output(n.Out[0])
		}},
		{"body", `body "body" reads value "Sum_1:0" before it is computed`, func(b *gb, x *Value) {
			n := b.nodes(testLoop{1}, "Loop", 1, x)
			body := newGB(b.g)
			later := b.sum(x)
			body.output(body.sum(body.input("i", vec), later))
			n.Bodies = map[string]*Graph{"body": body.g}
			b.output(n.Out[0])
		}},
		{"output", `output "stray": value "stray" is computed nowhere`, func(b *gb, x *Value) { b.output(stray) }},
		{"operator", `Nil "Nil_0": the node has no operator`, func(b *gb, x *Value) { b.output(b.node(nil, "Nil", x)) }},
	} {
		b := newGB(nil)
		c.make(b, b.input("x", vec))
		if _, err := NewExecutable(b.g, ExecOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

func BenchmarkLoopIteration(b *testing.B) {
	e := executable(b, loopGraph(1000))
	in := values{"x": floats(1)}
	for b.Loop() {
		mustRun(b, e, in)
	}
}
