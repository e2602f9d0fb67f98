package ops

import (
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

func TestEinsum(t *testing.T) {
	mat := func(x *tensor.Tensor, y *tensor.Tensor) *tensor.Tensor { return runOp(t, "MatMul", 13, nil, x, y) }
	turn := func(x *tensor.Tensor, perm ...int) *tensor.Tensor {
		return runOp(t, "Transpose", 13, attrs{"perm": perm}, x)
	}
	sum := func(x *tensor.Tensor, axes ...int64) *tensor.Tensor {
		return runOp(t, "ReduceSum", 13, attrs{"keepdims": 0}, x, indices(t, axes...))
	}
	a, b, c := ramp(t, 2, 3, 4), ramp(t, 2, 4, 5), ramp(t, 5, 4)
	square := ramp(t, 3, 3)
	diagonal := runOp(t, "GatherND", 13, nil, square, of(t, []int64{0, 0, 1, 1, 2, 2}, 3, 2))
	for _, k := range []struct {
		eq   string
		in   []*tensor.Tensor
		want *tensor.Tensor
	}{
		{"bij,bjk->bik", []*tensor.Tensor{a, b}, mat(a, b)},
		{"bij,bjk", []*tensor.Tensor{a, b}, sum(mat(a, b), 0)}, // labels that occur once, by the alphabet
		{" b i j , b j k -> k b i ", []*tensor.Tensor{a, b}, turn(mat(a, b), 2, 0, 1)},
		{"bij,kj->bik", []*tensor.Tensor{a, c}, mat(a, turn(c, 1, 0))},
		{"...ij,...jk->...ik", []*tensor.Tensor{a, b}, mat(a, b)},
		{"...j,kj->...k", []*tensor.Tensor{a, c}, mat(a, turn(c, 1, 0))},
		{"bij->jb", []*tensor.Tensor{a}, turn(sum(a, 1), 1, 0)},
		{"bij->", []*tensor.Tensor{a}, sum(a, 0, 1, 2)},
		{"i...->...", []*tensor.Tensor{a}, sum(a, 0)},
		{"ii->i", []*tensor.Tensor{square}, diagonal},
		{"ii", []*tensor.Tensor{square}, sum(diagonal, 0)},
		{"ij,ij->ij", []*tensor.Tensor{square, square}, runOp(t, "Mul", 14, nil, square, square)},
		{"bij,bjk,lk->bil", []*tensor.Tensor{a, b, ramp(t, 6, 5)}, mat(mat(a, b), turn(ramp(t, 6, 5), 1, 0))},
		{",ij->ij", []*tensor.Tensor{of(t, []float32{2}), square}, runOp(t, "Mul", 14, nil, square, of(t, []float32{2}))},
		{"b...,bj->j", []*tensor.Tensor{ramp(t, 2, 3), ramp(t, 2, 4)}, sum(runOp(t, "Mul", 14, nil, runOp(t, "Unsqueeze", 13, nil, sum(ramp(t, 2, 3), 1), indices(t, 1)), ramp(t, 2, 4)), 0)},
	} {
		// the tolerance is for another order of summation
		wantClose(t, runOp(t, "Einsum", 12, attrs{"equation": k.eq}, k.in...), k.want, 1e-5)
	}
	y := runOp(t, "Einsum", 12, attrs{"equation": "ij,jk->ik"}, of(t, []int64{1, 2, 3, 4}, 2, 2), of(t, []int64{5, 6, 7, 8}, 2, 2))
	wantTensor(t, y, of(t, []int64{19, 22, 43, 50}, 2, 2))
	wantTensor(t, runOp(t, "Einsum", 12, attrs{"equation": "ij,jk->ik"}, ramp(t, 2, 0), ramp(t, 0, 2)), of(t, make([]float32, 4), 2, 2))
	for text, eq := range map[string]string{
		"has 1 terms for 2 inputs":        "ij->ij",
		`has 'z' only in the output`:      "ij,jk->iz",
		`has 'i' twice in the output`:     "ij,jk->ii",
		`has '!'`:                         "i!,jk->i",
		"two ellipses":                    "......,jk->",
		"for an input of 2 dimensions":    "ijk,jk->i",
		`label 'j' has sizes 3 and 4`:     "ij,jk->ik",
		`attribute "equation" is missing`: "",
	} {
		at := attrs{"equation": eq}
		if eq == "" {
			at = nil
		}
		wantErr(t, text, "Einsum", 12, at, ramp(t, 2, 3), ramp(t, 4, 3))
	}
}

func TestDet(t *testing.T) {
	x := of(t, []float32{1, 2, 3, 4, 0, 1, 1, 0, 2, 4, 1, 2}, 3, 2, 2)
	wantClose(t, runOp(t, "Det", 11, nil, x), of(t, []float32{-2, -1, 0}), 1e-6)
	wantClose(t, runOp(t, "Det", 22, nil, of(t, []float64{2, 0, 1, 1, 3, 2, 1, 1, 4}, 3, 3)), of(t, []float64{18}), 1e-12)
	wantTensor(t, runOp(t, "Det", 11, nil, ramp(t, 0, 0)), of(t, []float32{1}))
	wantErr(t, "want square matrices", "Det", 11, nil, ramp(t, 2, 3))
}
