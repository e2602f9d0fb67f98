package dynquant

import (
	"bytes"
	"context"
	"math"
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/internal/modeltest"
	"github.com/qrun-onnx/qrun/ops"
	"github.com/qrun-onnx/qrun/tensor"
)

// A normalization and the quantization of its rows together have the bits of one after the other.
func TestNormQuantizeRows(t *testing.T) {
	k := backend.All()[0]
	const rows, n = 37, 200
	x, gamma, beta := make([]float32, rows*n), make([]float32, n), make([]float32, n)
	for i := range x {
		x[i] = float32(math.Sin(float64(i*i%7919))) * float32(1+i/n)
	}
	x[5*n+3] = float32(math.Inf(1))
	for i := range gamma {
		gamma[i], beta[i] = float32(i%7)/3+0.1, float32(i%5)-2
	}
	in := []*tensor.Tensor{of(t, x, rows, n), of(t, gamma, n), of(t, beta, n)}
	for _, rms := range []int{0, 1} {
		op, norm := "LayerNormalization", in
		if rms == 1 {
			op, norm = "RMSNormalization", in[:2]
		}
		y, err := evalFloat(op, norm)
		if err != nil {
			t.Fatal(err)
		}
		repeat := intsAttr("repeat", 3, 3, 190)
		want, err := evalOp(k, "qrun.QuantizeRows", 1, 4, []graph.Attr{repeat}, y)
		if err != nil {
			t.Fatal(err)
		}
		got, err := evalOp(k, "qrun.NormQuantizeRows", 1, 5, []graph.Attr{repeat, intAttr("rms", rms)}, norm...)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range append(want, y) {
			if !bytes.Equal(got[i].Bytes(), w.Bytes()) {
				t.Errorf("%s: output %d differs", op, i)
			}
		}
	}
	wantErr(t, "one number for each", "qrun.NormQuantizeRows", 1, nil, in[0], of(t, gamma[:n-1], n-1))
	wantErr(t, "profile onnx", "qrun.NormQuantizeRows", 1, []graph.Attr{graph.StrA("profile", "onnx")}, in...)
}

func TestFuseNorms(t *testing.T) {
	spec := modeltest.Spec(tensor.Float32, "N", 4, 6)
	gamma, beta := modeltest.Init("g", []float32{1, 2, 3, 4, 5, 6}, 6), modeltest.Init("b", []float32{1, 0, 3, 0, 5, 6}, 6)
	norm := modeltest.Node("LayerNormalization", "x g b", "y")
	for name, c := range map[string]struct {
		parts []any
		want  int
	}{
		"quantized alone":      {[]any{norm, modeltest.Node("qrun:QuantizeRows", "y", "q s z n"), modeltest.Out("q", "s", "z", "n")}, 1},
		"read otherwise":       {[]any{norm, modeltest.Node("qrun:QuantizeRows", "y", "q s z n"), modeltest.Node("Neg", "y", "u"), modeltest.Out("q", "u", "s", "z", "n")}, 1},
		"an output":            {[]any{norm, modeltest.Node("qrun:QuantizeRows", "y", "q s z n"), modeltest.Out("q", "s", "z", "n", "y")}, 1},
		"mean is read":         {[]any{modeltest.Node("LayerNormalization", "x g b", "y mean"), modeltest.Node("qrun:QuantizeRows", "y", "q s z n"), modeltest.Out("q", "s", "z", "n", "mean")}, 0},
		"another axis":         {[]any{modeltest.Node("LayerNormalization", "x g4 g4", "y", modeltest.At("axis", 1)), modeltest.Init("g4", make([]float32, 24), 4, 6), modeltest.Node("qrun:QuantizeRows", "y", "q s z n"), modeltest.Out("q", "s", "z", "n")}, 0},
		"one grid":             {[]any{norm, modeltest.Node("qrun:QuantizeRows", "y", "q s z n", modeltest.At("profile", "onnx")), modeltest.Out("q", "s", "z", "n")}, 0},
		"nothing quantizes it": {[]any{norm, modeltest.Node("Neg", "y", "u"), modeltest.Out("u")}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			comparePass(t, append([]any{modeltest.In("x", spec), gamma, beta}, c.parts...), FuseNorms(), c.want)
		})
	}
}

// evalFloat runs the newest definition of an operator of package ops.
func evalFloat(op string, in []*tensor.Tensor) (*tensor.Tensor, error) {
	var best graph.Def
	for _, d := range ops.Defs(backend.All()[0]) {
		if d.Domain == "" && d.Op == op && d.Since >= best.Since {
			best = d
		}
	}
	out, err := graph.Eval(best, graph.NewAttrs("", op, graph.MaxOpset), in, 1)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// comparePass runs a graph on ones that grow, as it is and rewritten by a pass that changes it so often: the outputs have
// the same bits.
func comparePass(t *testing.T, parts []any, p graph.Pass, want int) {
	t.Helper()
	reg, err := graph.NewRegistry(append(ops.Defs(backend.All()[0]), Defs(backend.All()[0])...))
	if err != nil {
		t.Fatal(err)
	}
	run := func(rewrite bool) map[string]*tensor.Tensor {
		g, err := graph.Build(modeltest.Model(modeltest.Graph(parts...)), reg)
		if err != nil {
			t.Fatal(err)
		}
		z, err := graph.NewOptimizer(g, reg)
		if err != nil {
			t.Fatal(err)
		}
		if rewrite {
			if n, err := z.Apply(p, graph.PassOptions{}); err != nil || n != want {
				t.Fatalf("%d changes, want %d; error %v", n, want, err)
			}
		}
		x, err := graph.NewExecutable(g, graph.ExecOptions{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		feeds := map[string]*tensor.Tensor{}
		for _, v := range g.Inputs {
			var shape []int
			for _, d := range v.Spec.Dims {
				shape = append(shape, max(d.Size, 3))
			}
			n, _ := tensor.Count(shape)
			data := make([]float32, n)
			for i := range data {
				data[i] = float32((i*7919+13)%4001)/2000 - 1
			}
			feeds[v.Name] = of(t, data, shape...)
		}
		out, err := x.Run(context.Background(), feeds, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	expect, got := run(false), run(true)
	for name, w := range expect {
		if g := got[name]; g == nil || !bytes.Equal(g.Bytes(), w.Bytes()) {
			t.Errorf("output %s differs", name)
		}
	}
}
