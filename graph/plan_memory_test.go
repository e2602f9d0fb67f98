package graph

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/qrun-onnx/qrun/tensor"
)

// randomGraph draws a graph over vectors of one length: sums (some in place), views, values that operators make
// themselves, bodies, constants and shape arithmetic, with several outputs.
func randomGraph(t *rapid.T, outer *Graph, around []*Value, depth int) *gb {
	b := newGB(outer)
	vals := slices.Clone(around)
	if outer == nil {
		vals = append(vals, b.input("x", vec), b.input("y", vec))
	}
	pick := func() *Value { return rapid.SampledFrom(vals).Draw(t, "value") }
	for range rapid.IntRange(1, 12).Draw(t, "nodes") {
		var v *Value
		switch rapid.IntRange(0, 7).Draw(t, "op") {
		case 0, 1, 2:
			v = b.node(testSum{inPlace: rapid.Bool().Draw(t, "in place")}, "Sum", pick(), pick())
		case 3:
			v = b.node(testReshape{}, "Reshape", pick(), constant("shape", int64(4)))
		case 4:
			v = b.node(testPass{}, "Pass", pick())
		case 5:
			v = b.node(testReshape{}, "Reshape", pick(), b.node(testShape{}, "Shape", pick()))
		case 6:
			v = b.sum(pick(), constant("c", float32(1), 2, 3, 4))
		case 7:
			if depth == 0 {
				continue
			}
			n := b.nodes(testIf{rapid.Bool().Draw(t, "infer")}, "If", 1, pick())
			n.Bodies = map[string]*Graph{"then": randomGraph(t, b.g, vals, depth-1).g, "else": randomGraph(t, b.g, vals, depth-1).g}
			v = n.Out[0]
		}
		vals = append(vals, v)
	}
	outs := 1
	if outer == nil {
		outs = rapid.IntRange(1, 3).Draw(t, "outputs")
	}
	for range outs {
		b.output(pick())
	}
	return b
}

// checkPlan tells which two values of the arena live at the same time in the same place.
func checkPlan(p *plan) error {
	for a := range p.values {
		va := &p.values[a]
		if va.store != storeArena || va.root != a {
			continue
		}
		if va.off%arenaAlign != 0 || va.off+va.size > p.arena {
			return fmt.Errorf("value %d at %d of %d bytes", a, va.off, p.arena)
		}
		for b := range a {
			vb := &p.values[b]
			if vb.store != storeArena || vb.root != b || va.last < vb.first || vb.last < va.first {
				continue
			}
			if va.off < vb.off+vb.size && vb.off < va.off+va.size {
				return fmt.Errorf("values %d (%d..%d) and %d (%d..%d) share bytes", a, va.first, va.last, b, vb.first, vb.last)
			}
		}
	}
	for _, caches := range p.bodies {
		for _, c := range caches {
			for _, body := range c.plans {
				if err := checkPlan(body); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func TestPlanGivesWhatTheHeapGives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, err := NewExecutable(randomGraph(t, nil, nil, 2).g, ExecOptions{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		x, y := floats(1, 2, 3, 4), floats(rapid.SampledFrom([]float32{-5, 5}).Draw(t, "y"), 7, 11, 13)
		heap, err := e.run(context.Background(), withInputs(e, x, y), &RunOptions{Watch: func(*Node, []*tensor.Tensor, []*tensor.Tensor) {}})
		if err != nil {
			t.Fatal(err)
		}
		first, err := e.run(context.Background(), withInputs(e, x, y), nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := e.run(context.Background(), withInputs(e, y, x), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(tensor.View[float32](x), []float32{1, 2, 3, 4}) {
			t.Fatalf("an input was written: %v", tensor.View[float32](x))
		}
		for i, o := range first {
			if h := heap[i]; !slices.Equal(tensor.View[float32](o), tensor.View[float32](h)) || o.String() != h.String() {
				t.Fatalf("output %d is %v%v, on the heap %v%v", i, o, tensor.View[float32](o), h, tensor.View[float32](h))
			}
			same := func(other *tensor.Tensor) bool { return other.Overlaps(o) }
			if same(x) || same(y) || slices.ContainsFunc(again, same) || slices.ContainsFunc(first[:i], same) {
				t.Fatalf("output %d shares memory", i)
			}
		}
		for _, p := range e.plans.plans {
			if err := checkPlan(p); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestArenaOfAChainHoldsTwoValues(t *testing.T) {
	for _, inPlace := range []bool{false, true} {
		b := newGB(nil)
		v := b.input("x", tensor.SpecOf(tensor.Float32, 1024))
		for range 30 {
			v = b.node(testSum{inPlace}, "Sum", v)
		}
		b.output(v)
		e := executable(t, b)
		mustRun(t, e, values{"x": floats(make([]float32, 1024)...)})
		want := int64(2 * 4096)
		if inPlace {
			want = 4096
		}
		if got := e.ArenaBytes(); got != want {
			t.Errorf("in place %v: %d bytes, want %d", inPlace, got, want)
		}
	}
}

func TestPlanCacheKeepsThoseUsedLast(t *testing.T) {
	b := newGB(nil)
	x := b.input("x", vec)
	b.output(b.sum(x, x))
	e := executable(t, b)
	for n := range 2 * maxPlans {
		mustRun(t, e, values{"x": floats(make([]float32, n)...)})
		if e.plans.find([]*tensor.Tensor{floats()}, nil) == nil {
			t.Fatalf("a plan was dropped that is used all the time")
		}
	}
	if n := len(e.plans.plans); n != maxPlans {
		t.Errorf("%d plans, want %d", n, maxPlans)
	}
	if e.plans.find([]*tensor.Tensor{floats(1)}, nil) != nil {
		t.Error("the oldest plan was kept")
	}
}
