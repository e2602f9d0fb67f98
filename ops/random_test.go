package ops

import (
	"math"
	"testing"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// moments are the mean and the standard deviation.
func moments(t *testing.T, x *tensor.Tensor) (mean, deviation float64) {
	t.Helper()
	f, err := toFloats(x)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range f {
		mean += v / float64(len(f))
	}
	for _, v := range f {
		deviation += (v - mean) * (v - mean) / float64(len(f))
	}
	return mean, math.Sqrt(deviation)
}

// The bounds are five standard errors of 10000 draws.
func TestRandomMoments(t *testing.T) {
	like := ramp(t, 100, 100)
	for _, c := range []struct {
		op              string
		at              attrs
		in              []*tensor.Tensor
		mean, deviation float64
	}{
		{"RandomNormal", attrs{"shape": []int{10000}, "mean": 3.0, "scale": 2.0}, nil, 3, 2},
		{"RandomUniform", attrs{"shape": []int{100, 100}, "low": -1.0, "high": 5.0}, nil, 2, 6 / math.Sqrt(12)},
		{"RandomNormalLike", attrs{"dtype": int(tensor.Float64)}, []*tensor.Tensor{like}, 0, 1},
		{"RandomUniformLike", nil, []*tensor.Tensor{like}, 0.5, 1 / math.Sqrt(12)},
		{"Bernoulli", attrs{"dtype": int(tensor.Int32)}, []*tensor.Tensor{runOp(t, "Expand", 13, nil, of(t, []float32{0.3}), indices(t, 10000))}, 0.3, math.Sqrt(0.21)},
		{"Multinomial", attrs{"sample_size": 10000}, []*tensor.Tensor{of(t, []float32{0, float32(math.Log(3))}, 1, 2)}, 0.75, math.Sqrt(0.1875)},
	} {
		for _, seed := range []bool{true, false} {
			at := attrs{}
			for k, v := range c.at {
				at[k] = v
			}
			if seed {
				at["seed"] = 1.5
			}
			x := runOp(t, c.op, 22, at, c.in...)
			mean, deviation := moments(t, x)
			if math.Abs(mean-c.mean) > 0.05*c.deviation || math.Abs(deviation-c.deviation) > 0.05*c.deviation {
				t.Errorf("%s: mean %v and deviation %v, want %v and %v", c.op, mean, deviation, c.mean, c.deviation)
			}
			again := runOp(t, c.op, 22, at, c.in...)
			if same := string(again.Bytes()) == string(x.Bytes()); same != seed {
				t.Errorf("%s, seed %v: two runs equal: %v", c.op, seed, same)
			}
		}
	}
}

func TestRandomForms(t *testing.T) {
	def := findDef(t, "RandomUniform", 22)
	for _, seed := range []bool{true, false} {
		list := attrs{"shape": []int{2}}.list(t)
		if seed {
			list = append(list, graph.FloatA("seed", 1))
		}
		op, err := def.New(graph.NewAttrs("", "RandomUniform", 22, list...))
		if err != nil {
			t.Fatal(err)
		}
		if _, impure := op.(graph.Impure); impure == seed {
			t.Errorf("seed %v: kept from folding: %v", seed, impure)
		}
	}
	wantTensor(t, runOp(t, "Bernoulli", 15, nil, of(t, []float64{0, 1, 0, 1}, 2, 2)), of(t, []float64{0, 1, 0, 1}, 2, 2))
	wantErr(t, "is larger than", "RandomNormal", 1, attrs{"shape": []int{1 << 20, 1 << 20}})
	wantErr(t, "not supported: attribute dtype of type string", "RandomNormal", 1, attrs{"shape": []int{1}, "dtype": int(tensor.String)})
	wantErr(t, "not supported: output of type int64", "RandomNormalLike", 1, nil, indices(t, 1))
	wantErr(t, "has no classes", "Multinomial", 7, nil, ramp(t, 1, 0))
}
