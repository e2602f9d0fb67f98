package onnxgo_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/owulveryck/onnx-go"
	"gorgonia.org/tensor"

	gorgonnx "github.com/qrun-onnx/qrun/backend/onnxgo"
	mt "github.com/qrun-onnx/qrun/internal/modeltest"
	qtensor "github.com/qrun-onnx/qrun/tensor"
)

func model(t *testing.T, opset int, parts ...any) []byte {
	t.Helper()
	m := mt.Model(mt.Graph(parts...))
	m.Proto.OpsetImport = mt.Opsets("", opset)
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// typed is an output with the type that onnx-go wants it to have.
func typed(name string, s qtensor.Spec) []any {
	out := mt.Graph(mt.In(name, s))
	parts := mt.Out(name)
	mt.Graph(parts).Output[0].Type = out.Input[0].Type
	return parts
}

var row = mt.Spec(qtensor.Float32, "n", 2)

func TestGraphs(t *testing.T) {
	x := f32([]float32{1, -2, 3, -4}, 2, 2)
	for _, c := range []struct {
		name  string
		model []byte
		in    []tensor.Tensor
		want  [][]float32
	}{
		{"one value read twice", model(t, 13, mt.In("x", row), typed("y", row), mt.Node("Mul", "x x", "y")), []tensor.Tensor{x},
			[][]float32{{1, 4, 9, 16}}},
		{"order of operands", model(t, 13, mt.In("x", row), mt.In("z", row), typed("y", row), mt.Node("Sub", "z x", "y")),
			[]tensor.Tensor{x, f32([]float32{1, 1, 1, 1}, 2, 2)}, [][]float32{{0, 3, -2, 5}}},
		{"several outputs, one read again", model(t, 13, mt.In("x", row), typed("a", row), typed("b", row), mt.Node("Neg", "x", "a"),
			mt.Node("Relu", "a", "b")), []tensor.Tensor{x}, [][]float32{{-1, 2, -3, 4}, {0, 2, 0, 4}}},
		{"two outputs of a node", model(t, 12, mt.In("x", row), typed("a", row), typed("b", row),
			mt.Node("Split", "x", "a b", mt.At("axis", 0))), []tensor.Tensor{x}, [][]float32{{1, -2}, {3, -4}}},
		{"absent input", model(t, 13, mt.In("x", row), mt.Init("hi", []float32{2}), typed("y", row), mt.Node("Clip", "x _ hi", "y")),
			[]tensor.Tensor{x}, [][]float32{{1, -2, 2, -4}}},
		{"zeros as a weight", model(t, 13, mt.In("x", row), mt.Init("w", make([]float32, 2), 2), typed("y", row), mt.Node("Add", "x w", "y")),
			[]tensor.Tensor{x}, [][]float32{{1, -2, 3, -4}}},
		{"a weight that is listed as input", model(t, 13, mt.In("x", row), mt.In("w", mt.Spec(qtensor.Float32, 2)),
			mt.Init("w", []float32{1, 2}, 2), typed("y", row), mt.Node("Add", "x w", "y")), []tensor.Tensor{x}, [][]float32{{2, 0, 4, -2}}},
		{"types of intermediate values", model(t, 13, mt.In("x", row), mt.Hint("a", row), mt.Hint("y", row), mt.Init("w", []float32{1}, 1),
			typed("y", row), mt.Node("Neg", "x", "a"), mt.Node("Add", "a w", "y")), []tensor.Tensor{x}, [][]float32{{0, 3, -2, 5}}},
		{"node without inputs", model(t, 13, mt.In("x", row), typed("y", row), mt.Init("w", []float32{1}, 1),
			mt.Node("Constant@c", "", "c", mt.At("value", mt.Init("", []float32{5, 6}, 2))), mt.Node("Add", "x c", "a"), mt.Node("Add", "a w", "y")),
			[]tensor.Tensor{x}, [][]float32{{7, 5, 9, 3}}},
		{"old forms", model(t, 9, mt.In("x", row), typed("y", row), mt.Node("Clip", "x", "y", mt.At("min", float32(-1)), mt.At("max", float32(2)))),
			[]tensor.Tensor{x}, [][]float32{{1, -1, 2, -1}}},
		{"new forms", model(t, 20, mt.In("x", row), mt.Init("axes", []int64{1}, 1), typed("y", row),
			mt.Node("ReduceMax", "x axes", "y", mt.At("keepdims", 1))), []tensor.Tensor{x}, [][]float32{{1, 3}}},
		{"an output that is an input", model(t, 13, mt.In("x", row), typed("y", row), typed("x", row), mt.Node("Neg", "x", "y")),
			[]tensor.Tensor{x}, [][]float32{{-1, 2, -3, 4}, {1, -2, 3, -4}}},
		{"another domain", model(t, 13, mt.In("x", row), mt.Init("b", []float32{-1, 2}, 2), typed("y", row),
			mt.Node("com.microsoft:BiasGelu", "x b", "y")), []tensor.Tensor{f32([]float32{1, -2, 1, -2}, 2, 2)}, [][]float32{{0, 0, 0, 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, m := decode(t, c.model)
			out := run(t, g, m, c.in...)
			if len(out) != len(c.want) {
				t.Fatalf("%d outputs, want %d", len(out), len(c.want))
			}
			for i, w := range c.want {
				want(t, out[i], w, out[i].Shape()...)
			}
		})
	}
}

// A value that is no output of the model is computed when it is asked for.
func TestIntermediateValue(t *testing.T) {
	g, m := decode(t, model(t, 13, mt.In("x", row), typed("y", row), mt.Node("Neg", "x", "a"), mt.Node("Relu", "a", "y")))
	run(t, g, m, f32([]float32{1, -2}, 1, 2))
	n, ok := m.GetNodeByName("a")
	if !ok {
		t.Fatal("no node a")
	}
	want(t, n.(onnx.DataCarrier).GetTensor(), []float32{-1, 2}, 1, 2)
	run(t, g, m, f32([]float32{3, 4}, 1, 2))
	want(t, n.(onnx.DataCarrier).GetTensor(), []float32{-3, -4}, 1, 2)
}

// Softmax without an axis is along the last one of two dimensions in every opset; of three it depends.
func TestSoftmax(t *testing.T) {
	cube := mt.Spec(qtensor.Float32, 1, 2, 2)
	softmax := func(s qtensor.Spec, attrs ...string) []byte {
		n := mt.Node("Softmax", "x", "a")
		for _, a := range attrs {
			n.Attribute = append(n.Attribute, mt.At(a, -1))
		}
		return model(t, 13, mt.In("x", s), typed("y", s), n, mt.Node("Identity", "a", "y"))
	}
	zeros := func(shape ...int) tensor.Tensor {
		return tensor.New(tensor.WithShape(shape...), tensor.Of(tensor.Float32))
	}
	half, quarter := []float32{.5, .5, .5, .5}, []float32{.25, .25, .25, .25}
	g, m := decode(t, softmax(row))
	want(t, run(t, g, m, zeros(2, 2))[0], half, 2, 2)
	g, m = decode(t, softmax(cube, "axis"))
	want(t, run(t, g, m, zeros(1, 2, 2))[0], half, 1, 2, 2)
	g, m = decode(t, softmax(cube), gorgonnx.WithOpset(13))
	want(t, run(t, g, m, zeros(1, 2, 2))[0], half, 1, 2, 2)
	g, m = decode(t, softmax(cube), gorgonnx.WithOpset(12))
	want(t, run(t, g, m, zeros(1, 2, 2))[0], quarter, 1, 2, 2)
	g, m = decode(t, softmax(cube))
	set(t, m, zeros(1, 2, 2))
	if err := g.Run(); err == nil || !strings.Contains(err.Error(), `Softmax "a" of 3 dimensions along axis 1: say it by WithOpset`) {
		t.Errorf("doubtful Softmax: %v", err)
	}
}

func TestErrors(t *testing.T) {
	neg := model(t, 13, mt.In("x", row), typed("y", row), mt.Node("Neg", "x", "y"))
	x := f32([]float32{1, 2}, 1, 2)
	for _, c := range []struct {
		name, want string
		model      []byte
		opts       []gorgonnx.Option
		set        func(m *onnx.Model) error
	}{
		{"input not set", `input "x" (0) is not set`, neg, nil, nil},
		{"element type", `input "x" wants float32, got float64[2]`, neg, nil, func(m *onnx.Model) error {
			return m.SetInput(0, tensor.New(tensor.WithShape(2), tensor.Of(tensor.Float64)))
		}},
		{"setting an output", `"y" is computed by the model`, neg, nil, func(m *onnx.Model) error {
			n, _ := m.GetNodeByName("y")
			return n.(onnx.DataCarrier).SetTensor(x)
		}},
		{"nil", `tensor of "x" is nil`, neg, nil, func(m *onnx.Model) error { return m.SetInput(0, nil) }},
		{"masked", `input "x": a masked tensor`, neg, nil, func(m *onnx.Model) error {
			return m.SetInput(0, tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]float32{1, 2}, []bool{true, false})))
		}},
		{"unknown operator", "Neverheardof", model(t, 13, mt.In("x", row), typed("y", row), mt.Node("Neverheardof", "x", "y")), nil,
			func(m *onnx.Model) error { return m.SetInput(0, x) }},
		{"form of no opset", "WithOpset may know better", model(t, 13, mt.In("x", row), typed("y", row), mt.Node("Neg", "x x", "y")), nil,
			func(m *onnx.Model) error { return m.SetInput(0, x) }},
		{"opset that does not fit", "axis", model(t, 13, mt.In("x", row), typed("y", row), mt.Node("Neg", "x", "y", mt.At("axis", 1))),
			[]gorgonnx.Option{gorgonnx.WithOpset(13)}, func(m *onnx.Model) error { return m.SetInput(0, x) }},
		{"undeclared value", `reads "q", which is neither`, model(t, 13, mt.In("x", row), typed("y", row), mt.Node("Add", "x q", "y")), nil,
			func(m *onnx.Model) error { return m.SetInput(0, x) }},
		{"no elements", `output "y": float32[0 2] has no elements`, model(t, 13, mt.In("x", row), mt.Init("to", []int64{0}, 1), mt.Init("from", []int64{0}, 1),
			typed("y", row), mt.Node("Slice", "x from to", "y")), nil, func(m *onnx.Model) error { return m.SetInput(0, x) }},
		{"options", "quantize \"int3\"", neg, []gorgonnx.Option{gorgonnx.WithQuantize("int3")}, func(m *onnx.Model) error { return m.SetInput(0, x) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, m := decode(t, c.model, c.opts...)
			var err error
			if c.set != nil {
				err = c.set(m)
			}
			if err == nil {
				err = g.Run()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
	if err := gorgonnx.NewGraph().Run(); err == nil || !strings.Contains(err.Error(), "has no model") {
		t.Errorf("empty graph: %v", err)
	}
	g, m := decode(t, neg)
	set(t, m, x)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.RunContext(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	want(t, run(t, g, m, x)[0], []float32{-1, -2}, 1, 2)
}
