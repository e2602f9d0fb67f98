package onnxtest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qrun-onnx/qrun"
	mt "github.com/qrun-onnx/qrun/internal/modeltest"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

// writeCase makes a model folder with y = x + x and one data set, whose output is want.
func writeCase(t *testing.T, dir string, want []float32) {
	t.Helper()
	set := filepath.Join(dir, "test_data_set_0")
	if err := os.MkdirAll(set, 0o755); err != nil {
		t.Fatal(err)
	}
	g := mt.Graph(mt.In("x", mt.Spec(tensor.Float32, "n")), mt.Out("y"), mt.Node("Add@double", "x x", "y"))
	if err := mt.Model(g).Save(filepath.Join(dir, "model.onnx")); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string][]float32{"input_0.pb": {1, 2}, "output_0.pb": want} {
		if err := onnx.WriteTensorFile(filepath.Join(set, name), "", mt.Tensor(v)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRunStatuses(t *testing.T) {
	root := t.TempDir()
	writeCase(t, filepath.Join(root, "right"), []float32{2, 4})
	writeCase(t, filepath.Join(root, "wrong"), []float32{2, 5})
	writeCase(t, filepath.Join(root, "shape"), []float32{2, 4, 6})
	writeCase(t, filepath.Join(root, "broken"), []float32{2, 4})
	if err := os.WriteFile(filepath.Join(root, "broken", "model.onnx"), []byte("no model"), 0o644); err != nil {
		t.Fatal(err)
	}
	cases, err := Find(root)
	if err != nil || len(cases) != 4 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	want := map[string]struct {
		status  Status
		message string
	}{"right": {Pass, ""}, "wrong": {Fail, "1 of 2 values differ, worst at [1]: 4, want 5"}, "shape": {Fail, "is float32[2], want float32[3]"}, "broken": {Error, ""}}
	for _, c := range cases {
		r := Run(context.Background(), c, &qrun.Options{}, func(Case) Limits { return Limits{RTol: 1e-3} })[0]
		w := want[filepath.Base(c.Name)]
		if r.Status != w.status || !strings.Contains(r.Message, w.message) {
			t.Errorf("%s: %s %q, want %s %q", c.Name, r.Status, r.Message, w.status, w.message)
		}
	}
	if r := Run(context.Background(), cases[3], &qrun.Options{}, func(Case) Limits { return Limits{MinCosine: 0.99} })[0]; r.Status != Pass {
		t.Errorf("a cosine of 0.99: %s %s", r.Status, r.Message)
	}
	if r := Run(context.Background(), cases[3], &qrun.Options{}, func(Case) Limits { return Limits{Exact: true, MinCosine: 0.5} })[0]; r.Status != Fail {
		t.Errorf("exact bits: %s", r.Status)
	}
}

func TestFindRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := Find(dir); err == nil || !strings.Contains(err.Error(), "no folder in it") {
		t.Errorf("an empty folder: %v", err)
	}
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(file); err == nil || !strings.Contains(err.Error(), "is a file") {
		t.Errorf("a file: %v", err)
	}
}

func TestManifestLimits(t *testing.T) {
	root := t.TempDir()
	text := `[{"name": "a", "rtol": 0.01, "atol": 0.02}, {"name": "q", "rtol": null, "atol": null}, {"name": "c", "min_cosine": 0.5}]`
	if err := os.WriteFile(filepath.Join(root, "manifest.json"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Limits{
		"a":     {RTol: 0.01, ATol: 0.02},
		"q":     {RTol: 1e-3, MinCosine: QuantizedCosine},
		"c":     {RTol: 1e-3, MinCosine: 0.5},
		"other": {RTol: 1e-3},
	} {
		l := Limits{RTol: 1e-3}
		if err := ManifestLimits(filepath.Join(root, name), &l); err != nil || l != want {
			t.Errorf("%s: %+v, %v, want %+v", name, l, err, want)
		}
	}
	exact := Limits{Exact: true}
	if err := ManifestLimits(filepath.Join(root, "a"), &exact); err != nil || exact != (Limits{Exact: true}) {
		t.Errorf("exact: %+v, %v", exact, err)
	}
}

func TestExpectations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(path, []byte("# comment\n\nnode/test_x the reason\ntest_y another\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	e, err := ReadExpectations(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"data/node/test_x": "the reason", "data/node/test_y": "another", "data/node/test_z": ""} {
		if _, reason, ok := e.Lookup(name); reason != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", name, reason, ok)
		}
	}
	if err := os.WriteFile(path, []byte("test_x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadExpectations(path); err == nil || !strings.Contains(err.Error(), "has no reason") {
		t.Errorf("a line without reason: %v", err)
	}
}
