package dynquant

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/ops"
	"github.com/qrun-onnx/qrun/tensor"
)

// sharedFolder is the test material that lies beside the repository; the test is skipped where it is not there.
func sharedFolder(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("QRUN_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(root, name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no test material: %v", err)
	}
	return dir
}

func registry(t *testing.T, k *backend.Kernels) *graph.Registry {
	t.Helper()
	r, err := graph.NewRegistry(slices.Concat(ops.Defs(k), Defs(k)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// runCase runs the model of a folder on its first data set and returns outputs and expected outputs in order. With
// fuse, the chains of quantize_dynamic become fused nodes.
func runCase(dir string, reg *graph.Registry, fuse bool) (got, want []*tensor.Tensor, g *graph.Graph, err error) {
	m, err := onnx.Open(filepath.Join(dir, "model.onnx"))
	if err != nil {
		return nil, nil, nil, err
	}
	if g, err = graph.Build(m, reg); err != nil {
		return nil, nil, nil, err
	}
	z, err := graph.NewOptimizer(g, reg)
	if err != nil {
		return nil, nil, nil, err
	}
	if _, err := z.Optimize(graph.PassOptions{Stages: []graph.Stage{graph.Clean}, KeepIntegers: true}); err != nil {
		return nil, nil, nil, err
	}
	if fuse {
		if _, err := z.Apply(FuseChains(), graph.PassOptions{}); err != nil {
			return nil, nil, nil, err
		}
	}
	set := filepath.Join(dir, "test_data_set_0")
	inputs := map[string]*tensor.Tensor{}
	for i, in := range g.Inputs {
		_, t, err := onnx.ReadTensorFile(filepath.Join(set, fmt.Sprintf("input_%d.pb", i)), in.Spec)
		if err != nil {
			return nil, nil, nil, err
		}
		inputs[in.Name] = t
	}
	for i, out := range g.Outputs {
		_, t, err := onnx.ReadTensorFile(filepath.Join(set, fmt.Sprintf("output_%d.pb", i)), out.Spec)
		if err != nil {
			return nil, nil, nil, err
		}
		want = append(want, t)
	}
	e, err := graph.NewExecutable(g, graph.ExecOptions{Threads: 2})
	if err != nil {
		return nil, nil, nil, err
	}
	for range 2 { // the second run has the memory of the first
		res, err := e.Run(context.Background(), inputs, nil)
		if err != nil {
			return nil, nil, nil, err
		}
		got = got[:0]
		for _, out := range g.Outputs {
			got = append(got, res[out.Name])
		}
	}
	return got, want, g, nil
}

func cases(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		if e.IsDir() {
			list = append(list, filepath.Join(dir, e.Name()))
		}
	}
	return list
}

// sameBits says how outputs differ, "" when not at all.
func sameBits(got, want *tensor.Tensor) string {
	if got == nil || got.Spec().String() != want.Spec().String() {
		return fmt.Sprintf("got %v, want %v", got, want)
	}
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		return fmt.Sprintf("%v differs:\n got %v\nwant %v", want, head(got), head(want))
	}
	return ""
}

func head(t *tensor.Tensor) []float64 {
	v := values(t)
	return v[:min(len(v), 16)]
}

func values(t *tensor.Tensor) []float64 {
	v := make([]float64, t.Len())
	if t.DType() == tensor.Int64 {
		for i, x := range tensor.View[int64](t) {
			v[i] = float64(x)
		}
		return v
	}
	decode(v, t, 0)
	return v
}

// withinOne allows integers to differ by one.
func withinOne(got, want *tensor.Tensor) string { return within(got, want, 1, 0) }

func within(got, want *tensor.Tensor, atol, rtol float64) string {
	if got == nil || got.Spec().String() != want.Spec().String() {
		return fmt.Sprintf("got %v, want %v", got, want)
	}
	g, w := values(got), values(want)
	for i := range w {
		if !(math.Abs(g[i]-w[i]) <= atol+rtol*math.Abs(w[i])) {
			return fmt.Sprintf("element %d of %v: got %v, want %v", i, want, g[i], w[i])
		}
	}
	return ""
}

func close4(got, want *tensor.Tensor) string { return within(got, want, 1e-5, 1e-4) }
func close3(got, want *tensor.Tensor) string { return within(got, want, 1e-4, 1e-3) }

// goldens are the families of operators of this package, with how their results compare to ONNX Runtime's.
var goldens = map[string]func(got, want *tensor.Tensor) string{
	"DynamicQuantizeLinear": sameBits, "QuantizeLinear": sameBits, "DequantizeLinear": sameBits, "MatMulInteger": sameBits,
	"MatMulIntegerToFloat": sameBits, "DynamicQuantizeMatMul": sameBits,
	"QLinearMatMul": sameBits, "QGemm": sameBits,
	"ConvInteger": sameBits, "QLinearConv": sameBits,
	"QLinearAdd": withinOne, "QLinearMul": withinOne, "QLinearSigmoid": withinOne, "QLinearLeakyRelu": withinOne,
	"QLinearSoftmax": withinOne, "QLinearAveragePool": withinOne, "QLinearGlobalAveragePool": withinOne, "QLinearConcat": withinOne,
	"MatMulNBits": close3, "GatherBlockQuantized": close4, "QAttention": close4, "QEmbedLayerNormalization": close4, "DynamicQuantizeLSTM": close3,
}

func TestGoldens(t *testing.T) {
	dir := sharedFolder(t, "quant")
	for _, k := range backend.All() {
		reg := registry(t, k)
		for family, compare := range goldens {
			for _, c := range cases(t, filepath.Join(dir, family)) {
				t.Run(k.Name()+"/"+family+"/"+filepath.Base(c), func(t *testing.T) {
					got, want, _, err := runCase(c, reg, false)
					if err != nil {
						t.Fatal(err)
					}
					for i := range want {
						if text := compare(got[i], want[i]); text != "" {
							t.Errorf("output %d: %s", i, text)
						}
					}
				})
			}
		}
	}
}

// TestGoldenChains runs what quantize_dynamic writes for linear layers as it stands and fused: equal bits.
func TestGoldenChains(t *testing.T) {
	dir := sharedFolder(t, "quant")
	for _, k := range backend.All() {
		reg := registry(t, k)
		for _, c := range cases(t, filepath.Join(dir, "dynamic_chain")) {
			for _, fuse := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/fused=%v", k.Name(), filepath.Base(c), fuse), func(t *testing.T) {
					got, want, g, err := runCase(c, reg, fuse)
					if err != nil {
						t.Fatal(err)
					}
					isFused := func(n *graph.Node) bool { return n.Type == "QLinear" }
					if slices.ContainsFunc(g.Nodes, isFused) != fuse {
						t.Errorf("fused is %v, want %v", !fuse, fuse)
					}
					for i := range want {
						if text := sameBits(got[i], want[i]); text != "" {
							t.Errorf("output %d: %s", i, text)
						}
					}
				})
			}
		}
	}
}
