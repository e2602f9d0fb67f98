package ops

import (
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

// Products of one value with constant weights are one node, with the bits that they have apart.
func TestJoinSiblings(t *testing.T) {
	all := "products product-transpose product-scale product-bias activation residual siblings"
	x, z := mIn("x", mSpec(tensor.Float32, "N", 4, 6)), mIn("z", mSpec(tensor.Float32, "M", 4, 6))
	base := []any{x, weight("w", 6, 5), weight("v", 6, 7), weight("u", 7, 6), weight("b", 5), weight("c", 7), scalarInit("k", 0.5), mOut("p", "q")}
	with := func(nodes ...any) []any { return append(append([]any{}, base...), nodes...) }
	for name, f := range map[string]fusion{
		"two":             {with(mNode("MatMul", "x w", "p"), mNode("MatMul", "x v", "q")), all, "FusedMatMuls", 1e-6},
		"with all extras": {with(mNode("MatMul", "x w", "a"), mNode("Add", "a b", "d"), mNode("Sigmoid", "d", "p"), mNode("MatMul", "x v", "e"), mNode("Mul", "e k", "q")), all, "FusedMatMuls", 1e-5},
		"gemms": {[]any{mIn("x", mSpec(tensor.Float32, "N", 6)), weight("w", 6, 5), weight("u", 7, 6), weight("b", 5), weight("c", 7), mOut("p", "q"),
			mNode("Gemm", "x w b", "p"), mNode("Gemm", "x u c", "q", mAt("transB", 1))}, all, "FusedMatMuls", 1e-5},
		"six are more than four": {with(mNode("MatMul", "x w", "p"), mNode("MatMul", "x v", "q"), weight("w1", 6, 1), weight("w2", 6, 2), weight("w3", 6, 3), weight("w4", 6, 4),
			mNode("MatMul", "x w1", "p1"), mNode("MatMul", "x w2", "p2"), mNode("MatMul", "x w3", "p3"), mNode("MatMul", "x w4", "p4"), mOut("p1", "p2", "p3", "p4")), all, "FusedMatMuls FusedMatMuls", 1e-6},

		"another value stays":    {with(z, mNode("MatMul", "x w", "p"), mNode("MatMul", "z v", "q")), all, "FusedMatMul FusedMatMul", 1e-5},
		"a residual stays":       {with(weight("square", 6, 6), mNode("MatMul", "x square", "a"), mNode("Add", "a x", "p"), mNode("MatMul", "x v", "q")), all, "FusedMatMul FusedMatMul", 1e-5},
		"a computed side stays":  {with(mNode("Transpose", "x", "t", permutation(0, 2, 1)), mNode("MatMul", "x t", "p"), mNode("MatMul", "x v", "q")), all, "FusedMatMul FusedMatMul", 1e-5},
		"one after another stay": {with(mNode("MatMul", "x v", "q"), mNode("MatMul", "q u", "a"), mNode("MatMul", "a w", "p")), all, "FusedMatMul FusedMatMul FusedMatMul", 1e-5},
	} {
		t.Run(name, f.test)
	}
}

func TestGroupedProducts(t *testing.T) {
	x, w, v, b := ramp(t, 2, 40, 33), ramp(t, 33, 50), ramp(t, 20, 33), ramp(t, 50)
	at := attrs{"transB": []int{0, 1}, "alpha": []float64{1, 0.5}, "activation": []string{"Gelu", ""}, "p0": []float64{0, 0}, "p1": []float64{0, 0}}
	out, err := tryOp(t, "qrun.FusedMatMuls", 1, at, 2, x, w, b, v)
	if err != nil {
		t.Fatal(err)
	}
	wantTensor(t, out[0], runOp(t, "qrun.FusedMatMul", 1, attrs{"activation": "Gelu"}, x, w, b))
	wantTensor(t, out[1], runOp(t, "qrun.FusedMatMul", 1, attrs{"transB": 1, "alpha": 0.5}, x, v))
	wantErr(t, "inner sizes", "qrun.FusedMatMuls", 1, at, x, ramp(t, 32, 50), b, v)
	wantErr(t, "same number of layers", "qrun.FusedMatMuls", 1, attrs{"transB": []int{0, 1}}, x, w, b, v)
}
