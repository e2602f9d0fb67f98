package ops

import (
	"testing"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func TestOperations(t *testing.T) {
	f := func(shape ...int) tensor.Spec { return tensor.SpecOf(tensor.Float32, shape...) }
	in := func(s ...tensor.Spec) []tensor.Spec { return s }
	heads := attentionOperand{layout: "bhsd"}
	for _, c := range []struct {
		name    string
		op      graph.Counter
		in, out []tensor.Spec
		want    int64
	}{
		{"matmul", &matMul{}, in(f(2, 3, 4), f(4, 5)), in(f(2, 3, 5)), 2 * 2 * 3 * 4 * 5},
		{"gemm", &gemm{transA: true}, in(f(4, 3), f(4, 5)), in(f(3, 5)), 2 * 3 * 4 * 5},
		{"conv", &conv{}, in(f(1, 8, 10, 10), f(16, 4, 3, 3)), in(f(1, 16, 8, 8)), 2 * 16 * 64 * 4 * 9},
		{"conv transpose", &convTranspose{}, in(f(1, 8, 5, 5), f(8, 2, 3, 3)), in(f(1, 2, 7, 7)), 2 * 8 * 25 * 2 * 9},
		{"lstm", &recurrent{}, in(f(7, 2, 3), f(1, 16, 3), f(1, 16, 4)), in(f(7, 1, 2, 4)), 2 * 7 * 2 * (16*3 + 16*4)},
		{"attention", &fusedAttention{q: heads, k: heads, v: heads}, in(f(1, 2, 5, 4), f(1, 2, 9, 4), f(1, 2, 9, 3)), in(f(1, 2, 5, 3)), 2 * 2 * 5 * 9 * (4 + 3)},
		{"past keys", &onnxAttention{}, in(f(1, 2, 1, 4), f(1, 2, 1, 4), f(1, 2, 1, 4), tensor.Spec{}, f(1, 2, 6, 4), f(1, 2, 6, 4)), in(f(1, 2, 1, 4)), 2 * 2 * 7 * (4 + 4)},
		{"sum of three", variadic{}, in(f(4), f(4), f(1)), in(f(4)), 8},
		{"softmax", softmax{}, in(f(2, 8)), in(f(2, 8)), 80},
		{"reduce", reduce{}, in(f(6, 8)), in(f(6)), 48},
		{"result that nobody reads", arith{}, in(f(6), f(6)), in(tensor.Spec{}), 0},
		{"no result", unary{}, in(f(6)), nil, 0},
	} {
		if got := c.op.Operations(c.in, c.out); got != c.want {
			t.Errorf("%s: %d operations, want %d", c.name, got, c.want)
		}
	}
}
