package ops

import (
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

// A residual of another shape than the product's is added as Add does, also where it is the larger one.
func TestBroadcastResidual(t *testing.T) {
	x, w, bias := ramp(t, 2, 3, 8), ramp(t, 8, 5), ramp(t, 5)
	at := attrs{"activation": "Relu", "residual_broadcast": 1}
	product := runOp(t, "qrun.FusedMatMul", 1, attrs{"activation": "Relu"}, x, w, bias)
	for _, shape := range [][]int{{2, 3, 5}, {1, 3, 5}, {2, 1, 1}, {5}, {4, 2, 3, 5}} {
		z := ramp(t, shape...)
		got := runOp(t, "qrun.FusedMatMul", 1, at, x, w, bias, z)
		wantTensor(t, got, runOp(t, "Add", 14, nil, product, z))
	}
	one := ramp(t, 1, 3, 8)
	got := runOp(t, "qrun.FusedMatMul", 1, attrs{"residual_broadcast": 1}, one, w, bias, ramp(t, 4, 3, 5))
	wantTensor(t, got, runOp(t, "Add", 14, nil, runOp(t, "qrun.FusedMatMul", 1, nil, one, w, bias), ramp(t, 4, 3, 5)))
	wantErr(t, "cannot broadcast", "qrun.FusedMatMul", 1, at, x, w, bias, ramp(t, 2, 4, 5))
}

// The sum with a value whose shape only a run tells is taken into the product.
func TestFuseUnprovenResidual(t *testing.T) {
	all := "products product-bias residual"
	x, z := mIn("x", mSpec(tensor.Float32, "N", 4, 6)), mIn("z", mSpec(tensor.Float32, "M", 4, 6))
	for name, f := range map[string]fusion{
		"either": {[]any{x, z, weight("w", 6, 6), weight("b", 6), mNode("MatMul", "x w", "a"), mNode("Add", "a b", "c"), mNode("Add", "z c", "y"), mOut("y")}, all, "FusedMatMul", 1e-5},
		"one that is surely repeated stays": {[]any{x, mIn("z", mSpec(tensor.Float32, 1, 4, 6)), weight("w", 6, 6), mNode("MatMul", "x w", "a"), mNode("Add", "a z", "y"), mOut("y")}, all,
			"FusedMatMul Add", 0},
		"another rank stays": {[]any{x, mIn("z", mSpec(tensor.Float32, 4, 6)), weight("w", 6, 6), mNode("MatMul", "x w", "a"), mNode("Add", "a z", "y"), mOut("y")}, all,
			"FusedMatMul Add", 1e-5},
	} {
		t.Run(name, f.test)
	}
}
