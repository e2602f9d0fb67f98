package ops

import (
	"math"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

// normTol covers float32 sums in another order and the kernels' fused steps.
const normTol = 5e-6

// refNorm normalizes rows of n elements, with an optional sum with the rows of add (repeated) and bias.
func refNorm(x []float64, n int, eps float64, rms bool, gamma, beta []float64) (y, mean, inv []float64) {
	for at := 0; at < len(x); at += n {
		m, sq := 0.0, 0.0
		for _, v := range x[at : at+n] {
			m += v / float64(n)
		}
		if rms {
			m = 0
		}
		for _, v := range x[at : at+n] {
			sq += (v - m) * (v - m) / float64(n)
		}
		s := 1 / math.Sqrt(sq+eps)
		mean, inv = append(mean, m), append(inv, s)
		for i, v := range x[at : at+n] {
			v = (v - m) * s
			if gamma != nil {
				v *= gamma[i]
			}
			if beta != nil {
				v += beta[i]
			}
			y = append(y, v)
		}
	}
	return y, mean, inv
}

// wantValues fails unless a float32 tensor is close to the values.
func wantValues(t *testing.T, got *tensor.Tensor, want []float64) {
	t.Helper()
	if got == nil {
		t.Fatal("got nothing")
	}
	w, err := tensor.New(tensor.Float64, got.Shape()...)
	if err != nil {
		t.Fatal(err)
	}
	copy(tensor.View[float64](w), want)
	wantClose(t, castTo(t, tensor.Float64, got), w, normTol)
}

func evalAll(t *testing.T, op string, opset int, at attrs, nOut int, in ...*tensor.Tensor) []*tensor.Tensor {
	t.Helper()
	out, err := tryOp(t, op, opset, at, nOut, in...)
	if err != nil {
		t.Fatalf("%s-%d: %v", op, opset, err)
	}
	return out
}

func TestLayerNormalization(t *testing.T) {
	x := ramp(t, 4, 5, 33)
	for _, c := range []struct {
		axis, n int
		shape   []int
	}{{-1, 33, []int{33}}, {1, 165, []int{5, 33}}, {0, 660, []int{4, 5, 33}}, {-2, 165, []int{1, 5, 33}}} {
		gamma, beta := ramp(t, c.shape...), ramp(t, c.shape...)
		y, mean, inv := refNorm(float64s(x), c.n, 0.25, false, float64s(gamma), float64s(beta))
		out := evalAll(t, "LayerNormalization", 17, attrs{"axis": c.axis, "epsilon": 0.25}, 3, x, gamma, beta)
		wantValues(t, out[0], y)
		wantValues(t, out[1], mean)
		wantValues(t, out[2], inv)
		double := castTo(t, tensor.Float64, x)
		out = evalAll(t, "LayerNormalization", 17, attrs{"axis": c.axis, "epsilon": 0.25}, 3, double, castTo(t, tensor.Float64, gamma), castTo(t, tensor.Float64, beta))
		wantValues(t, out[0], y)
		wantValues(t, out[2], inv)
		y, _, inv = refNorm(float64s(x), c.n, 0.25, true, float64s(gamma), nil)
		wantValues(t, runOp(t, "RMSNormalization", 23, attrs{"axis": c.axis, "epsilon": 0.25}, x, gamma), y)
		out = evalAll(t, "SimplifiedLayerNormalization", 17, attrs{"axis": c.axis, "epsilon": 0.25}, 2, x, gamma)
		wantValues(t, out[0], y)
		wantValues(t, out[1], inv)
	}
	plain, _, _ := refNorm(float64s(x), 165, 1e-5, false, nil, nil)
	for i := range plain {
		plain[i] = plain[i]*float64(i/33%5+1) + 0.5
	}
	scale := of(t, []float32{1, 2, 3, 4, 5}, 5, 1)
	wantValues(t, runOp(t, "LayerNormalization", 17, attrs{"axis": 1}, x, scale, of(t, []float32{0.5}, 1)), plain)
	wantErr(t, "scale is float32[5], which does not broadcast", "LayerNormalization", 17, nil, x, of(t, []float32{1, 2, 3, 4, 5}))
	wantErr(t, "attribute stash_type=16 is not supported", "LayerNormalization", 17, attrs{"stash_type": 16}, x, scale)
	wantErr(t, "input is a scalar", "LayerNormalization", 17, nil, ramp(t), ramp(t))
	wantTensor(t, runOp(t, "LayerNormalization", 17, nil, ramp(t, 0, 3), ramp(t, 3)), ramp(t, 0, 3))
}

func TestSkipLayerNormalization(t *testing.T) {
	x, gamma, beta, bias := ramp(t, 3, 5, 32), ramp(t, 32), of(t, tensor.View[float32](ramp(t, 33))[1:]), of(t, tensor.View[float32](ramp(t, 40))[8:])
	for _, shape := range [][]int{{3, 5, 32}, {1, 5, 32}, {5, 32}} {
		skip := ramp(t, shape...)
		sum := make([]float64, x.Len())
		for i := range sum {
			sum[i] = float64s(x)[i] + float64s(skip)[i%skip.Len()] + float64s(bias)[i%32]
		}
		y, mean, inv := refNorm(sum, 32, 1e-5, false, float64s(gamma), float64s(beta))
		out := evalAll(t, "com.microsoft.SkipLayerNormalization", 1, attrs{"epsilon": 1e-5}, 4, x, skip, gamma, beta, bias)
		for i, want := range [][]float64{y, mean, inv, sum} {
			wantValues(t, out[i], want)
		}
		y, _, inv = refNorm(sum, 32, 1e-5, true, float64s(gamma), nil)
		out = evalAll(t, "com.microsoft.SkipSimplifiedLayerNormalization", 1, attrs{"epsilon": 1e-5}, 4, x, skip, gamma, bias)
		wantValues(t, out[0], y)
		wantValues(t, out[2], inv)
		wantValues(t, out[3], sum)
	}
	wantErr(t, "skip is float32[2 5 32], want float32[3 5 32] or one batch of it", "com.microsoft.SkipLayerNormalization", 1, nil, x, ramp(t, 2, 5, 32), gamma)
	wantErr(t, "input 2 is float32[31]", "com.microsoft.SkipLayerNormalization", 1, nil, x, x, ramp(t, 31))
}

func TestEmbedLayerNormalization(t *testing.T) {
	ids, segs, mask := of(t, []int32{3, 0, 2, 1, 1, 3}, 2, 3), of(t, []int32{0, 1, 1, 0, 0, 0}, 2, 3), of(t, []int32{1, 1, 0, 1, 1, 1}, 2, 3)
	word, pos, seg, gamma, beta := ramp(t, 4, 8), ramp(t, 5, 8), ramp(t, 2, 8), ramp(t, 8), ramp(t, 8)
	sum := make([]float64, 48)
	row := func(x *tensor.Tensor, r, i int) float64 { return float64s(x)[r*8+i] }
	for i := range sum {
		k := i / 8
		sum[i] = row(word, int(elements(ids)[k].(int32)), i%8) + row(pos, k%3, i%8) + row(seg, int(elements(segs)[k].(int32)), i%8)
	}
	y, _, _ := refNorm(sum, 8, 1e-5, false, float64s(gamma), float64s(beta))
	out := evalAll(t, "com.microsoft.EmbedLayerNormalization", 1, attrs{"epsilon": 1e-5}, 3, ids, segs, word, pos, seg, gamma, beta, mask)
	wantValues(t, out[0], y)
	wantTensor(t, out[1], of(t, []int32{2, 3}))
	wantValues(t, out[2], sum)
	bad := of(t, []int32{3, 0, 4}, 1, 3)
	wantErr(t, "index 4 is out of range for an embedding of 4 rows", "com.microsoft.EmbedLayerNormalization", 1, nil, bad, nil, word, pos, nil, gamma, beta)
	wantErr(t, "must come together", "com.microsoft.EmbedLayerNormalization", 1, nil, bad, bad, word, pos, nil, gamma, beta)
	wantErr(t, "want the shape of input_ids", "com.microsoft.EmbedLayerNormalization", 1, nil, ids, bad, word, pos, seg, gamma, beta)
}

func TestBatchNormalization(t *testing.T) {
	scale, bias := of(t, []float32{1, 2, -1}), of(t, []float32{0, 0.5, 1})
	mean, variance := of(t, []float32{0.5, -1, 0}), of(t, []float32{1, 4, 0.25})
	for _, shape := range [][]int{{2, 3}, {2, 3, 4, 5}, {4, 3, 1}, {0, 3, 2}} {
		x := ramp(t, shape...)
		inner := max(1, x.Len()/max(1, shape[0])/3)
		want := make([]float64, x.Len())
		for i, v := range float64s(x) {
			ch := i / inner % 3
			p := func(q *tensor.Tensor) float64 { return float64s(q)[ch] }
			want[i] = (v-p(mean))/math.Sqrt(p(variance)+0.125)*p(scale) + p(bias)
		}
		for _, opset := range []int{6, 7, 9, 15} {
			wantValues(t, runOp(t, "BatchNormalization", opset, attrs{"epsilon": 0.125}, x, scale, bias, mean, variance), want)
		}
		double := func(q *tensor.Tensor) *tensor.Tensor { return castTo(t, tensor.Float64, q) }
		wantValues(t, runOp(t, "BatchNormalization", 15, attrs{"epsilon": 0.125}, double(x), double(scale), double(bias), double(mean), double(variance)), want)
	}
	x := of(t, []float32{1, 10, 3, 30, 5, 20}, 3, 2)
	s, z := of(t, []float32{1, 1}), of(t, []float32{0, 0})
	out := evalAll(t, "BatchNormalization", 15, attrs{"training_mode": 1, "momentum": 0.5, "epsilon": 0.0}, 3, x, s, z, of(t, []float32{1, 0}), of(t, []float32{0, 1}))
	d0, d1 := math.Sqrt(8.0/3), math.Sqrt(200.0/3)
	wantValues(t, out[0], []float64{-2 / d0, -10 / d1, 0, 10 / d1, 2 / d0, 0})
	wantValues(t, out[1], []float64{2, 10})
	wantValues(t, out[2], []float64{4.0 / 3, (200.0/3 + 1) / 2})
	each := of(t, []float32{1, 2, 3, 4}, 2, 2)
	wantValues(t, runOp(t, "BatchNormalization", 7, attrs{"spatial": 0, "epsilon": 0.0}, of(t, []float32{1, 1, 1, 1}, 1, 2, 2), each, each, each, each),
		[]float64{1, 2 - 2/math.Sqrt2, 3 - 6/math.Sqrt(3), -2})
	wantErr(t, "input 1 is float32[2], want one dimension, the channels", "BatchNormalization", 15, nil, ramp(t, 2, 3), s, z, s, s)
	if _, err := tryOp(t, "BatchNormalization", 9, nil, 5, x, s, z, z, s); err == nil {
		t.Error("training before opset 14 is accepted")
	}
}

func TestGroupAndInstanceNormalization(t *testing.T) {
	x, scale, bias := ramp(t, 2, 6, 4, 5), ramp(t, 6), of(t, tensor.View[float32](ramp(t, 7))[1:])
	check := func(got *tensor.Tensor, group int, param func(ch int) int, scale, bias *tensor.Tensor) {
		t.Helper()
		want, _, _ := refNorm(float64s(x), group*20, 1e-5, false, nil, nil)
		for i := range want {
			p := param(i / 20 % 6)
			want[i] = want[i]*float64s(scale)[p] + float64s(bias)[p]
		}
		wantValues(t, got, want)
	}
	same := func(ch int) int { return ch }
	check(runOp(t, "InstanceNormalization", 6, nil, x, scale, bias), 1, same, scale, bias)
	check(runOp(t, "GroupNormalization", 21, attrs{"num_groups": 3}, x, scale, bias), 2, same, scale, bias)
	s3, b3 := ramp(t, 3), ramp(t, 3)
	check(runOp(t, "GroupNormalization", 18, attrs{"num_groups": 3}, x, s3, b3), 2, func(ch int) int { return ch / 2 }, s3, b3)
	d := func(q *tensor.Tensor) *tensor.Tensor { return castTo(t, tensor.Float64, q) }
	check(runOp(t, "GroupNormalization", 21, attrs{"num_groups": 3}, d(x), d(scale), d(bias)), 2, same, scale, bias)
	wantErr(t, "6 channels do not divide into 4 groups", "GroupNormalization", 21, attrs{"num_groups": 4}, x, scale, bias)
	wantErr(t, `attribute "num_groups" is missing`, "GroupNormalization", 21, nil, x, scale, bias)
	wantErr(t, "input 1 is float32[6], want one element for each of 3 groups", "GroupNormalization", 18, attrs{"num_groups": 3}, x, scale, bias)
}

func TestAxisNormalizations(t *testing.T) {
	x := of(t, []float32{3, 0, -4, 0}, 2, 2)
	wantValues(t, runOp(t, "LpNormalization", 1, attrs{"axis": 0}, x), []float64{0.6, 0, -0.8, 0})
	wantValues(t, runOp(t, "LpNormalization", 22, attrs{"axis": 0, "p": 1}, x), []float64{3. / 7, 0, -4. / 7, 0})
	wantErr(t, "attribute p=3 is not supported", "LpNormalization", 1, attrs{"p": 3}, x)
	wantErr(t, "axis 2 is out of range", "LpNormalization", 1, attrs{"axis": 2}, x)
	wantValues(t, runOp(t, "MeanVarianceNormalization", 13, attrs{"axes": []int{1}}, x), []float64{1, -1, -1, 1})
	wantErr(t, "axis 2 is out of range", "MeanVarianceNormalization", 13, nil, x)
	lrn := runOp(t, "LRN", 13, attrs{"size": 3, "alpha": 3.0, "beta": 1.0, "bias": 1.0}, of(t, []float32{1, 2, 3, 4}, 1, 4))
	wantValues(t, lrn, []float64{1. / 6, 2. / 15, 3. / 30, 4. / 26})
	lrn = runOp(t, "LRN", 13, attrs{"size": 2, "alpha": 2.0, "beta": 1.0, "bias": 1.0}, of(t, []float32{1, 2, 3}, 1, 3, 1))
	wantValues(t, lrn, []float64{1. / 6, 2. / 14, 3. / 10})
}
