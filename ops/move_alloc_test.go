package ops

import (
	"math"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// allocations counts those of a warm run of Neg(x), with op between when it is not "".
func allocations(t *testing.T, op string, opset int, at attrs, outs int, in ...*tensor.Tensor) uint64 {
	t.Helper()
	c := newChain(t, nil)
	names := []string{}
	feeds := map[string]*tensor.Tensor{}
	for i, x := range in {
		name := string(rune('a' + i))
		switch {
		case x == nil:
			name = "-"
		case i == 0:
			v := &graph.Value{Name: name, Spec: x.Spec()}
			c.vals[name], c.g.Inputs = v, append(c.g.Inputs, v)
			feeds[name] = x
		default:
			c.constant(name, x)
		}
		names = append(names, name)
	}
	c.node("Neg", 13, nil, "a", "n", nil)
	names[0] = "n"
	results := strings.Fields("p q r")[:outs]
	if op != "" {
		c.node(op, opset, at, strings.Join(names, " "), strings.Join(results, " "), nil)
		for i, r := range results {
			c.node("Neg", 13, nil, r, strings.Fields("u v w")[i], nil)
		}
		c.outputs(strings.Join(strings.Fields("u v w")[:outs], " "))
	} else {
		for i := range results {
			c.node("Neg", 13, nil, "n", strings.Fields("u v w")[i], nil)
		}
		c.outputs(strings.Join(strings.Fields("u v w")[:outs], " "))
	}
	c.infer()
	e, err := graph.NewExecutable(c.g, graph.ExecOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	var before, after runtime.MemStats
	least := uint64(math.MaxUint64) // the test's own goroutines may allocate in between
	for range 6 {
		runtime.ReadMemStats(&before)
		if _, err := e.Run(t.Context(), feeds, nil); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		least = min(least, after.Mallocs-before.Mallocs)
	}
	return least
}

// A warm run of the operators that models are full of allocates its outputs and nothing else.
func TestMovesAllocateNothing(t *testing.T) {
	x := ramp(t, 2, 3, 8, 8)
	for _, c := range []struct {
		op    string
		opset int
		at    attrs
		outs  int
		in    []*tensor.Tensor
	}{
		{"Transpose", 13, attrs{"perm": []int{0, 2, 3, 1}}, 1, nil},
		{"Reshape", 14, nil, 1, []*tensor.Tensor{indices(t, 2, -1)}},
		{"Unsqueeze", 13, nil, 1, []*tensor.Tensor{indices(t, 1)}},
		{"Concat", 13, attrs{"axis": 1}, 1, []*tensor.Tensor{x}},
		{"Split", 13, attrs{"axis": -1}, 2, nil},
		{"Split", 18, attrs{"axis": -1, "num_outputs": 3}, 3, nil},
		{"Slice", 13, nil, 1, []*tensor.Tensor{indices(t, 1), indices(t, 7), indices(t, 2), indices(t, 2)}},
		{"Gather", 13, attrs{"axis": 2}, 1, []*tensor.Tensor{indices(t, 1, 0)}},
		{"Gather", 13, attrs{"axis": 2}, 1, []*tensor.Tensor{of(t, []int32{1, 0})}},
		{"Expand", 13, nil, 1, []*tensor.Tensor{indices(t, 2, 2, 3, 8, 8)}},
		{"Tile", 13, nil, 1, []*tensor.Tensor{indices(t, 1, 2, 1, 2)}},
		{"Pad", 13, nil, 1, []*tensor.Tensor{indices(t, 0, 0, 1, 1, 0, 0, 1, 1)}},
		{"DepthToSpace", 13, attrs{"blocksize": 1}, 1, nil},
		{"ScatterND", 13, nil, 1, []*tensor.Tensor{of(t, []int64{1, 2}, 1, 2), ramp(t, 1, 8, 8)}},
		{"GatherND", 13, nil, 1, []*tensor.Tensor{of(t, []int64{1, 2}, 1, 2)}},
		{"Resize", 13, attrs{"mode": "linear"}, 1, []*tensor.Tensor{nil, scales(t, 1, 1, 2, 2)}},
		{"Resize", 13, nil, 1, []*tensor.Tensor{nil, scales(t, 1, 1, 2, 2)}},
	} {
		in := append([]*tensor.Tensor{x}, c.in...)
		base := allocations(t, "", 0, nil, c.outs, x)
		if got := allocations(t, c.op, c.opset, c.at, c.outs, in...); got > base {
			t.Errorf("%s-%d: %d allocations more than without it", c.op, c.opset, got-base)
		}
	}
}
