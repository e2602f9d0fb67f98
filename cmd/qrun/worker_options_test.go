package main

import (
	"reflect"
	"testing"

	"github.com/qrun-onnx/qrun"
)

// TestWorkerOptions: what the flags of verify say reaches the worker.
func TestWorkerOptions(t *testing.T) {
	f := &verifyFlags{modelFlags: modelFlags{profile: "onnx", ops: "Gemm", only: []string{"a"}, exclude: []string{"b"}, minElements: 3, threads: 2,
		noPass: []string{"gelu"}, cache: "dir"}}
	want, err := f.options("dynamic")
	if err != nil {
		t.Fatal(err)
	}
	for i := range reflect.TypeFor[qrun.Options]().NumField() {
		field := reflect.TypeFor[qrun.Options]().Field(i)
		switch field.Name {
		case "Backend", "Logger", "OnNode": // which have no flag
		default:
			if reflect.ValueOf(want).Elem().Field(i).IsZero() {
				t.Errorf("%s is not tested", field.Name)
			}
		}
	}
	if got := newWorker(nil, f, want).options.options(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
