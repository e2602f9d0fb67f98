package ops

import (
	"math"
	"testing"
)

func TestActivations(t *testing.T) {
	cond := func(c bool, a, b float64) float64 {
		if c {
			return a
		}
		return b
	}
	clip01 := func(x float64) float64 { return min(max(x, 0), 1) }
	for _, c := range []struct {
		op    string
		opset int
		at    attrs
		f     func(x float64) float64
		tol   float64
	}{
		{"Relu", 6, nil, func(x float64) float64 { return cond(x < 0, 0, x) }, 0},
		{"LeakyRelu", 6, nil, func(x float64) float64 { return cond(x < 0, float64(float32(0.01))*x, x) }, 1e-7},
		{"LeakyRelu", 16, attrs{"alpha": 0.25}, func(x float64) float64 { return cond(x < 0, 0.25*x, x) }, 0},
		{"ThresholdedRelu", 10, attrs{"alpha": 0.5}, func(x float64) float64 { return cond(x > 0.5, x, 0) }, 0},
		{"Elu", 6, attrs{"alpha": 1.5}, func(x float64) float64 { return cond(x < 0, 1.5*math.Expm1(x), x) }, 1e-6},
		{"Selu", 6, attrs{"alpha": 1.5, "gamma": 2.0}, func(x float64) float64 { return cond(x < 0, 3*math.Expm1(x), 2*x) }, 1e-6},
		{"Celu", 12, attrs{"alpha": 2.0}, func(x float64) float64 { return cond(x < 0, 2*math.Expm1(x/2), x) }, 1e-6},
		{"HardSigmoid", 6, attrs{"alpha": 0.25, "beta": 0.5}, func(x float64) float64 { return clip01(0.25*x + 0.5) }, 1e-7},
		{"Sigmoid", 6, nil, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, 1e-6},
		{"Tanh", 6, nil, math.Tanh, 1e-6},
		{"Softsign", 1, nil, func(x float64) float64 { return x / (1 + math.Abs(x)) }, 1e-7},
		{"Softplus", 1, nil, func(x float64) float64 { return cond(x > 30, x, math.Log1p(math.Exp(x))) }, 1e-6},
		{"Swish", 24, attrs{"alpha": 0.5}, func(x float64) float64 { return x / (1 + math.Exp(-x/2)) }, 1e-6},
		{"qrun.Silu", 1, nil, func(x float64) float64 { return x / (1 + math.Exp(-x)) }, 1e-6},
		{"com.microsoft.QuickGelu", 1, attrs{"alpha": 1.5}, func(x float64) float64 { return x / (1 + math.Exp(-1.5*x)) }, 1e-6},
		{"Shrink", 9, attrs{"lambd": 0.5, "bias": 0.25}, func(x float64) float64 {
			return cond(x > 0.5, x-0.25, cond(x < -0.5, x+0.25, 0))
		}, 1e-7},
	} {
		t.Run(c.op, func(t *testing.T) {
			wantUnary(t, c.op, c.opset, c.at, func(x float64) float64 {
				if math.IsNaN(x) && (c.op == "ThresholdedRelu" || c.op == "Shrink") {
					return 0 // no comparison holds
				}
				return c.f(x)
			}, c.tol)
		})
	}
	wantErr(t, `attribute "beta" is not known`, "Elu", 6, attrs{"beta": 1.0}, ramp(t, 3))
	wantErr(t, `want one of none, tanh`, "Gelu", 20, attrs{"approximate": "erf"}, ramp(t, 3))
}

// Gelu and its relatives at infinity are what their formulas give in floating point, so finite values are compared.
func TestGelu(t *testing.T) {
	x, bias := ramp(t, 4, 50), ramp(t, 50)
	apply := func(f func(float64) float64, withBias bool) []float32 {
		y := make([]float32, 200)
		for i := range y {
			v := elements(x)[i].(float64)
			if withBias {
				v = float64(float32(v) + float32(elements(bias)[i%50].(float64)))
			}
			y[i] = float32(f(v))
		}
		return y
	}
	exact := func(x float64) float64 { return 0.5 * x * (1 + math.Erf(x/math.Sqrt2)) }
	tanh := func(x float64) float64 { return 0.5 * x * (1 + math.Tanh(0.7978845608*(x+0.044715*x*x*x))) }
	wantClose(t, runOp(t, "Gelu", 20, nil, x), of(t, apply(exact, false), 4, 50), 1e-6)
	wantClose(t, runOp(t, "com.microsoft.Gelu", 1, nil, x), of(t, apply(exact, false), 4, 50), 1e-6)
	wantClose(t, runOp(t, "Gelu", 20, attrs{"approximate": "tanh"}, x), of(t, apply(tanh, false), 4, 50), 1e-6)
	wantClose(t, runOp(t, "com.microsoft.FastGelu", 1, nil, x), of(t, apply(tanh, false), 4, 50), 1e-6)
	wantClose(t, runOp(t, "com.microsoft.FastGelu", 1, nil, x, bias), of(t, apply(tanh, true), 4, 50), 1e-6)
	wantClose(t, runOp(t, "com.microsoft.BiasGelu", 1, nil, x, bias), of(t, apply(exact, true), 4, 50), 1e-6)
	wantErr(t, "bias is float32[4 50]", "com.microsoft.BiasGelu", 1, nil, x, x)
	wantErr(t, "input 1 is missing", "com.microsoft.BiasGelu", 1, nil, x)
}

func TestPRelu(t *testing.T) {
	x := of(t, []float32{-1, 2, -3, 4, -5, 6}, 1, 2, 3)
	wantTensor(t, runOp(t, "PRelu", 16, nil, x, of(t, []float32{2, 3}, 2, 1)), of(t, []float32{-2, 2, -6, 4, -15, 6}, 1, 2, 3))
	wantTensor(t, runOp(t, "PRelu", 16, nil, x, of(t, []float32{1, 2, 3})), of(t, []float32{-1, 2, -9, 4, -10, 6}, 1, 2, 3))
	wantTensor(t, runOp(t, "PRelu", 6, nil, x, of(t, []float32{2, 3})), of(t, []float32{-2, 2, -6, 4, -15, 6}, 1, 2, 3))
	wantTensor(t, runOp(t, "PRelu", 6, nil, x, of(t, []float32{2}, 1)), of(t, []float32{-2, 2, -6, 4, -10, 6}, 1, 2, 3))
	wantTensor(t, runOp(t, "PRelu", 16, nil, of(t, []int32{-2, 2}), of(t, []int32{3}, 1)), of(t, []int32{-6, 2}))
	wantErr(t, "slope is float32[2], which does not broadcast to float32[1 2 3]", "PRelu", 16, nil, x, of(t, []float32{1, 2}))
}
