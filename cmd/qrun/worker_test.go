package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/qrun-onnx/qrun/internal/onnxtest"
)

// A process that cannot be started is an error of the case.
func TestWorkerDoesNotStart(t *testing.T) {
	self := os.Args[0]
	defer func() { os.Args[0] = self }()
	os.Args[0] = filepath.Join(t.TempDir(), "none")
	w := &worker{}
	results := w.run(t.Context(), onnxtest.Case{Name: "x", Model: "x.onnx", Sets: []string{"test_data_set_0"}}, onnxtest.Limits{})
	if len(results) != 1 || results[0].Message == "" {
		t.Errorf("%+v, want an error", results)
	}
}
