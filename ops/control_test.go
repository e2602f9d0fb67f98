package ops

import (
	"context"
	"testing"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// body starts the graph of a body with inputs that know nothing but their rank of 0 or more.
func body(t *testing.T, outer *chain, inputs ...string) *chain {
	b := newChain(t, outer)
	for _, name := range inputs {
		v := &graph.Value{Name: name}
		b.vals[name], b.g.Inputs = v, append(b.g.Inputs, v)
	}
	return b
}

func TestIf(t *testing.T) {
	c := newChain(t, nil)
	c.input("cond", tensor.Bool, "")
	c.input("x", tensor.Float32, "n 3")
	yes := body(t, c)
	yes.node("Add", 14, nil, "x x", "a", nil)
	yes.node("Identity", 14, nil, "x", "b", nil)
	yes.outputs("a b")
	no := body(t, c)
	no.constant("first", indices(t, 0))
	no.node("Gather", 13, nil, "x first", "a2", nil)
	no.node("Neg", 13, nil, "x", "b2", nil)
	no.outputs("a2 b2")
	c.node("If", 16, nil, "cond", "y z", map[string]*graph.Graph{"then_branch": yes.g, "else_branch": no.g})
	c.outputs("y z")
	c.infer()
	c.wantSpec("y", "float32[? 3]")
	c.wantSpec("z", "float32[n 3]")
	x := of(t, []float32{1, 2, 3, 4, 5, 6}, 2, 3)
	out := c.run(map[string]*tensor.Tensor{"cond": of(t, []bool{true}), "x": x})
	wantTensor(t, out["y"], of(t, []float32{2, 4, 6, 8, 10, 12}, 2, 3))
	wantTensor(t, out["z"], x)
	out = c.run(map[string]*tensor.Tensor{"cond": of(t, []bool{false}), "x": x})
	wantTensor(t, out["y"], of(t, []float32{1, 2, 3}, 1, 3))
	wantTensor(t, out["z"], of(t, []float32{-1, -2, -3, -4, -5, -6}, 2, 3))
}

// sums makes a Loop that adds its iteration to a sum, stacks the sums, and goes on while the sum is below 6.
func sums(t *testing.T) *chain {
	c := newChain(t, nil)
	c.input("m", tensor.Int64, "")
	c.input("start", tensor.Int64, "1")
	c.constant("go", of(t, []bool{true}))
	c.constant("limit", of(t, []int64{6}))
	b := body(t, c, "i", "cond", "s")
	b.node("Add", 14, nil, "s i", "s2", nil)
	b.node("ReduceSum", 13, attrs{"keepdims": 0}, "s2", "total", nil)
	b.node("Less", 13, nil, "total limit", "more", nil)
	b.outputs("more s2 s2")
	c.node("Loop", 16, nil, "m go start", "last all", map[string]*graph.Graph{"body": b.g})
	c.outputs("last all")
	return c
}

func TestLoop(t *testing.T) {
	c := sums(t)
	c.infer()
	c.wantSpec("last", "int64[1]")
	c.wantSpec("all", "int64[? 1]")
	for _, r := range []struct {
		m, start int64
		all      []int64
	}{
		{100, 0, []int64{0, 1, 3, 6}}, // until the condition fails
		{3, 0, []int64{0, 1, 3}},      // as often as asked
		{100, 7, []int64{7}},
		{0, 5, nil},
		{-1, 5, nil},
	} {
		out := c.run(map[string]*tensor.Tensor{"m": of(t, []int64{r.m}), "start": indices(t, r.start)})
		last := r.start
		if n := len(r.all); n > 0 {
			last = r.all[n-1]
		}
		wantTensor(t, out["last"], indices(t, last))
		wantTensor(t, out["all"], of(t, r.all, len(r.all), 1))
	}
}

// A carried value that grows has no fixed shape.
func TestLoopGrowingState(t *testing.T) {
	c := newChain(t, nil)
	c.input("x", tensor.Float32, "1")
	c.constant("m", of(t, []int64{3}))
	b := body(t, c, "i", "cond", "s")
	b.node("Concat", 13, attrs{"axis": 0}, "s x", "s2", nil)
	b.node("Identity", 14, nil, "cond", "more", nil)
	b.outputs("more s2")
	c.node("Loop", 13, nil, "m - x", "y", map[string]*graph.Graph{"body": b.g})
	c.outputs("y")
	c.infer()
	c.wantSpec("y", "float32[?]")
	out := c.run(map[string]*tensor.Tensor{"x": of(t, []float32{2}, 1)})
	wantTensor(t, out["y"], of(t, []float32{2, 2, 2, 2}))
}

func TestLoopStopsWithItsContext(t *testing.T) {
	c := newChain(t, nil)
	c.input("x", tensor.Float32, "1")
	b := body(t, c, "i", "cond", "s")
	b.node("Identity", 14, nil, "s", "s2", nil)
	b.node("Identity", 14, nil, "cond", "more", nil)
	b.outputs("more s2")
	c.constant("go", of(t, []bool{true}))
	c.node("Loop", 13, nil, "- go x", "y", map[string]*graph.Graph{"body": b.g})
	c.outputs("y")
	c.infer()
	e, err := graph.NewExecutable(c.g, graph.ExecOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if _, err := e.Run(ctx, map[string]*tensor.Tensor{"x": ramp(t, 1)}, nil); err != context.Canceled {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestScan(t *testing.T) {
	c := newChain(t, nil)
	c.input("s", tensor.Float32, "2")
	c.input("x", tensor.Float32, "2 T")
	c.input("y", tensor.Float32, "T 2")
	b := body(t, c, "s0", "x0", "y0")
	b.node("Add", 14, nil, "s0 x0", "s1", nil)
	b.node("Mul", 14, nil, "s1 y0", "z0", nil)
	b.outputs("s1 z0")
	c.node("Scan", 11, attrs{"num_scan_inputs": 2, "scan_input_axes": []int{-1, 0}, "scan_input_directions": []int{0, 1},
		"scan_output_axes": []int{1}, "scan_output_directions": []int{1}}, "s x y", "last z", map[string]*graph.Graph{"body": b.g})
	c.outputs("last z")
	c.infer()
	c.wantSpec("last", "float32[2]")
	c.wantSpec("z", "float32[2 T]")
	out := c.run(map[string]*tensor.Tensor{
		"s": of(t, []float32{0, 10}),
		"x": of(t, []float32{1, 2, 3, 4, 5, 6}, 2, 3),
		"y": of(t, []float32{1, 1, 10, 10, 100, 100}, 3, 2),
	})
	// states [1 14] [3 19] [6 25], times y backwards, stored backwards
	wantTensor(t, out["last"], of(t, []float32{6, 25}))
	wantTensor(t, out["z"], of(t, []float32{6, 30, 100, 25, 190, 1400}, 2, 3))
	out = c.run(map[string]*tensor.Tensor{"s": of(t, []float32{1, 2}), "x": ramp(t, 2, 0), "y": ramp(t, 0, 2)})
	wantTensor(t, out["last"], of(t, []float32{1, 2}))
	wantTensor(t, out["z"], ramp(t, 2, 0))
}

// Version 8 has a batch, and lengths that leave zeros behind.
func TestScan8(t *testing.T) {
	c := newChain(t, nil)
	c.input("n", tensor.Int64, "2")
	c.input("s", tensor.Float32, "2 1")
	c.input("x", tensor.Float32, "2 3 1")
	b := body(t, c, "s0", "x0")
	b.node("Add", 7, nil, "s0 x0", "s1", nil)
	b.node("Identity", 1, nil, "s1", "z0", nil)
	b.outputs("s1 z0")
	c.node("Scan", 8, attrs{"num_scan_inputs": 1}, "n s x", "last z", map[string]*graph.Graph{"body": b.g})
	c.outputs("last z")
	out := c.run(map[string]*tensor.Tensor{"n": indices(t, 2, 3), "s": of(t, []float32{0, 10}, 2, 1), "x": of(t, []float32{1, 2, 3, 4, 5, 6}, 2, 3, 1)})
	wantTensor(t, out["last"], of(t, []float32{3, 25}, 2, 1))
	wantTensor(t, out["z"], of(t, []float32{1, 3, 0, 14, 19, 25}, 2, 3, 1))
}
