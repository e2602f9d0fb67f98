package ops

import (
	"math"
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

func TestTopK(t *testing.T) {
	x := of(t, []float32{3, 1, 3, 2, 9, 9, 0, 9}, 2, 4)
	k := of(t, []int64{3})
	out := evalAll(t, "TopK", 11, nil, 2, x, k)
	wantTensor(t, out[0], of(t, []float32{3, 3, 2, 9, 9, 9}, 2, 3))
	wantTensor(t, out[1], of(t, []int64{0, 2, 3, 0, 1, 3}, 2, 3))
	out = evalAll(t, "TopK", 11, attrs{"largest": 0, "sorted": 0}, 2, x, k)
	wantTensor(t, out[0], of(t, []float32{1, 2, 3, 0, 9, 9}, 2, 3))
	wantTensor(t, out[1], of(t, []int64{1, 3, 0, 2, 0, 1}, 2, 3))
	out = evalAll(t, "TopK", 9, attrs{"k": 1, "axis": 0}, 2, x)
	wantTensor(t, out[0], of(t, []float32{9, 9, 3, 9}, 1, 4))
	wantTensor(t, out[1], of(t, []int64{1, 1, 0, 1}, 1, 4))
	out = evalAll(t, "TopK", 10, nil, 2, of(t, []float64{1, math.NaN(), 2}), of(t, []int64{2}))
	wantTensor(t, out[1], of(t, []int64{1, 2}))
	out = evalAll(t, "TopK", 11, nil, 2, of(t, []int8{-1, 5}), of(t, []int64{0}))
	wantTensor(t, out[0], of(t, []int8{}, 0))
	wantErr(t, "k is 5, want 0 to 4", "TopK", 11, nil, x, of(t, []int64{5}))
	wantErr(t, "k is -1, want 0 to 4", "TopK", 11, nil, x, of(t, []int64{-1}))
	wantErr(t, "k is int64[2], want one element", "TopK", 11, nil, x, of(t, []int64{1, 1}))
	wantErr(t, "axis 2 is out of range", "TopK", 11, attrs{"axis": 2}, x, k)
}

// Selection must agree with sorting for every k.
func TestTopKSorts(t *testing.T) {
	data := make([]int32, 200)
	for i := range data {
		data[i] = int32(i * 37 % 61)
	}
	sorted := slices.Clone(data)
	slices.Sort(sorted)
	for _, k := range []int{1, 2, 17, 199, 200} {
		out := evalAll(t, "TopK", 11, attrs{"largest": 0}, 2, of(t, data), of(t, []int64{int64(k)}))
		wantTensor(t, out[0], of(t, sorted[:k], k))
		idx := tensor.View[int64](out[1])
		for i := 1; i < k; i++ {
			if sorted[i] == sorted[i-1] && idx[i] < idx[i-1] {
				t.Errorf("equal elements %d and %d are not in the order of their indices", idx[i-1], idx[i])
			}
		}
	}
}

func TestCumulative(t *testing.T) {
	x := of(t, []int64{1, 2, 3, 4, 5, 6}, 2, 3)
	axis := func(a int64) *tensor.Tensor { return tensor.Scalar(a) }
	wantTensor(t, runOp(t, "CumSum", 14, nil, x, axis(1)), of(t, []int64{1, 3, 6, 4, 9, 15}, 2, 3))
	wantTensor(t, runOp(t, "CumSum", 11, attrs{"exclusive": 1}, x, axis(-1)), of(t, []int64{0, 1, 3, 0, 4, 9}, 2, 3))
	wantTensor(t, runOp(t, "CumSum", 14, attrs{"reverse": 1}, x, axis(0)), of(t, []int64{5, 7, 9, 4, 5, 6}, 2, 3))
	wantTensor(t, runOp(t, "CumSum", 14, attrs{"reverse": 1, "exclusive": 1}, x, axis(1)), of(t, []int64{5, 3, 0, 11, 6, 0}, 2, 3))
	wantTensor(t, runOp(t, "CumProd", 26, nil, of(t, []float32{2, 3, 4}), of(t, []int32{0})), of(t, []float32{2, 6, 24}))
	wantTensor(t, runOp(t, "CumProd", 26, attrs{"exclusive": 1}, of(t, []uint32{2, 3, 4}), of(t, []int32{0})), of(t, []uint32{1, 2, 6}))
	wantTensor(t, runOp(t, "CumSum", 14, nil, ramp(t, 0, 2), axis(0)), ramp(t, 0, 2))
	wantErr(t, "axis 2 is out of range", "CumSum", 14, nil, x, axis(2))
	wantErr(t, "axis is int64[2], want a scalar", "CumSum", 14, nil, x, of(t, []int64{0, 1}))
}

func TestPow(t *testing.T) {
	x := of(t, []float32{1, -2, 3, 0.5})
	wantTensor(t, runOp(t, "Pow", 15, nil, x, tensor.Scalar[float32](2)), of(t, []float32{1, 4, 9, 0.25}))
	wantTensor(t, runOp(t, "Pow", 15, nil, x, of(t, []int64{3, 3, 0, -1})), of(t, []float32{1, -8, 1, 2}))
	wantTensor(t, runOp(t, "Pow", 15, nil, tensor.Scalar[float32](2), of(t, []float32{1, 2, 3})), of(t, []float32{2, 4, 8}))
	wantTensor(t, runOp(t, "Pow", 15, nil, of(t, []int64{3, -1, -1, 2, 0}), of(t, []int64{39, -2, -3, -1, 0})), of(t, []int64{4052555153018976267, 1, -1, 0, 1}))
	wantTensor(t, runOp(t, "Pow", 15, nil, of(t, []int32{9, 2}), of(t, []float32{0.5, 0.5})), of(t, []int32{3, 1}))
	wantTensor(t, runOp(t, "Pow", 6, attrs{"broadcast": 1, "axis": 0}, of(t, []float32{1, 2, 3, 4}, 2, 2), of(t, []float32{2, 1})), of(t, []float32{1, 4, 3, 4}, 2, 2))
	wantErr(t, "base of type uint8", "Pow", 15, nil, of(t, []uint8{1}), x)
}

func TestMod(t *testing.T) {
	a, b := of(t, []int32{-7, 7, -7, 7, 6}), of(t, []int32{3, -3, -3, 3, 3})
	wantTensor(t, runOp(t, "Mod", 13, nil, a, b), of(t, []int32{2, -2, -1, 1, 0}))
	wantTensor(t, runOp(t, "Mod", 13, attrs{"fmod": 1}, a, b), of(t, []int32{-1, 1, -1, 1, 0}))
	wantTensor(t, runOp(t, "Mod", 13, attrs{"fmod": 1}, of(t, []float32{-7.5, 7.5}), of(t, []float32{2})), of(t, []float32{-1.5, 1.5}))
	wantTensor(t, runOp(t, "Mod", 13, nil, of(t, []uint8{200}), of(t, []uint8{7})), of(t, []uint8{4}))
	wantErr(t, "want fmod=1", "Mod", 13, nil, ramp(t, 2), ramp(t, 2))
	wantErr(t, "integer division by zero", "Mod", 13, nil, a, of(t, []int32{0}))
}

func TestBitwise(t *testing.T) {
	a, b := of(t, []int16{-1, 12, 5}), of(t, []int16{6})
	wantTensor(t, runOp(t, "BitwiseAnd", 18, nil, a, b), of(t, []int16{6, 4, 4}))
	wantTensor(t, runOp(t, "BitwiseOr", 18, nil, a, b), of(t, []int16{-1, 14, 7}))
	wantTensor(t, runOp(t, "BitwiseXor", 18, nil, a, b), of(t, []int16{-7, 10, 3}))
	x, s := of(t, []uint8{0x81, 3}), of(t, []uint8{1, 9})
	wantTensor(t, runOp(t, "BitShift", 11, attrs{"direction": "LEFT"}, x, s), of(t, []uint8{2, 0}))
	wantTensor(t, runOp(t, "BitShift", 11, attrs{"direction": "RIGHT"}, x, s), of(t, []uint8{0x40, 0}))
	wantErr(t, "input of type int16", "BitShift", 11, attrs{"direction": "LEFT"}, a, b)
	wantErr(t, `attribute "direction" is missing`, "BitShift", 11, nil, x, s)
}
