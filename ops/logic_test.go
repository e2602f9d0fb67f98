package ops

import (
	"math"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

func TestCompare(t *testing.T) {
	nan := float32(math.NaN())
	a, b := of(t, []float32{1, 2, 3, nan}), of(t, []float32{2, 2, 2, nan})
	for op, want := range map[string][]bool{
		"Equal": {false, true, false, false}, "Greater": {false, false, true, false}, "Less": {true, false, false, false},
		"GreaterOrEqual": {false, true, true, false}, "LessOrEqual": {true, true, false, false},
	} {
		wantTensor(t, runOp(t, op, 16, nil, a, b), of(t, want))
	}
	wantTensor(t, runOp(t, "Less", 13, nil, of(t, []uint64{1, math.MaxUint64}), of(t, []uint64{2})), of(t, []bool{true, false}))
	wantTensor(t, runOp(t, "Less", 13, nil, of(t, []int64{5}), of(t, []int64{1, 9}, 2, 1)), of(t, []bool{false, true}, 2, 1))
	wantTensor(t, runOp(t, "Equal", 19, nil, of(t, []string{"a", "b"}), of(t, []string{"b"})), of(t, []bool{false, true}))
	wantTensor(t, runOp(t, "Equal", 19, nil, of(t, []bool{true, false}), of(t, []bool{false})), of(t, []bool{false, true}))
	x, y := of(t, []bool{false, false, true, true}), of(t, []bool{false, true, false, true})
	wantTensor(t, runOp(t, "And", 7, nil, x, y), of(t, []bool{false, false, false, true}))
	wantTensor(t, runOp(t, "Or", 7, nil, x, y), of(t, []bool{false, true, true, true}))
	wantTensor(t, runOp(t, "Xor", 7, nil, x, y), of(t, []bool{false, true, true, false}))
	for _, one := range []bool{false, true} {
		z := of(t, []bool{one}, 1)
		for name, f := range map[string]func(bool) bool{"And": func(v bool) bool { return v && one }, "Or": func(v bool) bool { return v || one }, "Xor": func(v bool) bool { return v != one }} {
			want := of(t, []bool{f(false), f(true)})
			wantTensor(t, runOp(t, name, 7, nil, of(t, []bool{false, true}), z), want)
			wantTensor(t, runOp(t, name, 7, nil, z, of(t, []bool{false, true})), want)
			wantTensor(t, runOp(t, name, 7, nil, z, of(t, []bool{true}, 1)), of(t, []bool{f(true)}, 1))
		}
	}
	wantTensor(t, runOp(t, "And", 6, attrs{"broadcast": 1, "axis": 0}, of(t, []bool{true, true, true, true}, 2, 2), of(t, []bool{true, false})), of(t, []bool{true, true, false, false}, 2, 2))
	wantTensor(t, runOp(t, "Not", 1, nil, x), of(t, []bool{true, true, false, false}))
	wantErr(t, "type float32", "And", 7, nil, a, b)
}

func TestWhere(t *testing.T) {
	cond := of(t, []bool{true, false, false, true}, 2, 2)
	wantTensor(t, runOp(t, "Where", 16, nil, cond, of(t, []float32{1, 2}), of(t, []float32{-1, -2}, 2, 1)), of(t, []float32{1, -1, -2, 2}, 2, 2))
	wantTensor(t, runOp(t, "Where", 16, nil, of(t, []bool{true, false}, 2, 1), of(t, []int64{1, 2}), of(t, []int64{-1, -2})), of(t, []int64{1, 2, -1, -2}, 2, 2))
	wantTensor(t, runOp(t, "Where", 16, nil, of(t, []bool{false}), of(t, []string{"a", "b"}), of(t, []string{"c"})), of(t, []string{"c", "c"}))
	wantTensor(t, runOp(t, "Where", 16, nil, cond, of(t, []complex128{1}), of(t, []complex128{2})), of(t, []complex128{1, 2, 2, 1}, 2, 2))
	wantErr(t, "condition of type int64", "Where", 16, nil, of(t, []int64{1}), cond, cond)
}

func TestClip(t *testing.T) {
	x := of(t, []float32{-3, 0, 3})
	wantTensor(t, runOp(t, "Clip", 6, attrs{"min": -1.0, "max": 2.0}, x), of(t, []float32{-1, 0, 2}))
	wantTensor(t, runOp(t, "Clip", 6, nil, x), x)
	wantTensor(t, runOp(t, "Clip", 13, nil, x, of[float32](t, []float32{-1}), of(t, []float32{2})), of(t, []float32{-1, 0, 2}))
	wantTensor(t, runOp(t, "Clip", 13, nil, x, nil, tensor.Scalar[float32](2)), of(t, []float32{-3, 0, 2}))
	wantTensor(t, runOp(t, "Clip", 13, nil, x, tensor.Scalar[float32](2), tensor.Scalar[float32](1)), of(t, []float32{1, 1, 1}))
	wantTensor(t, runOp(t, "Clip", 12, nil, of(t, []int8{-100, 100}), tensor.Scalar[int8](-5)), of(t, []int8{-5, 100}))
	wantErr(t, "limit is float32[3]", "Clip", 13, nil, x, x)
	wantErr(t, "inputs of types", "Clip", 13, nil, x, tensor.Scalar[int8](2))
}
