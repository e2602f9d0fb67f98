package qrun_test

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/tensor"
)

func ExampleOpen() {
	s, err := qrun.Open("models/digits/mlp.onnx", nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, in := range s.Inputs() {
		fmt.Println("input ", in.Name, in.Spec)
	}
	for _, out := range s.Outputs() {
		fmt.Println("output", out.Name, out.Spec)
	}
	// Output:
	// input  image float32[batch 64]
	// output logits float32[batch 10]
}

func ExampleOpenFS() {
	s, err := qrun.OpenFS(os.DirFS("models"), "digits/mlp.onnx", &qrun.Options{Quantize: qrun.FP16})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Report().Mode)
	// Output: fp16
}

//go:embed models/digits/mlp.onnx
var embedded []byte

// A program that carries its model needs no file beside it.
func ExampleLoad() {
	s, err := qrun.Load(embedded, &qrun.Options{Quantize: qrun.Dynamic})
	if err != nil {
		log.Fatal(err)
	}
	image, err := tensor.Of(make([]float32, 64), 1, 64)
	if err != nil {
		log.Fatal(err)
	}
	out, err := s.Run(context.Background(), qrun.Tensors{"image": image})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out["logits"])
	// Output: float32[1 10]
}

// A model that cannot be loaded says everything that is wrong with it at once.
func ExampleLoad_errors() {
	_, err := qrun.Load([]byte("no model"), nil)
	fmt.Println(errors.Is(err, qrun.ErrFormat))
	_, err = qrun.Open("no/such/model.onnx", nil)
	fmt.Println(errors.Is(err, os.ErrNotExist))
	_, err = qrun.Open("models/digits/mlp.onnx", &qrun.Options{Quantize: qrun.Dynamic, Exclude: []string{"head*"}})
	fmt.Println(err)
	// Output:
	// true
	// true
	// exclude "head*" matches no node that could be quantized (there are: fc0/Gemm, fc1/Gemm, logits/Gemm)
}
