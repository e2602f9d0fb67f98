package qrun_test

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/internal/onnxtest"
	"github.com/qrun-onnx/qrun/tensor"
)

// precisions are the ways to load a float model that tests range over.
var precisions = []struct {
	name string
	o    qrun.Options
}{
	{"float32", qrun.Options{}},
	{"int8", qrun.Options{Quantize: qrun.Dynamic}},
	{"int8 onnx", qrun.Options{Quantize: qrun.Dynamic, Profile: qrun.ONNX}},
	{"fp16", qrun.Options{Quantize: qrun.FP16}},
}

// digitModels are the models of this repository, of images of 64 pixels.
var digitModels = []string{"models/digits/mlp.onnx", "models/digits/attention.onnx"}

const images, pixels = 360, 64

func digitImages(t testing.TB) []float32 {
	t.Helper()
	data, err := os.ReadFile("models/digits/images.npy")
	if err != nil {
		t.Fatal(err)
	}
	all, err := tensor.New(tensor.Float32, images, pixels)
	if err != nil {
		t.Fatal(err)
	}
	copy(all.Bytes(), data[len(data)-len(all.Bytes()):])
	return tensor.View[float32](all)
}

func digitInput(t testing.TB, pix []float32) qrun.Tensors {
	t.Helper()
	x, err := tensor.Of(pix, len(pix)/pixels, pixels)
	if err != nil {
		t.Fatal(err)
	}
	return qrun.Tensors{"image": x}
}

func open(t testing.TB, path string, o qrun.Options) *qrun.Session {
	t.Helper()
	s, err := qrun.Open(path, &o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func run(t testing.TB, s *qrun.Session, in qrun.Tensors) qrun.Tensors {
	t.Helper()
	out, err := s.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// needVectors skips a test on real models where there is plain Go alone: with exact fused multiply-adds in software they
// take minutes.
func needVectors(t testing.TB) {
	t.Helper()
	if len(backend.All()) == 1 {
		t.Skip("there is only plain Go")
	}
}

// encoder is the path of a transformer encoder and its inputs in a data set; the test is skipped where there is none.
func encoder(t testing.TB, name, set string) (path string, in qrun.Tensors) {
	t.Helper()
	needVectors(t)
	dir, ok := onnxtest.Shared("models", "encoders", name)
	if !ok {
		t.Skip("no shared test material")
	}
	path = dir + "/model.onnx"
	info, err := qrun.Describe(path)
	if err != nil {
		t.Fatal(err)
	}
	if in, err = onnxtest.ReadInputs(dir+"/"+set, info.Inputs); err != nil {
		t.Fatal(err)
	}
	return path, in
}

// flat is all outputs, in the order of their names.
func flat(out qrun.Tensors) []byte {
	var all [][]byte
	for _, name := range slices.Sorted(maps.Keys(out)) {
		all = append(all, out[name].Bytes())
	}
	return bytes.Join(all, nil)
}
