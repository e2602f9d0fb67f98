package ops

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

var reduceRefs = map[string]func(v []float64) float64{
	"ReduceSum":       refSum,
	"ReduceMean":      func(v []float64) float64 { return refSum(v) / float64(len(v)) },
	"ReduceMax":       func(v []float64) float64 { return slices.Max(append(v, math.Inf(-1))) },
	"ReduceMin":       func(v []float64) float64 { return slices.Min(append(v, math.Inf(1))) },
	"ReduceProd":      refProd,
	"ReduceL1":        func(v []float64) float64 { return refSum(refMap(v, math.Abs)) },
	"ReduceL2":        func(v []float64) float64 { return math.Sqrt(refSum(refMap(v, refSquare))) },
	"ReduceLogSum":    func(v []float64) float64 { return math.Log(refSum(v)) },
	"ReduceLogSumExp": func(v []float64) float64 { return math.Log(refSum(refMap(v, math.Exp))) },
	"ReduceSumSquare": func(v []float64) float64 { return refSum(refMap(v, refSquare)) },
}

func refSquare(x float64) float64 { return x * x }

func refProd(v []float64) float64 {
	p := 1.0
	for _, x := range v {
		p *= x
	}
	return p
}

func refSum(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s
}

func refMap(v []float64, f func(float64) float64) []float64 {
	w := make([]float64, len(v))
	for i, x := range v {
		w[i] = f(x)
	}
	return w
}

// refReduce sorts every element into the result that its kept coordinates name.
func refReduce(t *testing.T, x []float64, shape []int, axes []int, keep bool, f func([]float64) float64) *tensor.Tensor {
	t.Helper()
	outShape, full := []int{}, slices.Clone(shape)
	for i, n := range shape {
		if !slices.Contains(axes, i) {
			outShape = append(outShape, n)
			continue
		}
		full[i] = 1
	}
	n, err := tensor.Count(full)
	if err != nil {
		t.Fatal(err)
	}
	groups := make([][]float64, n)
	for i, v := range x {
		k := broadcastIndex(i, shape, full)
		groups[k] = append(groups[k], v)
	}
	y := make([]float64, n)
	for i, g := range groups {
		y[i] = f(g)
	}
	if keep {
		outShape = full
	}
	r, err := tensor.New(tensor.Float64, outShape...)
	if err != nil {
		t.Fatal(err)
	}
	copy(tensor.View[float64](r), y)
	return r
}

func TestReduce(t *testing.T) {
	for op, f := range reduceRefs {
		for _, c := range []struct {
			shape []int
			axes  []int
		}{
			{[]int{2, 3, 4, 5}, []int{1}}, {[]int{2, 3, 4, 5}, []int{3}}, {[]int{2, 3, 4, 5}, []int{0, 2}}, {[]int{2, 3, 4, 5}, []int{1, 3}},
			{[]int{2, 3, 4, 5}, []int{0, 1, 2, 3}}, {[]int{2, 3, 4, 50}, []int{0, 2}}, {[]int{70, 33}, []int{0}}, {[]int{70, 33}, []int{1}},
			{[]int{3, 1, 20}, []int{1}}, {[]int{2, 0, 3}, []int{1}}, {[]int{2, 0, 3}, []int{0}}, {[]int{2, 5}, []int{}},
		} {
			x64 := refMap(float64s(ramp(t, c.shape...)), math.Abs)
			x, err := tensor.New(tensor.Float64, c.shape...)
			if err != nil {
				t.Fatal(err)
			}
			copy(tensor.View[float64](x), x64)
			axes := make([]int64, len(c.axes))
			for i, a := range c.axes {
				axes[i] = int64(a)
				if i%2 == 0 {
					axes[i] -= int64(len(c.shape))
				}
			}
			for _, keep := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s%v%v", op, c.shape, c.axes), func(t *testing.T) {
					want := refReduce(t, x64, c.shape, c.axes, keep, f)
					at := attrs{"keepdims": b2i(keep), "noop_with_empty_axes": 1}
					wantClose(t, runOp(t, op, 18, at, x, of(t, axes, len(axes))), want, 1e-12)
					x32 := castTo(t, tensor.Float32, x)
					if len(axes) > 0 {
						old := attrs{"keepdims": b2i(keep), "axes": c.axes}
						// sums of float32 in another order than the reference's
						wantClose(t, castTo(t, tensor.Float64, runOp(t, op, 11, old, x32)), want, 2e-6)
					}
					wantClose(t, castTo(t, tensor.Float64, runOp(t, op, 18, at, x32, of(t, axes, len(axes)))), want, 2e-6)
				})
			}
		}
	}
}

func float64s(x *tensor.Tensor) []float64 {
	v := make([]float64, x.Len())
	for i, e := range elements(x) {
		v[i] = e.(float64)
	}
	return v
}

func TestReduceForms(t *testing.T) {
	x := of(t, []float32{1, 2, 3, 4}, 2, 2)
	all := of(t, []float32{10}, 1, 1)
	wantTensor(t, runOp(t, "ReduceSum", 13, nil, x), all)
	wantTensor(t, runOp(t, "ReduceSum", 11, nil, x), all)
	wantTensor(t, runOp(t, "ReduceSum", 13, nil, x, of(t, []int64{}, 0)), all)
	wantTensor(t, runOp(t, "ReduceSum", 13, attrs{"noop_with_empty_axes": 1}, x), x)
	wantTensor(t, runOp(t, "ReduceSumSquare", 18, attrs{"noop_with_empty_axes": 1}, x), of(t, []float32{1, 4, 9, 16}, 2, 2))
	wantTensor(t, runOp(t, "ReduceMax", 20, nil, of(t, []bool{false, true})), of(t, []bool{true}, 1))
	wantTensor(t, runOp(t, "ReduceMin", 20, nil, of(t, []bool{}, 0)), of(t, []bool{true}, 1))
	wantTensor(t, runOp(t, "ReduceMax", 20, nil, of(t, []int8{}, 0)), of(t, []int8{-128}, 1))
	wantTensor(t, runOp(t, "ReduceMin", 20, nil, of(t, []uint8{}, 0)), of(t, []uint8{255}, 1))
	wantTensor(t, runOp(t, "ReduceMean", 18, nil, of(t, []int64{1, 2, 4})), of(t, []int64{2}, 1))
	wantTensor(t, runOp(t, "ReduceSum", 13, nil, of(t, []uint64{math.MaxUint64, 1})), of(t, []uint64{0}, 1))
	wantTensor(t, runOp(t, "ReduceL1", 18, nil, of(t, []int32{-3, 4})), of(t, []int32{7}, 1))
	nan := float32(math.NaN())
	for _, op := range []string{"ReduceMax", "ReduceMin", "ReduceSum"} {
		wantTensor(t, runOp(t, op, 18, nil, of(t, []float32{1, nan, 3})), of(t, []float32{nan}, 1))
	}
	wantErr(t, "axis 2 is out of range for rank 2", "ReduceSum", 11, attrs{"axes": []int{2}}, x)
	wantErr(t, "axis -3 is out of range", "ReduceSum", 13, nil, x, of(t, []int64{-3}))
	wantErr(t, "input of type string", "ReduceSum", 13, nil, of(t, []string{"a"}))
	wantErr(t, "axes of type float32", "ReduceSum", 13, nil, x, x)
}

// More axes than Infer is shown the contents of: the operator makes its output when it runs.
func TestReduceUnknownAxes(t *testing.T) {
	axes := make([]int64, 3000)
	wantTensor(t, runOp(t, "ReduceSum", 13, attrs{"keepdims": 0}, of(t, []float32{1, 2, 3, 4}, 2, 2), of(t, axes)), of(t, []float32{4, 6}))
	axes[7] = 5
	wantErr(t, "axes: axis 5 is out of range", "ReduceSum", 13, nil, of(t, []float32{1, 2, 3, 4}, 2, 2), of(t, axes))
}

func TestArgMax(t *testing.T) {
	x := of(t, []float32{1, 3, 3, 2, 2, 0, -1, 5, 5, 5, 5, 4}, 2, 3, 2)
	wantTensor(t, runOp(t, "ArgMax", 13, nil, x), of(t, []int64{0, 1, 1, 1, 1, 1}, 1, 3, 2))
	wantTensor(t, runOp(t, "ArgMax", 13, attrs{"axis": 1, "keepdims": 0}, x), of(t, []int64{1, 0, 1, 0}, 2, 2))
	wantTensor(t, runOp(t, "ArgMax", 13, attrs{"axis": -2, "keepdims": 0, "select_last_index": 1}, x), of(t, []int64{1, 0, 2, 1}, 2, 2))
	wantTensor(t, runOp(t, "ArgMin", 13, attrs{"axis": 2, "keepdims": 0}, x), of(t, []int64{0, 1, 1, 0, 0, 1}, 2, 3))
	wantTensor(t, runOp(t, "ArgMax", 13, nil, of(t, []float32{float32(math.NaN()), 1, 2})), of(t, []int64{2}, 1))
	wantTensor(t, runOp(t, "ArgMin", 13, nil, of(t, []uint8{3, 0, 0})), of(t, []int64{1}, 1))
	wantErr(t, "the axis has no elements", "ArgMax", 13, nil, of(t, []float32{}, 0, 2))
	wantErr(t, `attribute "select_last_index" is not known`, "ArgMax", 11, attrs{"select_last_index": 1}, x)
}
