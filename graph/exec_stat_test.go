package graph

import (
	"context"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

// testPick is a look-up in a table of which it reads as much as it returns.
type testPick struct{}

func (testPick) Infer(c *InferCtx) error {
	dims, _ := c.Ints(1)
	c.Out(0, tensor.Ranked(tensor.Float32, dims))
	return nil
}

func (testPick) Run(c *RunCtx) error {
	copy(tensor.View[float32](c.Out[0]), tensor.View[float32](c.In[0]))
	return nil
}

func (testPick) ReadsPart() {}

func (testPick) Operations(in, out []tensor.Spec) int64 {
	return Elements(in[0]) + 100*Elements(out[0])
}

func TestNodeStatCounts(t *testing.T) {
	b := newGB(nil)
	x := b.input("x", vec)
	b.output(b.node(testPick{}, "Pick", b.input("table", vec), b.node(testShape{}, "Shape", x)))
	e := executable(t, b)
	found := false
	_, err := e.Run(context.Background(), values{"x": floats(1, 2, 3), "table": floats(make([]float32, 50)...)}, &RunOptions{OnNode: func(s NodeStat) {
		if s.Node.Type != "Pick" {
			return
		}
		found = true
		// 3 floats of the table, 3 floats of the result, the shape.
		if s.FLOPs != 50+300 || s.Bytes != 12+12+8 {
			t.Errorf("%d operations, %d bytes; in %v out %v", s.FLOPs, s.Bytes, s.In, s.Out)
		}
	}})
	if err != nil || !found {
		t.Fatal(err, found)
	}
}

func TestElements(t *testing.T) {
	for _, c := range []struct {
		s    tensor.Spec
		want int64
	}{
		{tensor.SpecOf(tensor.Float32, 2, 3), 6}, {tensor.SpecOf(tensor.Int8), 1}, {tensor.SpecOf(tensor.Int8, 4, 0), 0},
		{tensor.Spec{}, 0}, {tensor.Unranked(tensor.Float32), 0},
	} {
		if got := Elements(c.s); got != c.want {
			t.Errorf("%v has %d elements, want %d", c.s, got, c.want)
		}
	}
}
