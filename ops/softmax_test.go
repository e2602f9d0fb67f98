package ops

import (
	"fmt"
	"math"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

// refSoftmax computes along the dimension of size n in [outer, n, inner].
func refSoftmax(kind string, x []float64, outer, n, inner int) []float64 {
	y := make([]float64, len(x))
	for r := range outer * inner {
		at := func(k int) int { return r/inner*n*inner + k*inner + r%inner }
		top, best := math.Inf(-1), 0
		for k := range n {
			if x[at(k)] > top {
				top, best = x[at(k)], k
			}
		}
		sum := 0.0
		for k := range n {
			sum += math.Exp(x[at(k)] - top)
		}
		for k := range n {
			switch v := x[at(k)] - top; kind {
			case "Softmax":
				y[at(k)] = math.Exp(v) / sum
			case "LogSoftmax":
				y[at(k)] = v - math.Log(sum)
			default:
				y[at(k)] = float64(b2i(k == best))
			}
		}
	}
	return y
}

func TestSoftmax(t *testing.T) {
	for _, op := range []string{"Softmax", "LogSoftmax", "Hardmax"} {
		for _, c := range []struct {
			opset, axis     int
			shape           []int
			outer, n, inner int
		}{
			{13, -1, []int{3, 5, 70}, 15, 70, 1}, {13, 1, []int{3, 5, 70}, 3, 5, 70}, {13, 0, []int{3, 5, 700}, 1, 3, 3500},
			{11, 1, []int{3, 5, 70}, 3, 350, 1}, {11, -1, []int{3, 5, 70}, 15, 70, 1}, {9, 0, []int{3, 5, 7}, 1, 105, 1},
			{13, 0, []int{}, 1, 1, 1}, {13, 1, []int{0, 4}, 0, 4, 1}, {13, 1, []int{4, 0}, 4, 0, 1}, {13, 1, []int{2, 3, 1}, 2, 3, 1},
		} {
			t.Run(fmt.Sprintf("%s-%d%v", op, c.opset, c.shape), func(t *testing.T) {
				at := attrs{"axis": c.axis}
				x := ramp(t, c.shape...)
				want, err := tensor.New(tensor.Float64, c.shape...)
				if err != nil {
					t.Fatal(err)
				}
				copy(tensor.View[float64](want), refSoftmax(op, float64s(x), c.outer, c.n, c.inner))
				wantClose(t, runOp(t, op, c.opset, at, castTo(t, tensor.Float64, x)), want, 1e-12)
				// exp of the kernels is good to a few units in the last place
				wantClose(t, castTo(t, tensor.Float64, runOp(t, op, c.opset, at, x)), want, 2e-6)
			})
		}
	}
	wantErr(t, "axis 3 is out of range for rank 2", "Softmax", 13, attrs{"axis": 3}, ramp(t, 2, 2))
	wantErr(t, "input of type int64", "Softmax", 13, nil, of(t, []int64{1}))
	big := of(t, []float32{1e30, -1e30, float32(math.Inf(-1))})
	wantTensor(t, runOp(t, "Softmax", 13, nil, big), of(t, []float32{1, 0, 0}))
}
