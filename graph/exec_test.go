package graph

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qrun-onnx/qrun/internal/hammer"
	"github.com/qrun-onnx/qrun/tensor"
)

var vec = tensor.Ranked(tensor.Float32, []tensor.Dim{{Name: "n", Size: -1}})

func floats(x ...float32) *tensor.Tensor {
	t, err := tensor.Of(x, len(x))
	if err != nil {
		panic(err)
	}
	return t
}

func executable(t testing.TB, b *gb) *Executable {
	t.Helper()
	e, err := NewExecutable(b.g, ExecOptions{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

type values = map[string]*tensor.Tensor

func mustRun(t testing.TB, e *Executable, in values) values {
	t.Helper()
	out, err := e.Run(context.Background(), in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// want checks the only output.
func want(t testing.TB, out values, x ...float32) {
	t.Helper()
	if len(out) != 1 {
		t.Fatalf("%d outputs", len(out))
	}
	for name, o := range out {
		if got := tensor.View[float32](o); !slices.Equal(got, x) {
			t.Fatalf("%s is %v, want %v", name, got, x)
		}
	}
}

func TestRunChain(t *testing.T) {
	b := newGB(nil)
	x, y := b.input("x", vec), b.input("y", vec)
	s := b.sum(x, y)
	s = b.node(testScale{}, "Scale", s, constant("two", float32(2)))
	s = b.node(testSum{inPlace: true}, "Sum", s, x)
	b.output(b.sum(s, s))
	e := executable(t, b)
	for range 3 {
		want(t, mustRun(t, e, values{"x": floats(1, 2), "y": floats(10, 20)}), 46, 92)
		want(t, mustRun(t, e, values{"x": floats(1), "y": floats(1)}), 10)
	}
}

func TestViewsShareAndOutputsDoNot(t *testing.T) {
	b := newGB(nil)
	x := b.input("x", vec)
	shape := constant("shape", int64(2), 2)
	w := constant("w", float32(1), 2, 3, 4)
	xv := b.node(testReshape{}, "Reshape", x, shape)           // of an input
	s := b.sum(x, w)                                           // is an output
	sv := b.node(testReshape{}, "Reshape", s, shape)           // of an output
	wv := b.node(testReshape{}, "Reshape", w, shape)           // of a constant
	av := b.node(testReshape{}, "Reshape", b.sum(s, x), shape) // of arena memory
	b.output(x, xv, s, sv, w, wv, b.sum(xv, sv, wv, av), av)
	e := executable(t, b)
	for range 2 {
		in := floats(1, 1, 1, 1)
		out, err := e.run(context.Background(), withInputs(e, in), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := tensor.View[float32](out[6]); !slices.Equal(got, []float32{7, 10, 13, 16}) {
			t.Fatalf("got %v", got)
		}
		for i, o := range out {
			if o.Overlaps(in) || o.Overlaps(w.Const) || slices.ContainsFunc(out[:i], o.Overlaps) {
				t.Errorf("output %d shares memory", i)
			}
			if wantShape := []int{4}; i%2 == 1 && o.Rank() != 2 || i%2 == 0 && i < 6 && !slices.Equal(o.Shape(), wantShape) {
				t.Errorf("output %d has shape %v", i, o.Shape())
			}
			if o.Bytes() == nil {
				t.Errorf("output %d was let go of", i)
			}
		}
	}
}

func withInputs(e *Executable, in ...*tensor.Tensor) *runState {
	rs := e.acquire()
	copy(rs.in, in)
	return rs
}

func TestShapeArithmeticIsDoneOnce(t *testing.T) {
	b := newGB(nil)
	x := b.input("x", vec)
	ran := 0
	shape := b.node(funcOp{
		func(c *InferCtx) error { return testShape{}.Infer(c) },
		func(c *RunCtx) error { ran++; return testShape{}.Run(c) },
	}, "Shape", x)
	b.output(b.sum(x, b.node(testFill{3}, "Fill", shape)))
	e := executable(t, b)
	for range 3 {
		want(t, mustRun(t, e, values{"x": floats(1, 2, 3)}), 4, 5, 6)
	}
	if ran != 0 {
		t.Errorf("the shape was computed %d times", ran)
	}
	if n := len(e.plans.plans); n != 1 {
		t.Errorf("%d plans", n)
	}
}

func TestDataDependentShapes(t *testing.T) {
	b := newGB(nil)
	x := b.input("x", vec)
	pos := b.nodes(testPositive{}, "Positive", 2, b.sum(x, x))
	y := b.node(testFill{10}, "Fill", pos.Out[1]) // contents decide its shape
	y = b.sum(y, pos.Out[0])
	y = b.node(testReshape{}, "Reshape", y, pos.Out[1])
	y = b.node(testPass{}, "Pass", y)
	b.output(b.sum(y, y))
	e := executable(t, b)
	for range 2 {
		want(t, mustRun(t, e, values{"x": floats(-1, 2, -3, 4)}), 28, 36)
		want(t, mustRun(t, e, values{"x": floats(-1, -2, 3, -4)}), 32)
		want(t, mustRun(t, e, values{"x": floats(-1, -2, -3, -4)}))
	}
	if n := len(e.plans.plans); n != 1 {
		t.Errorf("%d plans: contents must not count", n)
	}
}

func TestPassedOnMemoryStaysAlive(t *testing.T) {
	b := newGB(nil)
	x := b.input("x", vec)
	a := b.sum(x, x)
	seq := b.node(testSeq{}, "Seq", a, x) // holds arena memory and the caller's
	c := b.sum(x, x, x)                   // would be a's memory
	d := b.sum(c, c)
	seq = b.node(testPass{}, "Pass", seq)
	b.output(seq, d)
	e := executable(t, b)
	in := floats(1, 2)
	out := mustRun(t, e, values{"x": in})
	mustRun(t, e, values{"x": floats(7, 7)})
	elems := out["Pass_4:0"].Elems()
	if len(elems) != 2 || !slices.Equal(tensor.View[float32](elems[0]), []float32{2, 4}) || !slices.Equal(tensor.View[float32](elems[1]), []float32{1, 2}) {
		t.Fatalf("sequence %v", elems)
	}
	if elems[1].Overlaps(in) {
		t.Error("an output shares memory with an input")
	}
}

func TestPrepackReleasesConstants(t *testing.T) {
	b := newGB(nil)
	x := b.input("x", vec)
	only, shared := constant("only", float32(2)), constant("shared", float32(3))
	y := b.node(testScale{}, "Scale", x, only)
	y = b.node(testScale{}, "Scale", y, shared)
	body := newGB(b.g)
	body.output(body.node(testScale{}, "Scale", body.sum(y, y), only))
	other := newGB(b.g)
	other.output(other.sum(y, shared))
	n := b.nodes(testIf{}, "If", 1, x)
	n.Bodies = map[string]*Graph{"then": body.g, "else": other.g}
	b.output(n.Out[0])
	e := executable(t, b)
	if only.Const != nil || shared.Const == nil || only.Spec.String() != "float32[1]" {
		t.Errorf("constants %v %v, spec %v", only.Const, shared.Const, only.Spec)
	}
	if n := e.WeightBytes(); n != 3*4+4 {
		t.Errorf("%d bytes of weights", n)
	}
	want(t, mustRun(t, e, values{"x": floats(1)}), 24)
	want(t, mustRun(t, e, values{"x": floats(-1)}), -3)
}

func TestOnNodeAndWatch(t *testing.T) {
	b := newGB(nil)
	x := b.input("x", vec)
	y := b.node(testReshape{}, "Reshape", x, constant("shape", int64(2), 1))
	y = b.node(testScale{}, "Scale", y, constant("two", float32(2)))
	y = b.node(testSum{inPlace: true}, "Sum", y, y)
	y = b.node(testSum{inPlace: true}, "Sum", y, b.node(testFill{1}, "Fill", b.node(testShape{}, "Shape", y)))
	b.output(y)
	e := executable(t, b)
	var ran []string
	_, err := e.Run(context.Background(), values{"x": floats(1, 2)}, &RunOptions{OnNode: func(s NodeStat) {
		ran = append(ran, s.Node.Type+" "+s.Kernel+" "+s.Out[0].String())
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(ran, ", "); got != "Scale test/scale float32[2 1], Sum  float32[2 1], Sum  float32[2 1]" &&
		got != "Scale test/scale float32[2 1], Sum  float32[2 1], Fill  float32[2 1], Sum  float32[2 1]" {
		t.Errorf("ran %s", got)
	}
	seen := map[string]*tensor.Tensor{}
	out, err := e.Run(context.Background(), values{"x": floats(1, 2)}, &RunOptions{Watch: func(n *Node, in, out []*tensor.Tensor) {
		seen[n.Name] = out[0]
	}})
	if err != nil {
		t.Fatal(err)
	}
	want(t, out, 5, 9)
	for name, x := range map[string][]float32{"Reshape_0": {1, 2}, "Scale_1": {2, 4}, "Sum_2": {4, 8}, "Fill_4": {1, 1}, "Sum_5": {5, 9}} {
		if seen[name] == nil || !slices.Equal(tensor.View[float32](seen[name]), x) {
			t.Errorf("%s: saw %v", name, seen[name])
		}
	}
	if s := seen["Shape_3"]; s == nil || !slices.Equal(tensor.View[int64](s), []int64{2, 1}) {
		t.Errorf("Shape_3: saw %v", s)
	}
}

func TestWarmRunAllocatesOutputsOnly(t *testing.T) {
	b := newGB(nil)
	x := b.input("x", tensor.SpecOf(tensor.Float32, 1024))
	y := b.node(testReshape{}, "Reshape", x, constant("shape", int64(32), 32))
	for range 20 {
		y = b.node(testScale{}, "Scale", b.sum(y, y), constant("half", float32(0.5)))
	}
	b.output(b.node(testReshape{}, "Reshape", y, constant("flat", int64(1024))))
	e := executable(t, b)
	data := make([]float32, 1024)
	in := values{"x": floats(data...)}
	mustRun(t, e, in)
	n := testing.AllocsPerRun(100, func() { mustRun(t, e, in) })
	// The tensor, its shape, its elements; the header and shape of its view; the slice and the map of the outputs.
	if n > 9 {
		t.Errorf("%v allocations", n)
	}
	if e.ArenaBytes() == 0 || e.ArenaBytes() > 4*4096 {
		t.Errorf("an arena of %d bytes", e.ArenaBytes())
	}
}

func TestRunNode(t *testing.T) {
	b := newGB(nil)
	x, z := b.input("x", vec), b.input("z", vec)
	y := b.node(testScale{}, "Scale", b.sum(x, z), constant("two", float32(2)))
	b.output(b.node(testReshape{}, "Reshape", y, constant("shape", int64(2))))
	e := executable(t, b)
	for i, in := range [][]*tensor.Tensor{{floats(1, 2), floats(3, 4)}, {floats(2, 3), nil}, {floats(4, 6), e.Graph().Nodes[2].In[1].Const}} {
		out, err := e.RunNode(context.Background(), e.Graph().Nodes[i], in)
		if err != nil {
			t.Fatal(err)
		}
		if got := tensor.View[float32](out[0]); !slices.Equal(got, []float32{4, 6}) {
			t.Errorf("node %d gives %v", i, got)
		}
	}
	if _, err := e.RunNode(context.Background(), e.Graph().Nodes[0], []*tensor.Tensor{floats(1, 2), floats(3)}); err == nil ||
		!strings.Contains(err.Error(), "cannot add float32[2] and float32[1]") {
		t.Errorf("got %v", err)
	}
	if _, err := e.RunNode(context.Background(), &Node{}, nil); err == nil {
		t.Error("a foreign node ran")
	}
}

func TestConcurrentRuns(t *testing.T) {
	two := []*Executable{executable(t, ifGraph(2, false)), executable(t, loopGraph(20))}
	err := hammer.Run(8, 60, func(_, run int) ([]byte, error) {
		e := two[run%2]
		n := 2
		if run%2 == 1 {
			n += run % 7 * 100
		}
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(i%5 - run%3)
		}
		out, err := e.Run(context.Background(), values{"x": floats(x...)}, nil)
		if err != nil {
			return nil, err
		}
		var all []byte
		for _, v := range e.Graph().Outputs {
			all = append(all, out[v.Name].Bytes()...)
		}
		return all, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range two {
		if n := len(e.free); n > runtime.GOMAXPROCS(0) {
			t.Errorf("%d run states are kept", n)
		}
	}
}

func TestNoGoroutineStays(t *testing.T) {
	b := newGB(nil)
	x := b.input("x", vec)
	b.output(b.sum(x, x))
	before := runtime.NumGoroutine()
	e := executable(t, b)
	for range 20 {
		mustRun(t, e, values{"x": floats(make([]float32, 10000)...)})
	}
	for i := 0; runtime.NumGoroutine() > before; i++ {
		if i == 1000 {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
}
