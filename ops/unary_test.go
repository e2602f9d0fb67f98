package ops

import (
	"math"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

// special are values at which elementwise functions change their behaviour.
var special = []float32{0, float32(math.Copysign(0, -1)), 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 3, -3, 20, -20, 88, -88, 1e-30, 1e30, -1e30,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}

// wantUnary compares an operator on float32, float64 and float16 with a reference. tol is relative to max(1, |want|):
// the kernels' functions differ from the exactly rounded ones by a few units in the last place.
func wantUnary(t *testing.T, op string, opset int, at attrs, f func(float64) float64, tol float64) {
	t.Helper()
	x := append(append([]float32{}, special...), tensor.View[float32](ramp(t, 3000))...)
	y32, x64, y64 := make([]float32, len(x)), make([]float64, len(x)), make([]float64, len(x))
	x16, y16 := make([]tensor.F16, len(x)), make([]float32, len(x))
	for i, v := range x {
		x64[i] = float64(v)
		y64[i] = f(x64[i])
		y32[i] = float32(y64[i])
		x16[i] = tensor.ToF16(v)
		y16[i] = tensor.ToF16(float32(f(float64(x16[i].Float32())))).Float32()
	}
	wantClose(t, runOp(t, op, opset, at, of(t, x)), of(t, y32), tol)
	wantClose(t, runOp(t, op, opset, at, of(t, x64)), of(t, y64), 1e-14)
	half := tensor.View[tensor.F16](runOp(t, op, opset, at, of(t, x16)))
	wide := make([]float32, len(half))
	for i, v := range half {
		wide[i] = v.Float32()
	}
	wantClose(t, of(t, wide), of(t, y16), 1e-3) // one unit in the last place of float16
	for _, shape := range [][]int{{}, {0, 3}} {
		if y := runOp(t, op, opset, at, ramp(t, shape...)); y.Rank() != len(shape) {
			t.Errorf("%s of shape %v: %v", op, shape, y)
		}
	}
}

func TestUnaryMath(t *testing.T) {
	for op, f := range map[string]func(float64) float64{
		"Abs": math.Abs, "Neg": func(x float64) float64 { return -x }, "Ceil": math.Ceil, "Floor": math.Floor, "Round": math.RoundToEven,
		"Sqrt": math.Sqrt, "Reciprocal": func(x float64) float64 { return 1 / x }, "Sign": sign,
	} {
		t.Run(op, func(t *testing.T) { wantUnary(t, op, 13, nil, f, 0) })
	}
	for op, f := range map[string]func(float64) float64{
		"Exp": math.Exp, "Log": math.Log, "Erf": math.Erf, "Sin": math.Sin, "Cos": math.Cos, "Tan": math.Tan, "Asin": math.Asin,
		"Acos": math.Acos, "Atan": math.Atan, "Sinh": math.Sinh, "Cosh": math.Cosh, "Asinh": math.Asinh, "Acosh": math.Acosh, "Atanh": math.Atanh,
	} {
		t.Run(op, func(t *testing.T) { wantUnary(t, op, 13, nil, f, 1e-6) })
	}
}

func TestUnaryIntegers(t *testing.T) {
	x := of(t, []int8{-128, -3, 0, 5})
	wantTensor(t, runOp(t, "Abs", 13, nil, x), of(t, []int8{-128, 3, 0, 5}))
	wantTensor(t, runOp(t, "Neg", 13, nil, x), of(t, []int8{-128, 3, 0, -5}))
	wantTensor(t, runOp(t, "Sign", 13, nil, x), of(t, []int8{-1, -1, 0, 1}))
	wantTensor(t, runOp(t, "Sign", 13, nil, of(t, []uint64{0, math.MaxUint64})), of(t, []uint64{0, 1}))
	wantTensor(t, runOp(t, "Relu", 14, nil, x), of(t, []int8{0, 0, 0, 5}))
	wantTensor(t, runOp(t, "BitwiseNot", 18, nil, x), of(t, []int8{127, 2, -1, -6}))
	wantErr(t, "not supported: input of type int8", "Relu", 13, nil, x)
	wantErr(t, "input of type uint8", "Neg", 13, nil, of(t, []uint8{1}))
	wantErr(t, "input 0 is missing", "Abs", 13, nil)
	wantTensor(t, runOp(t, "Abs", 1, attrs{"consumed_inputs": []int{0}}, of(t, []float32{-1})), of(t, []float32{1}))
}

func TestIsNaNIsInf(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	x := of(t, []float32{1, nan, inf, -inf})
	wantTensor(t, runOp(t, "IsNaN", 13, nil, x), of(t, []bool{false, true, false, false}))
	wantTensor(t, runOp(t, "IsInf", 10, nil, x), of(t, []bool{false, false, true, true}))
	wantTensor(t, runOp(t, "IsInf", 10, attrs{"detect_negative": 0}, x), of(t, []bool{false, false, true, false}))
	wantTensor(t, runOp(t, "IsInf", 20, attrs{"detect_positive": 0}, of(t, []tensor.F16{0xfc00, 0x7c00})), of(t, []bool{true, false}))
	e5m2, err := tensor.FromBytes(tensor.Float8E5M2, []byte{0x7c, 0x7e, 0}, 3)
	if err != nil {
		t.Fatal(err)
	}
	wantTensor(t, runOp(t, "IsInf", 20, nil, e5m2), of(t, []bool{true, false, false}))
	wantTensor(t, runOp(t, "IsNaN", 20, nil, e5m2), of(t, []bool{false, true, false}))
}
