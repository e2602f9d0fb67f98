package ops

import (
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

func TestTensorScatter(t *testing.T) {
	for _, d := range widths {
		cache, u := numbered(t, d, 2, 3, 4, 1), numbered(t, d, 2, 3, 2, 1)
		for _, c := range []struct {
			mode string
			at   []int64
		}{{"linear", []int64{0, 2}}, {"circular", []int64{3, 1}}, {"linear", nil}} {
			in := []*tensor.Tensor{cache, u}
			at := []int64{0, 0}
			if c.at != nil {
				in, at = append(in, indices(t, c.at...)), c.at
			}
			y := runOp(t, "TensorScatter", 24, attrs{"mode": c.mode}, in...)
			for i := range y.Len() {
				b, h, s := i/12, i/4%3, i%4
				want := key(cache, i)
				for k := range 2 {
					if (int(at[b])+k)%4 == s {
						want = key(u, (b*3+h)*2+k)
					}
				}
				if key(y, i) != want {
					t.Fatalf("%v %v: element %d is wrong", d, c, i)
				}
			}
		}
	}
	cache := ramp(t, 1, 4, 2)
	wantErr(t, "2 positions at 3 do not fit an axis of size 4", "TensorScatter", 24, nil, cache, ramp(t, 1, 2, 2), indices(t, 3))
	wantErr(t, "longer than the cache", "TensorScatter", 24, nil, cache, ramp(t, 1, 5, 2))
	wantErr(t, "2 write_indices for a batch of 1", "TensorScatter", 24, nil, cache, ramp(t, 1, 2, 2), indices(t, 0, 0))
	wantErr(t, "that of the batch", "TensorScatter", 24, attrs{"axis": 0}, cache, ramp(t, 1, 4, 2))
}

func TestCenterCropPad(t *testing.T) {
	for _, d := range widths {
		x := numbered(t, d, 5, 4)
		y := runOp(t, "CenterCropPad", 18, nil, x, indices(t, 2, 7))
		wantMoved(t, y, x, []int{2, 7}, func(p []int) []int {
			if p[1] < 1 || p[1] > 4 {
				return nil
			}
			return []int{p[0] + 1, p[1] - 1}
		})
		y = runOp(t, "CenterCropPad", 18, attrs{"axes": []int{-1}}, x, of(t, []int32{1}, 1))
		wantMoved(t, y, x, []int{5, 1}, func(p []int) []int { return []int{p[0], 1} })
	}
	wantErr(t, "for 2 axes", "CenterCropPad", 18, nil, ramp(t, 2, 2), indices(t, 1))
	wantErr(t, "negative", "CenterCropPad", 18, nil, ramp(t, 2), indices(t, -1))
}

func TestCol2Im(t *testing.T) {
	// blocks of 2 by 1, one apart, of an image of 3 by 2: the middle row is covered twice
	x := of(t, []float32{1, 2, 3, 4, 10, 20, 30, 40}, 1, 2, 4)
	y := runOp(t, "Col2Im", 18, nil, x, indices(t, 3, 2), indices(t, 2, 1))
	wantTensor(t, y, of(t, []float32{1, 2, 13, 24, 30, 40}, 1, 1, 3, 2))
	y = runOp(t, "Col2Im", 18, attrs{"pads": []int{0, 1}, "strides": []int{2}, "dilations": []int{2}}, of(t, []int32{1, 2, 10, 20}, 1, 2, 2), indices(t, 4), indices(t, 2))
	wantTensor(t, y, of(t, []int32{1, 0, 12, 0}, 1, 1, 4))
	wantErr(t, "want a multiple of 2 and 4", "Col2Im", 18, nil, ramp(t, 1, 2, 3), indices(t, 3, 2), indices(t, 2, 1))
	wantErr(t, "do not fit together", "Col2Im", 18, nil, ramp(t, 1, 2, 3), indices(t, 3, 2), indices(t, 2))
	wantErr(t, "does not fit image", "Col2Im", 18, nil, ramp(t, 1, 4, 1), indices(t, 3), indices(t, 4))
}
