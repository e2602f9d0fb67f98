package ops

import (
	"cmp"
	"os"
	"path/filepath"
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/onnx"
)

// What exporters write is found in real files: the operators that stand for chains are there, the primitives are not.
func TestFusionsInModels(t *testing.T) {
	root := filepath.Join(cmp.Or(os.Getenv("QRUN_SHARED"), filepath.Join("..", "..", "shared")), "models")
	if _, err := os.Stat(root); err != nil {
		t.Skip("no shared models: ", err)
	}
	reg, err := graph.NewRegistry(Defs(backend.All()[0]))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]map[string]int{
		"encoders/minilm_l6_f32":            {"LayerNormalization": 13, "FusedMatMul": 19, "FusedMatMuls": 6, "Attention": 6, "Softmax": 0, "Transpose": 0, "Erf": 0, "Pow": 0, "Sqrt": 0, "Gelu": 0, "Tanh": 0, "Add": 2},
		"encoders/minilm_l6_weight_int8":    {"Attention": 6, "Softmax": 0, "Transpose": 0, "IsNaN": 0},
		"samples/optimum_tiny":              {"LayerNormalization": 5, "FusedMatMul": 8, "FusedMatMuls": 2, "Attention": 2, "Softmax": 0, "Transpose": 0, "Expand": 0, "Where": 2, "Erf": 0, "Sqrt": 0},
		"samples/ppocrv4_rec":               {"Attention": 2, "Softmax": 1, "LayerNormalization": 5, "BatchNormalization": 0, "FusedConv": 37, "Clip": 0, "HardSigmoid": 0, "Sigmoid": 0},
		"samples/ultraface_version-RFB-320": {"BatchNormalization": 0, "Relu": 0, "Shape": 0},
		"samples/velardo_mlp":               {"FusedMatMul": 4, "Relu": 0, "Gemm": 0},
		"samples/silero_vad_v6":             {"Cast": 0, "Transpose": 0, "Relu": 2},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := onnx.Open(filepath.Join(root, name, "model.onnx"))
			if err != nil {
				t.Fatal(err)
			}
			g, err := graph.Build(m, reg)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := graph.Optimize(g, reg, graph.PassOptions{}); err != nil {
				t.Fatal(err)
			}
			got := map[string]int{}
			countTypes(g, got)
			for op, n := range want {
				if got[op] != n {
					t.Errorf("%d %s, want %d", got[op], op, n)
				}
			}
		})
	}
}

func countTypes(g *graph.Graph, m map[string]int) {
	for _, n := range g.Nodes {
		m[n.Type]++
		for _, b := range n.Bodies {
			countTypes(b, m)
		}
	}
}
