// Batch shows that an answer does not depend on what else is in the batch: every image is classified alone and together
// with all others, and the bytes of the answers are compared. In profile row they are equal. With one scale per tensor,
// as in profile onnx, every image changes the scale of the others.
//
//	go run ./examples/batch
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"slices"

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
	images, err := digits.Images()
	if err != nil {
		return err
	}
	for _, profile := range []qrun.Profile{qrun.Row, qrun.ONNX} {
		s, err := qrun.Load(digits.MLP(), &qrun.Options{Quantize: qrun.Dynamic, Profile: profile})
		if err != nil {
			return err
		}
		together, err := logits(ctx, s, images)
		if err != nil {
			return err
		}
		equal := 0
		for i := range digits.Size {
			one, err := tensor.Of(tensor.View[float32](images)[64*i:64*i+64], 1, 64)
			if err != nil {
				return err
			}
			alone, err := logits(ctx, s, one)
			if err != nil {
				return err
			}
			if slices.Equal(alone, together[10*i:10*i+10]) {
				equal++
			}
		}
		fmt.Fprintf(w, "profile %-4s   %d of %d answers are the same bytes alone and in a batch\n", profile, equal, digits.Size)
	}
	return nil
}

func logits(ctx context.Context, s *qrun.Session, images *tensor.Tensor) ([]float32, error) {
	out, err := s.Run(ctx, qrun.Tensors{"image": images})
	if err != nil {
		return nil, err
	}
	return tensor.Data[float32](out["logits"])
}
