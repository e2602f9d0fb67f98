package qrun_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/tensor"
)

func ExampleSession_Run() {
	s, err := qrun.Open("models/digits/attention.onnx", &qrun.Options{Quantize: qrun.Dynamic})
	if err != nil {
		log.Fatal(err)
	}
	// A vertical line: 8 rows of 8 pixels.
	pixels := make([]float32, 64)
	for row := range 8 {
		pixels[8*row+3], pixels[8*row+4] = 1, 0.8
	}
	image, err := tensor.Of(pixels, 1, 64) // keeps the slice, copies nothing
	if err != nil {
		log.Fatal(err)
	}
	out, err := s.Run(context.Background(), qrun.Tensors{"image": image}) // from any number of goroutines
	if err != nil {
		log.Fatal(err)
	}
	logits, err := tensor.Data[float32](out["logits"])
	if err != nil {
		log.Fatal(err)
	}
	digit := 0
	for i, x := range logits {
		if x > logits[digit] {
			digit = i
		}
	}
	fmt.Println("a", digit)
	// Output: a 1
}

func ExampleSession_Report() {
	s, err := qrun.Open("models/digits/mlp.onnx", &qrun.Options{Quantize: qrun.Dynamic, Exclude: []string{"logits/*"}})
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range s.Report().Nodes {
		fmt.Printf("%s %s %v %d -> %d %q\n", d.Node, d.Decision, d.WeightShape, d.BytesBefore, d.BytesAfter, d.Reason)
	}
	done, kept := s.Report().Summary()
	fmt.Println(done, kept)
	// Output:
	// fc0/Gemm int8 [384 64] 98304 -> 26112 ""
	// fc1/Gemm int8 [256 384] 393216 -> 99328 ""
	// logits/Gemm float32 [10 256] 10240 -> 10240 "excluded"
	// [2 Gemm to int8, profile row   480.0 KiB -> 122.5 KiB] [1 Gemm: excluded]
}

// Errors say where they happened: which input does not fit, or which node of the model failed.
func ExampleSession_Run_errors() {
	s, err := qrun.Open("models/digits/mlp.onnx", nil)
	if err != nil {
		log.Fatal(err)
	}
	short, err := tensor.Of(make([]float32, 63), 1, 63)
	if err != nil {
		log.Fatal(err)
	}
	_, err = s.Run(context.Background(), qrun.Tensors{"image": short})
	var input *qrun.InputError
	if errors.As(err, &input) {
		fmt.Println(err)
	}
	_, err = s.Run(context.Background(), qrun.Tensors{"picture": short})
	fmt.Println(err)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	image, err := tensor.Of(make([]float32, 64), 1, 64)
	if err != nil {
		log.Fatal(err)
	}
	_, err = s.Run(ctx, qrun.Tensors{"image": image})
	var node *qrun.NodeError
	switch {
	case errors.As(err, &node):
		fmt.Println("failed in", node.Op, node.Node)
	case errors.Is(err, qrun.ErrUnsupported):
		fmt.Println("not implemented:", err)
	case errors.Is(err, context.Canceled):
		fmt.Println("nobody waits")
	}
	// Output:
	// input "image" wants float32[batch 64], got float32[1 63]
	// no input is named "picture" (there are: "image")
	// nobody waits
}

func ExampleOptions_logger() {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	if _, err := qrun.Open("models/digits/mlp.onnx", &qrun.Options{Quantize: qrun.Dynamic, Logger: log}); err != nil {
		log.Error(err.Error())
	}
	// Output:
	// level=INFO msg=quantize node=fc0/Gemm op=Gemm decision=int8 reason="" weight="[384 64]"
	// level=INFO msg=quantize node=fc1/Gemm op=Gemm decision=int8 reason="" weight="[256 384]"
	// level=INFO msg=quantize node=logits/Gemm op=Gemm decision=int8 reason="" weight="[10 256]"
}
