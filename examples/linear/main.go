// Linear answers, on the smallest case, what dynamic quantization does inside a linear layer: are the activations
// quantized, or are the weights turned back into floats?
//
// It builds a model with one Linear(10, 5) in memory, runs it in float32 and in int8, and prints every step of the int8
// layer.
//
//	go run ./examples/linear
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

const in, out = 10, 5

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	dir, err := os.MkdirTemp("", "linear")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "linear.onnx")
	model, err := linear()
	if err != nil {
		return err
	}
	if err := model.Save(path); err != nil {
		return err
	}
	x, err := tensor.Of([]float32{0.9, -0.4, 0.1, 0, 1.2, -1.1, 0.5, 0.25, -0.75, 0.3}, 1, in)
	if err != nil {
		return err
	}
	inputs := qrun.Tensors{"x": x}

	answers := map[qrun.Quantize][]float32{}
	for _, mode := range []qrun.Quantize{qrun.None, qrun.Dynamic} {
		s, err := qrun.Open(path, &qrun.Options{Quantize: mode})
		if err != nil {
			return err
		}
		result, err := s.Run(ctx, inputs)
		if err != nil {
			return err
		}
		if answers[mode], err = tensor.Data[float32](result["y"]); err != nil {
			return err
		}
		for _, d := range s.Report().Nodes {
			fmt.Fprintf(w, "%s %q becomes %s: weight %v, %d bytes -> %d bytes\n\n", d.Op, d.Node, d.Decision, d.WeightShape, d.BytesBefore, d.BytesAfter)
		}
	}
	_, err = qrun.TraceLayers(ctx, path, inputs, qrun.Row, nil, func(l qrun.LayerTrace) error { return show(w, l) })
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nfloat32 session   %s\nint8 session      %s\n", list(answers[qrun.None]), list(answers[qrun.Dynamic]))
	fmt.Fprintln(w, "\nSo the activations are quantized, at every call, and multiplied with int8 weights as integers.")
	fmt.Fprintln(w, "No weight is turned back into floats: only the five sums are.")
	return nil
}

// linear is a model with one layer y = x*Wᵀ + b, as PyTorch exports nn.Linear(10, 5).
func linear() (*onnx.Model, error) {
	weight := make([]float32, out*in)
	for i := range weight {
		weight[i] = float32(i*7%19-9) / 16
	}
	w, err := parameter("weight", weight, out, in)
	if err != nil {
		return nil, err
	}
	b, err := parameter("bias", []float32{0.5, -0.25, 0, 0.125, 1}, out)
	if err != nil {
		return nil, err
	}
	transposed := onnx.AttributeProto_INT
	return &onnx.Model{Proto: &onnx.ModelProto{
		IrVersion:   new(int64(8)),
		OpsetImport: []*onnx.OperatorSetIdProto{{Version: new(int64(17))}},
		Graph: &onnx.GraphProto{
			Name:        new("linear"),
			Input:       []*onnx.ValueInfoProto{onnx.NewValueInfo("x", tensor.Ranked(tensor.Float32, []tensor.Dim{{Name: "batch", Size: -1}, tensor.Fixed(in)}))},
			Output:      []*onnx.ValueInfoProto{onnx.NewValueInfo("y", tensor.Ranked(tensor.Float32, []tensor.Dim{{Name: "batch", Size: -1}, tensor.Fixed(out)}))},
			Initializer: []*onnx.TensorProto{w, b},
			Node: []*onnx.NodeProto{{
				Name: new("fc"), OpType: new("Gemm"), Input: []string{"x", "weight", "bias"}, Output: []string{"y"},
				Attribute: []*onnx.AttributeProto{{Name: new("transB"), Type: &transposed, I: new(int64(1))}},
			}},
		},
	}}, nil
}

func parameter(name string, data []float32, shape ...int) (*onnx.TensorProto, error) {
	t, err := tensor.Of(data, shape...)
	if err != nil {
		return nil, err
	}
	return onnx.NewTensorProto(name, t)
}
