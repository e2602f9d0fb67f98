package ops

import (
	"math"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

func TestExpand(t *testing.T) {
	for _, d := range widths {
		x := numbered(t, d, 3, 1)
		y := runOp(t, "Expand", 8, nil, x, indices(t, 2, 1, 5))
		wantMoved(t, y, x, []int{2, 3, 5}, func(p []int) []int { return []int{p[1], 0} })
		y = runOp(t, "Expand", 13, nil, numbered(t, d, 2, 3, 4), indices(t, 1))
		wantMoved(t, y, numbered(t, d, 2, 3, 4), []int{2, 3, 4}, func(p []int) []int { return p })
	}
	wantTensor(t, runOp(t, "Expand", 13, nil, of(t, []float32{7}), indices(t, 2, 0)), ramp(t, 2, 0))
	wantTensor(t, runOp(t, "Expand", 13, nil, of(t, []int64{7}), indices(t, 3)), indices(t, 7, 7, 7))
	wantErr(t, "cannot expand [3] to [2]", "Expand", 13, nil, ramp(t, 3), indices(t, 2))
	wantErr(t, "negative size", "Expand", 13, nil, ramp(t, 1), indices(t, -1))
	wantErr(t, "is larger than 16 GiB", "Expand", 13, nil, ramp(t, 1), indices(t, 1<<20, 1<<20))
}

func TestTile(t *testing.T) {
	for _, d := range widths {
		x := numbered(t, d, 2, 3)
		y := runOp(t, "Tile", 6, nil, x, indices(t, 3, 2))
		wantMoved(t, y, x, []int{6, 6}, func(p []int) []int { return []int{p[0] % 2, p[1] % 3} })
		y = runOp(t, "Tile", 1, nil, x, indices(t, 2), indices(t, 1))
		wantMoved(t, y, x, []int{2, 6}, func(p []int) []int { return []int{p[0], p[1] % 3} })
	}
	wantTensor(t, runOp(t, "Tile", 13, nil, ramp(t, 2, 3), indices(t, 1, 0)), ramp(t, 2, 0))
	wantErr(t, "1 repeats for float32[2 3]", "Tile", 13, nil, ramp(t, 2, 3), indices(t, 1))
	wantErr(t, "negative", "Tile", 13, nil, ramp(t, 2), indices(t, -1))
	wantErr(t, "too large", "Tile", 13, nil, ramp(t, 2), indices(t, math.MaxInt64))
}

func TestConstants(t *testing.T) {
	wantTensor(t, runOp(t, "ConstantOfShape", 9, nil, indices(t, 2, 1)), of(t, []float32{0, 0}, 2, 1))
	wantTensor(t, runOp(t, "ConstantOfShape", 9, attrs{"value": of(t, []int64{5}, 1)}, indices(t, 3)), indices(t, 5, 5, 5))
	wantTensor(t, runOp(t, "ConstantOfShape", 9, attrs{"value": of(t, []string{"a"}, 1)}, indices(t)), of(t, []string{"a"}))
	wantErr(t, "negative", "ConstantOfShape", 9, nil, indices(t, -1))
	wantErr(t, "is larger than", "ConstantOfShape", 9, nil, indices(t, 1<<40))
	wantErr(t, "want one element", "ConstantOfShape", 9, attrs{"value": indices(t, 1, 2)}, indices(t, 1))

	wantTensor(t, runOp(t, "Constant", 13, attrs{"value_ints": []int{3, 4}}), indices(t, 3, 4))
	wantTensor(t, runOp(t, "Constant", 13, attrs{"value_float": 0.5}), of(t, []float32{0.5}))
	wantTensor(t, runOp(t, "Constant", 12, attrs{"value_string": "x"}), of(t, []string{"x"}))
	wantTensor(t, runOp(t, "Constant", 1, attrs{"value": ramp(t, 2, 2)}), ramp(t, 2, 2))
	wantErr(t, "0 attributes with a value", "Constant", 13, nil)

	wantTensor(t, runOp(t, "EyeLike", 9, attrs{"k": 1, "dtype": int(tensor.Int32)}, ramp(t, 2, 3)), of(t, []int32{0, 1, 0, 0, 0, 1}, 2, 3))
	wantTensor(t, runOp(t, "EyeLike", 9, attrs{"k": -1}, ramp(t, 2, 3)), of(t, []float32{0, 0, 0, 1, 0, 0}, 2, 3))
	wantErr(t, "want a matrix", "EyeLike", 9, nil, ramp(t, 2))
	wantErr(t, "not supported: output of type string", "EyeLike", 9, attrs{"dtype": int(tensor.String)}, ramp(t, 2, 2))
}

func TestRange(t *testing.T) {
	f := func(v float32) *tensor.Tensor { return of(t, []float32{v}) }
	i := func(v int64) *tensor.Tensor { return of(t, []int64{v}) }
	wantTensor(t, runOp(t, "Range", 11, nil, f(1), f(2), f(0.25)), of(t, []float32{1, 1.25, 1.5, 1.75}))
	wantTensor(t, runOp(t, "Range", 11, nil, f(0), f(1), f(0.3)), of(t, []float32{0, float32(0.3), float32(2) * 0.3, float32(3) * 0.3}))
	wantTensor(t, runOp(t, "Range", 11, nil, i(10), i(4), i(-3)), indices(t, 10, 7))
	wantTensor(t, runOp(t, "Range", 11, nil, i(4), i(4), i(1)), indices(t))
	wantTensor(t, runOp(t, "Range", 11, nil, i(4), i(10), i(-1)), indices(t))
	wantTensor(t, runOp(t, "Range", 11, nil, i(math.MaxInt64-1), i(math.MaxInt64), i(5)), indices(t, math.MaxInt64-1))
	wantTensor(t, runOp(t, "Range", 11, nil, of(t, []int16{0}), of(t, []int16{3}), of(t, []int16{2})), of(t, []int16{0, 2}))
	wantErr(t, "delta is 0", "Range", 11, nil, i(0), i(1), i(0))
	wantErr(t, "make no range", "Range", 11, nil, f(0), f(1), f(float32(math.NaN())))
	wantErr(t, "is too large", "Range", 11, nil, i(math.MinInt64), i(math.MaxInt64), i(1))
	wantErr(t, "want a scalar", "Range", 11, nil, indices(t, 0, 1), i(1), i(1))
	wantErr(t, "types float32 and int64", "Range", 11, nil, f(0), i(1), i(1))
}
