// Embed is a program that carries its model: one file to copy, nothing to install. Package digits embeds the model, and
// qrun.Load takes the bytes where they are.
//
//	CGO_ENABLED=0 go build ./examples/embed && ./embed
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/models/digits"
	"github.com/qrun-onnx/qrun/tensor"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	s, err := qrun.Load(digits.Attention(), &qrun.Options{Quantize: qrun.Dynamic})
	if err != nil {
		return err
	}
	images, err := digits.Images()
	if err != nil {
		return err
	}
	labels, err := digits.Labels()
	if err != nil {
		return err
	}
	out, err := s.Run(ctx, qrun.Tensors{"image": images})
	if err != nil {
		return err
	}
	logits, err := tensor.Data[float32](out["logits"])
	if err != nil {
		return err
	}
	draw(w, tensor.View[float32](images)[:64])
	right := 0
	for i, label := range labels {
		if largest(logits[10*i:10*i+10]) == int(label) {
			right++
		}
	}
	fmt.Fprintf(w, "this is a %d\n", largest(logits[:10]))
	fmt.Fprintf(w, "right on %.0f %% of %d images\n", 100*float64(right)/float64(len(labels)), len(labels))
	return nil
}

func largest(scores []float32) int {
	at := 0
	for i, s := range scores {
		if s > scores[at] {
			at = i
		}
	}
	return at
}

func draw(w io.Writer, pixels []float32) {
	for i, p := range pixels {
		fmt.Fprint(w, []string{"  ", "░░", "▒▒", "██"}[min(int(4*p), 3)])
		if i%8 == 7 {
			fmt.Fprintln(w, "|")
		}
	}
}
