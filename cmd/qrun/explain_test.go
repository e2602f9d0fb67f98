package main

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/qrun-onnx/qrun"
	. "github.com/qrun-onnx/qrun/internal/modeltest"
	"github.com/qrun-onnx/qrun/tensor"
)

// TestExplainSplitWeights: explain shows a layer with an outlier among its weights as a session computes it, the
// repeated channel included.
func TestExplainSplitWeights(t *testing.T) {
	const depth, columns, outlier = 256, 3, 5
	w, x := make([]float32, depth*columns), make([]float32, 2*depth)
	for i := range w {
		w[i] = float32(i%7-3) / 8
	}
	w[outlier*columns+1] = 100
	for i := range x {
		x[i] = float32(i%11-4) / 16
	}
	path := filepath.Join(t.TempDir(), "split.onnx")
	m := Model(Graph(In("x", Spec(tensor.Float32, "n", depth)), Out("y"), Init("w", w, depth, columns), Node("MatMul@fc", "x w", "y")))
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	in := qrun.Tensors{"x": Tensor(x, 2, depth)}
	s, err := qrun.Open(path, &qrun.Options{Quantize: qrun.Dynamic})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	_, err = qrun.TraceLayers(t.Context(), path, in, qrun.Row, nil, func(l qrun.LayerTrace) error {
		if !slices.Equal(l.Repeated, []int{outlier}) || l.Q.Shape()[1] != depth+1 || l.WQ.Shape()[0] != depth+1 || l.W.Shape()[0] != depth {
			t.Errorf("repeated %v, input %v, weights %v of %v", l.Repeated, l.Q, l.WQ, l.W)
		}
		if !bytes.Equal(l.Result.Bytes(), out["y"].Bytes()) {
			t.Errorf("explained %v, a session computes %v", tensor.View[float32](l.Result), tensor.View[float32](out["y"]))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	e := &env{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr}
	for _, args := range [][]string{{"explain", path}, {"explain", path, "--json"}} {
		if code := e.main(args); code != exitOK {
			t.Fatalf("exit code %d: %s", code, &stderr)
		}
	}
	for _, want := range []string{"the last 1 repeats a channel, since its weights are split: [5]", `"repeated": [`, "sum over 257 of"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, &stdout)
		}
	}
}
