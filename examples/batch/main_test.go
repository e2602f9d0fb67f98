package main

import (
	"context"
	"log"
	"os"
)

func Example() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output:
	// profile row    360 of 360 answers are the same bytes alone and in a batch
	// profile onnx   0 of 360 answers are the same bytes alone and in a batch
}
