package ops

import (
	"math"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

func TestNonZero(t *testing.T) {
	nan, minus := float32(math.NaN()), float32(math.Copysign(0, -1))
	want := of(t, []int64{0, 0, 1, 0, 2, 1}, 2, 3)
	wantTensor(t, runOp(t, "NonZero", 13, nil, of(t, []float32{1, 0, nan, minus, -2, 0}, 2, 3)), want)
	wantTensor(t, runOp(t, "NonZero", 9, nil, of(t, []bool{true, false, true, false, true, false}, 2, 3)), want)
	wantTensor(t, runOp(t, "NonZero", 9, nil, of(t, []string{"a", "", "b", "", "c", ""}, 2, 3)), want)
	wantTensor(t, runOp(t, "NonZero", 9, nil, of(t, []int64{256, 0, 1 << 40, 0, -1, 0}, 2, 3)), want)
	wantTensor(t, runOp(t, "NonZero", 9, nil, ramp(t, 0, 3)), of(t, []int64{}, 2, 0))
}

func TestCompress(t *testing.T) {
	for _, d := range widths {
		x := numbered(t, d, 3, 2)
		y := runOp(t, "Compress", 11, attrs{"axis": -2}, x, of(t, []bool{false, true, true}))
		wantMoved(t, y, x, []int{2, 2}, func(p []int) []int { return []int{p[0] + 1, p[1]} })
		y = runOp(t, "Compress", 9, nil, x, of(t, []bool{true, false, false, true})) // shorter than the input
		wantMoved(t, y, x, []int{2}, func(p []int) []int { return []int{p[0], p[0]} })
	}
	wantErr(t, "condition is true at 2 of an axis of size 2", "Compress", 11, attrs{"axis": 1}, ramp(t, 3, 2), of(t, []bool{true, true, true}))
}

func TestOneHot(t *testing.T) {
	values := of(t, []float32{-1, 5}, 2)
	depth := of(t, []int64{3})
	want := []float32{-1, 5, -1, -1, -1, 5, -1, -1, -1}
	wantTensor(t, runOp(t, "OneHot", 11, nil, indices(t, 1, -1, 3), depth, values), of(t, want, 3, 3))
	wantTensor(t, runOp(t, "OneHot", 9, attrs{"axis": 0}, indices(t, 1, -1, 3), of(t, []float32{3}, 1), values),
		of(t, []float32{-1, -1, -1, 5, -1, -1, -1, 5, -1}, 3, 3))
	wantTensor(t, runOp(t, "OneHot", 11, attrs{"axis": 1}, of(t, []uint8{0, 1, 2, 2}, 2, 2), depth, of(t, []bool{false, true})),
		of(t, []bool{true, false, false, true, false, false, false, false, false, false, true, true}, 2, 3, 2))
	wantErr(t, "want one number", "OneHot", 11, nil, indices(t, 1), indices(t, 1, 2), values)
	wantErr(t, "is larger than", "OneHot", 11, nil, indices(t, 1, 2), of(t, []int64{1 << 33}), values)
	wantErr(t, "want two", "OneHot", 11, nil, indices(t, 1), depth, of(t, []float32{1, 2, 3}))
}

func TestTrilu(t *testing.T) {
	for _, d := range widths {
		x := numbered(t, d, 2, 4, 5)
		for _, k := range []int64{0, 1, -2, 3, 9, -9, math.MaxInt64, math.MinInt64} {
			for _, upper := range []int{0, 1} {
				y := runOp(t, "Trilu", 14, attrs{"upper": upper}, x, of(t, []int64{k}))
				wantMoved(t, y, x, []int{2, 4, 5}, func(p []int) []int {
					diagonal := float64(p[2]) - float64(p[1]) - float64(k)
					if upper == 1 && diagonal < 0 || upper == 0 && diagonal > 0 {
						return nil
					}
					return p
				})
			}
		}
	}
	wantErr(t, "at least two dimensions", "Trilu", 14, nil, ramp(t, 3))
}

func TestReverseSequence(t *testing.T) {
	for _, d := range widths {
		x := numbered(t, d, 4, 3, 2)
		lens := []int64{1, 4, 0}
		y := runOp(t, "ReverseSequence", 10, nil, x, indices(t, lens...))
		wantMoved(t, y, x, []int{4, 3, 2}, func(p []int) []int {
			if n := int(lens[p[1]]); p[0] < n {
				return []int{n - 1 - p[0], p[1], p[2]}
			}
			return p
		})
		y = runOp(t, "ReverseSequence", 10, attrs{"batch_axis": 0, "time_axis": 1}, x, indices(t, 3, 2, 1, 0))
		wantMoved(t, y, x, []int{4, 3, 2}, func(p []int) []int {
			if n := 3 - p[0]; p[1] < n {
				return []int{p[0], n - 1 - p[1], p[2]}
			}
			return p
		})
	}
	wantErr(t, "sequence_lens has 5, the sequences have 4 steps", "ReverseSequence", 10, nil, ramp(t, 4, 1), indices(t, 5))
	wantErr(t, "2 sequence_lens for float32[4 1]", "ReverseSequence", 10, nil, ramp(t, 4, 1), indices(t, 1, 1))
	wantErr(t, "want 0 and 1 or 1 and 0", "ReverseSequence", 10, attrs{"batch_axis": 1, "time_axis": 1}, ramp(t, 4, 1), indices(t, 1))
}

func TestUnique(t *testing.T) {
	check := func(op attrs, x *tensor.Tensor, want ...*tensor.Tensor) {
		t.Helper()
		out, err := tryOp(t, "Unique", 11, op, 4, x)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range want {
			wantTensor(t, out[i], w)
		}
	}
	nan := float32(math.NaN())
	check(nil, of(t, []float32{2, 1, nan, 1, 2, nan}, 2, 3), of(t, []float32{1, 2, nan}), indices(t, 1, 0, 2), indices(t, 1, 0, 2, 0, 1, 2), indices(t, 2, 2, 2))
	check(attrs{"sorted": 0}, of(t, []int64{1 << 60, 3, 1 << 60, 1<<60 + 1}), indices(t, 1<<60, 3, 1<<60+1), indices(t, 0, 1, 3), indices(t, 0, 1, 0, 2), indices(t, 2, 1, 1))
	check(nil, of(t, []string{"b", "a", "b"}), of(t, []string{"a", "b"}), indices(t, 1, 0), indices(t, 1, 0, 1), indices(t, 1, 2))
	rows := of(t, []int32{1, 0, 0, 1, 0, 0, 2, 3, 4}, 3, 3)
	check(attrs{"axis": 0}, rows, of(t, []int32{1, 0, 0, 2, 3, 4}, 2, 3), indices(t, 0, 2), indices(t, 0, 0, 1), indices(t, 2, 1))
	check(attrs{"axis": -1}, rows, of(t, []int32{0, 0, 1, 0, 0, 1, 3, 4, 2}, 3, 3), indices(t, 1, 2, 0), indices(t, 2, 0, 1), indices(t, 1, 1, 1))
	check(nil, ramp(t, 0), ramp(t, 0), indices(t), indices(t), indices(t))
}
