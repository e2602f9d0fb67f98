package onnxgo_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/owulveryck/onnx-go"
	onnxbackend "github.com/owulveryck/onnx-go/backend"
	"gorgonia.org/tensor"

	"github.com/qrun-onnx/qrun"
	gorgonnx "github.com/qrun-onnx/qrun/backend/onnxgo"
	mt "github.com/qrun-onnx/qrun/internal/modeltest"
	"github.com/qrun-onnx/qrun/internal/onnxtest"
	qonnx "github.com/qrun-onnx/qrun/onnx"
	qtensor "github.com/qrun-onnx/qrun/tensor"
)

var (
	_ onnxbackend.ComputationBackend = (*gorgonnx.Graph)(nil)
	_ onnx.DataCarrier               = (*gorgonnx.Node)(nil)
	_ onnx.Namer                     = (*gorgonnx.Node)(nil)
)

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// decode puts a model into a new graph through onnx-go.
func decode(t *testing.T, data []byte, opts ...gorgonnx.Option) (*gorgonnx.Graph, *onnx.Model) {
	t.Helper()
	g := gorgonnx.NewGraph(opts...)
	m := onnx.NewModel(g)
	if err := m.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	return g, m
}

func set(t *testing.T, m *onnx.Model, inputs ...tensor.Tensor) {
	t.Helper()
	for i, in := range inputs {
		if err := m.SetInput(i, in); err != nil {
			t.Fatal(err)
		}
	}
}

// run runs the graph and returns its outputs.
func run(t *testing.T, g *gorgonnx.Graph, m *onnx.Model, inputs ...tensor.Tensor) []tensor.Tensor {
	t.Helper()
	set(t, m, inputs...)
	if err := g.Run(); err != nil {
		t.Fatal(err)
	}
	out, err := m.GetOutputTensors()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func f32(data []float32, shape ...int) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
}

func want[T comparable](t *testing.T, got tensor.Tensor, data []T, shape ...int) {
	t.Helper()
	if got == nil {
		t.Fatal("no tensor")
	}
	if !slices.Equal([]int(got.Shape()), shape) {
		t.Errorf("shape %v, want %v", got.Shape(), shape)
	}
	switch d := got.Data().(type) {
	case []T:
		if !slices.Equal(d, data) {
			t.Errorf("%v, want %v", d, data)
		}
	case T:
		if len(data) != 1 || d != data[0] {
			t.Errorf("%v, want %v", d, data)
		}
	default:
		t.Errorf("elements of type %T", d)
	}
}

// session runs the same file on a Session of its own.
func session(t *testing.T, data []byte, o *qrun.Options, in qrun.Tensors) qrun.Tensors {
	t.Helper()
	s, err := qrun.Load(data, o)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Run(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func digits(t *testing.T) (data []byte, pixels []float32) {
	npy := read(t, "../../models/digits/images.npy")
	x, err := qtensor.New(qtensor.Float32, 360, 64)
	if err != nil {
		t.Fatal(err)
	}
	copy(x.Bytes(), npy[len(npy)-len(x.Bytes()):])
	return read(t, "../../models/digits/mlp.onnx"), qtensor.View[float32](x)
}

func TestDigits(t *testing.T) {
	data, pixels := digits(t)
	for _, c := range []struct {
		name string
		o    qrun.Options
	}{{"float32", qrun.Options{}}, {"int8", qrun.Options{Quantize: qrun.Dynamic}}, {"fp16", qrun.Options{Quantize: qrun.FP16}}} {
		t.Run(c.name, func(t *testing.T) {
			g, m := decode(t, data, gorgonnx.WithQuantize(c.o.Quantize))
			for _, rows := range []int{1, 4, 360, 2} { // with another shape the session is compiled anew, once
				x := pixels[:rows*64]
				out := run(t, g, m, f32(x, rows, 64))
				ref := session(t, data, &c.o, qrun.Tensors{"image": mt.Tensor(x, rows, 64)})
				for _, r := range ref {
					want(t, out[0], qtensor.View[float32](r), r.Shape()...)
				}
			}
			if quantized := len(g.Session().Report().Nodes) > 0; quantized != (c.o.Quantize != "") {
				t.Errorf("quantized: %v", quantized)
			}
		})
	}
}

func TestSessionIsKept(t *testing.T) {
	data, pixels := digits(t)
	g, m := decode(t, data)
	var seen []*qrun.Session
	for _, rows := range []int{1, 1, 2, 3, 1} {
		run(t, g, m, f32(pixels[:rows*64], rows, 64))
		seen = append(seen, g.Session())
	}
	if seen[0] != seen[1] || seen[1] == seen[2] || seen[2] != seen[3] || seen[3] != seen[4] {
		t.Errorf("sessions %p", seen)
	}
}

func TestMNIST(t *testing.T) {
	dir, ok := onnxtest.Shared("models", "samples", "mnist_cntk")
	if !ok {
		t.Skip("no shared test material")
	}
	data := read(t, filepath.Join(dir, "model.onnx"))
	name, in, err := qonnx.ReadTensorFile(filepath.Join(dir, "test_data_set_0", "input_0.pb"), qtensor.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	g, m := decode(t, data)
	out := run(t, g, m, f32(qtensor.View[float32](in), in.Shape()...))
	for _, r := range session(t, data, nil, qrun.Tensors{name: in}) {
		want(t, out[0], qtensor.View[float32](r), r.Shape()...)
	}
	n, ok := m.GetNodeByName("Parameter5")
	if !ok {
		t.Fatal("no node Parameter5")
	}
	if err := n.(onnx.DataCarrier).SetTensor(f32([]float32{1}, 1)); err == nil || !strings.Contains(err.Error(), "is a weight of the model") {
		t.Errorf("setting a weight: %v", err)
	}
}
