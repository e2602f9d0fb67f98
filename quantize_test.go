package qrun_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/internal/accuracy"
	mt "github.com/qrun-onnx/qrun/internal/modeltest"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

// normal is n seeded values around zero.
func normal(seed uint64, n int) []float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

func sessionOf(t *testing.T, p *onnx.ModelProto, o *qrun.Options) *qrun.Session {
	t.Helper()
	s, err := qrun.LoadProto(p, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestQuantizeEveryForm quantizes a constant weight in every place and form that a file can have it in, and compares with
// the float model. The weights and activations are normal, where int8 has about 38 dB, hence 30.
func TestQuantizeEveryForm(t *testing.T) {
	f32 := tensor.Float32
	const k, n = 48, 40
	w, wt := normal(1, k*n), make([]float32, k*n)
	for i := range k {
		for j := range n {
			wt[j*k+i] = w[i*n+j]
		}
	}
	half := make([]tensor.F16, k*n)
	for i, x := range w {
		half[i] = tensor.ToF16(x)
	}
	ints, scale := make([]int8, k*n), make([]float32, n)
	for j := range n {
		scale[j] = 0.02 + float32(j)/1000
		for i := range k {
			ints[i*n+j] = int8(min(max(math.Round(float64(w[i*n+j]/scale[j])), -127), 127))
		}
	}
	perm := mt.At("perm", []int64{1, 0})
	x := mt.In("x", mt.Spec(f32, "batch", k))
	one := func(parts ...any) *onnx.GraphProto {
		return mt.Graph(append([]any{x, mt.Out("y")}, parts...)...)
	}
	for _, c := range []struct {
		name string
		g    *onnx.GraphProto
		rows []int // shape of x
	}{
		{"matmul", one(mt.Init("w", w, k, n), mt.Node("MatMul@m", "x w", "y")), []int{5, k}},
		{"constant node", one(mt.Node("Constant", "", "w", mt.At("value", mt.Init("", w, k, n))), mt.Node("MatMul@m", "x w", "y")), []int{5, k}},
		{"identity", one(mt.Init("v", w, k, n), mt.Node("Identity", "v", "w"), mt.Node("MatMul@m", "x w", "y")), []int{5, k}},
		{"transpose", one(mt.Init("v", wt, n, k), mt.Node("Transpose", "v", "w", perm), mt.Node("MatMul@m", "x w", "y")), []int{5, k}},
		{"cast", one(mt.Init("v", half, k, n), mt.Node("Cast", "v", "w", mt.At("to", int(f32))), mt.Node("MatMul@m", "x w", "y")), []int{5, k}},
		{"dequantize", one(mt.Init("v", ints, k, n), mt.Init("s", scale, n), mt.Node("DequantizeLinear", "v s", "w", mt.At("axis", 1)), mt.Node("MatMul@m", "x w", "y")), []int{5, k}},
		{"cast and scale", one(mt.Init("v", ints, k, n), mt.Init("s", scale, 1, n), mt.Node("Cast", "v", "c", mt.At("to", int(f32))), mt.Node("Mul", "c s", "w"), mt.Node("MatMul@m", "x w", "y")), []int{5, k}},
		{"vector", mt.Graph(mt.In("x", mt.Spec(f32, k)), mt.Out("y"), mt.Init("w", w, k, n), mt.Node("MatMul@m", "x w", "y")), []int{k}},
		{"batches of weights", mt.Graph(mt.In("x", mt.Spec(f32, "b", 3, "r", 16)), mt.Out("y"), mt.Init("w", w, 3, 16, n), mt.Node("MatMul@m", "x w", "y")), []int{2, 3, 7, 16}},
		{"weight on the left", mt.Graph(mt.In("x", mt.Spec(f32, "b", n, "c")), mt.Out("y"), mt.Init("w", w, k, n), mt.Node("MatMul@m", "w x", "y")), []int{2, n, 9}},
		{"weight on the left of a vector", mt.Graph(mt.In("x", mt.Spec(f32, n)), mt.Out("y"), mt.Init("w", w, k, n), mt.Node("MatMul@m", "w x", "y")), []int{n}},
		{"gemm", one(mt.Init("w", w, k, n), mt.Init("c", normal(2, n), n), mt.Node("Gemm@m", "x w c", "y")), []int{5, k}},
		{"gemm, transB, alpha, beta", one(mt.Init("w", wt, n, k), mt.Init("c", normal(2, n), 1, n),
			mt.Node("Gemm@m", "x w c", "y", mt.At("transB", 1), mt.At("alpha", float32(0.5)), mt.At("beta", float32(-2)))), []int{5, k}},
		{"gemm, transA, full C", mt.Graph(mt.In("x", mt.Spec(f32, k, 5)), mt.Out("y"), mt.Init("w", w, k, n), mt.Init("c", normal(2, 5*n), 5, n),
			mt.Node("Gemm@m", "x w c", "y", mt.At("transA", 1), mt.At("beta", float32(3)))), []int{k, 5}},
		{"gemm, C of one column", one(mt.Init("w", w, k, n), mt.Init("c", normal(2, 5), 5, 1), mt.Node("Gemm@m", "x w c", "y")), []int{5, k}},
		{"gemm, weight on the left", mt.Graph(mt.In("x", mt.Spec(f32, n, "c")), mt.Out("y"), mt.Init("w", w, k, n), mt.Init("c", normal(2, k), k, 1), mt.Node("Gemm@m", "w x c", "y")), []int{n, 6}},
		{"gemm, weight on the left, both transposed", mt.Graph(mt.In("x", mt.Spec(f32, "c", n)), mt.Out("y"), mt.Init("w", wt, n, k),
			mt.Node("Gemm@m", "w x", "y", mt.At("transA", 1), mt.At("transB", 1))), []int{6, n}},
		{"bias, relu, residual", one(mt.Init("w", w, k, n), mt.Init("c", normal(2, n), n), mt.Init("r", normal(3, 5*n), 5, n),
			mt.Node("MatMul@m", "x w", "a"), mt.Node("Add", "c a", "b"), mt.Node("Relu", "b", "d"), mt.Node("Add", "d r", "y")), []int{5, k}},
		{"tied", one(mt.Init("w", w[:k*k/2], k, k/2), mt.Node("MatMul@m", "x w", "a"), mt.Node("Transpose", "w", "v", perm), mt.Node("MatMul@tied", "a v", "y")), []int{5, k}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := mt.Model(c.g).Proto
			count := 1
			for _, d := range c.rows {
				count *= d
			}
			in := qrun.Tensors{"x": mt.Tensor(normal(9, count), c.rows...)}
			want := outputsOf(t, sessionOf(t, p, nil), in)["y"]
			for _, o := range []*qrun.Options{{Quantize: qrun.Dynamic}, {Quantize: qrun.Dynamic, Profile: qrun.ONNX}, {Quantize: qrun.FP16}} {
				s := sessionOf(t, p, o)
				for _, d := range s.Report().Nodes {
					if d.Reason != "" || d.BytesAfter >= d.BytesBefore && !strings.Contains(c.name, "dequantize") && !strings.Contains(c.name, "cast and scale") {
						t.Errorf("%s %s: %+v", o.Quantize, o.Profile, d)
					}
				}
				if len(s.Report().Nodes) == 0 {
					t.Fatalf("%s: nothing to report", o.Quantize)
				}
				got := outputsOf(t, s, in)["y"]
				if !slices.Equal(got.Shape(), want.Shape()) {
					t.Fatalf("%s: %v, want %v", o.Quantize, got, want)
				}
				st, err := accuracy.Compare(got, want)
				if err != nil || st.SQNR < 30 {
					t.Errorf("%s %s: SQNR %.1f dB, %v", o.Quantize, o.Profile, st.SQNR, err)
				}
				if math.IsInf(st.SQNR, 1) && !strings.Contains(c.name, "cast") {
					t.Errorf("%s %s: equal to float32: nothing was quantized", o.Quantize, o.Profile)
				}
			}
		})
	}
}

func outputsOf(t *testing.T, s *qrun.Session, in qrun.Tensors) qrun.Tensors {
	t.Helper()
	out, err := s.Run(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestQuantizeInBodies(t *testing.T) {
	branch := func(name string, seed uint64) *onnx.GraphProto {
		return mt.Graph(mt.Out(name), mt.Init("w_"+name, normal(seed, 32*8), 32, 8), mt.Node("MatMul@"+name, "x w_"+name, name))
	}
	g := mt.Graph(mt.In("x", mt.Spec(tensor.Float32, "b", 32)), mt.In("c", mt.Spec(tensor.Bool)), mt.Out("y"),
		mt.Node("If", "c", "y", mt.At("then_branch", branch("p", 1)), mt.At("else_branch", branch("q", 2))))
	p := mt.Model(g).Proto
	s := sessionOf(t, p, &qrun.Options{Quantize: qrun.Dynamic})
	if r := s.Report().Nodes; len(r) != 2 || r[0].Reason != "" || r[1].Reason != "" {
		t.Fatalf("got %+v", r)
	}
	for _, c := range []bool{true, false} {
		in := qrun.Tensors{"x": mt.Tensor(normal(5, 3*32), 3, 32), "c": tensor.Scalar(c)}
		st, err := accuracy.Compare(outputsOf(t, s, in)["y"], outputsOf(t, sessionOf(t, p, nil), in)["y"])
		if err != nil || st.SQNR < 30 {
			t.Errorf("condition %v: %.1f dB, %v", c, st.SQNR, err)
		}
	}
}

// TestQuantizeReasons checks what is kept in float32, and why.
func TestQuantizeReasons(t *testing.T) {
	f32 := tensor.Float32
	bad := normal(1, 64)
	bad[7] = float32(math.Inf(1))
	onehot := mt.Graph(mt.In("x", mt.Spec(tensor.Int64, "b")), mt.Out("y"), mt.Init("w", normal(1, 64), 8, 8), mt.Init("d", []int64{8}), mt.Init("v", []float32{0, 1}, 2),
		mt.Node("OneHot", "x d v", "h"), mt.Node("MatMul@m", "h w", "y"))
	table := mt.Graph(mt.In("x", mt.Spec(tensor.Int64, "b")), mt.Out("y"), mt.Init("w", normal(1, 64), 8, 8), mt.Node("Gather@m", "w x", "y"))
	plain := func(w []float32) *onnx.GraphProto {
		return mt.Graph(mt.In("x", mt.Spec(f32, "b", 8)), mt.Out("y"), mt.Init("w", w, 8, 8), mt.Node("MatMul@m", "x w", "y"))
	}
	both := mt.Graph(mt.In("x", mt.Spec(f32, "b", 8)), mt.Out("y"), mt.Node("Transpose", "x", "v"), mt.Node("MatMul@m", "x v", "y"))
	for _, c := range []struct {
		g    *onnx.GraphProto
		o    qrun.Options
		want string
	}{
		{both, qrun.Options{}, "both sides are computed"},
		{plain(bad), qrun.Options{}, "the weight has elements that are NaN or infinite"},
		{onehot, qrun.Options{}, "the activation is zeros and ones: the product looks rows of the weight up"},
		{table, qrun.Options{}, "the table has fewer than 4096 elements"},
		{plain(normal(1, 64)), qrun.Options{MinElements: 65}, "the weight has fewer than 65 elements"},
		{plain(normal(1, 64)), qrun.Options{Exclude: []string{"m"}}, "excluded"},
		{plain(normal(1, 64)), qrun.Options{Ops: []string{"Gemm"}}, "not asked for (--ops Gemm)"},
	} {
		o := c.o
		o.Quantize = qrun.Dynamic
		s := sessionOf(t, mt.Model(c.g).Proto, &o)
		if r := s.Report().Nodes; len(r) != 1 || r[0].Reason != c.want || r[0].Decision != "float32" {
			t.Errorf("want %q, got %+v", c.want, r)
		}
	}
	_, err := qrun.LoadProto(mt.Model(plain(normal(1, 64))).Proto, &qrun.Options{Quantize: qrun.Dynamic, Exclude: []string{"nope"}})
	if err == nil || !strings.Contains(err.Error(), `exclude "nope" matches no node`) {
		t.Errorf("a pattern that matches nothing: %v", err)
	}
	for _, o := range []qrun.Options{{Quantize: "int3"}, {Profile: "x"}, {Threads: -1}, {Exclude: []string{"m"}}, {Backend: "abacus"}, {DisablePasses: []string{"nope"}}, {Quantize: qrun.Dynamic, Ops: []string{"Softmax"}}} {
		if _, err := qrun.LoadProto(mt.Model(plain(normal(1, 64))).Proto, &o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

// TestEmbeddingTables quantizes a table by row: every row keeps its own precision, and an index outside is an error.
func TestEmbeddingTables(t *testing.T) {
	w := normal(1, 600*16)
	for i := range 16 {
		w[3*16+i] *= 1000
	}
	g := mt.Graph(mt.In("x", mt.Spec(tensor.Int32, "b", "s")), mt.Out("y"), mt.Init("w", w, 600, 16), mt.Node("Gather@m", "w x", "y"))
	p := mt.Model(g).Proto
	in := qrun.Tensors{"x": mt.Tensor([]int32{0, 3, -1, 599, 4, 5}, 2, 3)}
	want := tensor.View[float32](outputsOf(t, sessionOf(t, p, nil), in)["y"])
	for _, c := range []struct {
		o    qrun.Options
		step float64 // of a row's largest magnitude
	}{{qrun.Options{Quantize: qrun.Dynamic}, 0.5001 / 127}, {qrun.Options{Quantize: qrun.FP16}, 0x1p-11}} {
		s := sessionOf(t, p, &c.o)
		got := tensor.View[float32](outputsOf(t, s, in)["y"])
		for r := range 6 {
			a := 0.0
			for _, x := range want[r*16 : (r+1)*16] {
				a = max(a, math.Abs(float64(x)))
			}
			for i := r * 16; i < (r+1)*16; i++ {
				if d := math.Abs(float64(got[i] - want[i])); d > c.step*a {
					t.Errorf("%s row %d: off by %v of %v", c.o.Quantize, r, d, a)
				}
			}
		}
		_, err := s.Run(context.Background(), qrun.Tensors{"x": mt.Tensor([]int32{600}, 1, 1)})
		var ne *qrun.NodeError
		if !errors.As(err, &ne) || !strings.Contains(err.Error(), "index 600 is outside a table of 600 rows") {
			t.Errorf("%s: got %v", c.o.Quantize, err)
		}
	}
}

// TestTableInFile: a table that stays in a mapped file gives the same bytes as one that was quantized at load, rows that
// are not finite among them.
func TestTableInFile(t *testing.T) {
	const rows, width = 2000, 24
	w := normal(5, rows*width)
	w[7*width+3] = float32(math.Inf(1))
	clear(w[9*width : 10*width])
	g := mt.Graph(mt.In("x", mt.Spec(tensor.Int64, "b")), mt.Out("y"), mt.Init("w", w, rows, width), mt.Init("v", normal(6, width*64), width, 64),
		mt.Node("Gather@g", "w x", "e"), mt.Node("MatMul@m", "e v", "y"))
	p := mt.Model(g).Proto
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := mt.Model(g).Save(path); err != nil {
		t.Fatal(err)
	}
	in := qrun.Tensors{"x": mt.Tensor([]int64{0, 9, 1999, -3, 8, 7}, 6)}
	for _, q := range []qrun.Quantize{qrun.Dynamic, qrun.FP16} {
		o := &qrun.Options{Quantize: q}
		s, err := qrun.Open(path, o)
		if err != nil {
			t.Fatal(err)
		}
		want, got := outputsOf(t, sessionOf(t, p, o), in)["y"], outputsOf(t, s, in)["y"]
		if !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Errorf("%s: the file's table gives other results", q)
		}
		if d := s.Report().Nodes[0]; d.Op != "Gather" || d.Reason != "" || d.BytesAfter >= d.BytesBefore {
			t.Errorf("%s: reported %+v", q, d)
		}
	}
}

// TestPoison: a row with NaN or an infinity becomes NaN, and no other row changes. No rows and a depth of 0 are defined.
func TestPoison(t *testing.T) {
	g := mt.Graph(mt.In("x", mt.Spec(tensor.Float32, "b", 16)), mt.Out("y"), mt.Init("w", normal(1, 16*8), 16, 8), mt.Init("c", normal(2, 8), 8), mt.Node("Gemm@m", "x w c", "y"))
	s := sessionOf(t, mt.Model(g).Proto, &qrun.Options{Quantize: qrun.Dynamic})
	x := normal(3, 5*16)
	clean := tensor.View[float32](outputsOf(t, s, qrun.Tensors{"x": mt.Tensor(slices.Clone(x), 5, 16)})["y"])
	x[1*16+3], x[3*16+5] = float32(math.NaN()), float32(math.Inf(-1))
	got := tensor.View[float32](outputsOf(t, s, qrun.Tensors{"x": mt.Tensor(x, 5, 16)})["y"])
	for r := range 5 {
		for j := range 8 {
			v := got[r*8+j]
			if bad := r == 1 || r == 3; bad != (v != v) || !bad && v != clean[r*8+j] {
				t.Errorf("row %d: %v, without the others' NaN %v", r, v, clean[r*8+j])
			}
		}
	}
	if out := outputsOf(t, s, qrun.Tensors{"x": mt.Tensor([]float32{}, 0, 16)})["y"]; out.Len() != 0 || out.Shape()[1] != 8 {
		t.Errorf("no rows: %v", out)
	}
	zero := tensor.View[float32](outputsOf(t, s, qrun.Tensors{"x": mt.Tensor(make([]float32, 16), 1, 16)})["y"])
	if !slices.Equal(zero, normal(2, 8)) {
		t.Errorf("a row of zeros gives %v, want the bias", zero)
	}
}

// TestTraceLayers compares the steps of a layer with the definition of profile row and with what a session computes.
func TestTraceLayers(t *testing.T) {
	path := "models/digits/mlp.onnx"
	in := qrun.Tensors{"image": mt.Tensor(normal(4, 3*64), 3, 64)}
	var traces []qrun.LayerTrace
	names, err := qrun.TraceLayers(context.Background(), path, in, qrun.Row, nil, func(l qrun.LayerTrace) error {
		traces = append(traces, l)
		return nil
	})
	if err != nil || len(names) != 3 || len(traces) != 3 {
		t.Fatalf("%v, %d traces, %v", names, len(traces), err)
	}
	l := traces[0]
	x, q, acc := tensor.View[float32](l.X), tensor.View[uint8](l.Q), tensor.View[int32](l.Acc)
	wq, y := tensor.View[int8](l.WQ), tensor.View[float32](l.Result)
	k, n := l.W.Shape()[0], l.W.Shape()[1]
	for r := range 3 {
		lo, hi := float32(0), float32(0)
		for _, v := range x[r*k : (r+1)*k] {
			lo, hi = min(lo, v), max(hi, v)
		}
		s := (hi - lo) / 255
		z := int32(math.RoundToEven(float64(-lo / s)))
		if l.Scale[r] != s || l.Zero[r] != z {
			t.Errorf("row %d: scale %v, zero %d, want %v, %d", r, l.Scale[r], l.Zero[r], s, z)
		}
		for j := range n {
			sum := int32(0)
			for i := range k {
				sum += (int32(q[r*k+i]) - z) * int32(wq[i*n+j])
			}
			if acc[r*n+j] != sum {
				t.Fatalf("row %d column %d: sum %d, want %d", r, j, acc[r*n+j], sum)
			}
			want := float32(float32(sum)*float32(s*l.WScale[j])) + l.Bias[j]
			if y[r*n+j] != want {
				t.Fatalf("row %d column %d: %v, want %v", r, j, y[r*n+j], want)
			}
		}
	}
	if _, err := qrun.TraceLayers(context.Background(), path, in, qrun.Row, nil, func(qrun.LayerTrace) error { return fmt.Errorf("enough") }); err == nil || err.Error() != "enough" {
		t.Errorf("the visitor's error: %v", err)
	}
}
