package ops

import "testing"

func TestMaxUnpool(t *testing.T) {
	x, at := of(t, []float32{5, 6}, 1, 1, 2), of(t, []int64{1, 2}, 1, 1, 2)
	kernel := attrs{"kernel_shape": []int{2}, "strides": []int{2}}
	wantTensor(t, runOp(t, "MaxUnpool", 11, kernel, x, at), of(t, []float32{0, 5, 6, 0}, 1, 1, 4))
	wantTensor(t, runOp(t, "MaxUnpool", 11, kernel, x, at, of(t, []int64{1, 1, 5})), of(t, []float32{0, 5, 6, 0, 0}, 1, 1, 5))
	wantErr(t, "index 1 is 4, want 0 to 3", "MaxUnpool", 11, kernel, x, of(t, []int64{1, 4}, 1, 1, 2))
	wantErr(t, "want at least [1 1 4]", "MaxUnpool", 11, kernel, x, at, of(t, []int64{1, 1, 3}))
}

func TestMaxRoiPool(t *testing.T) {
	x := make([]float32, 2*4*4)
	for i := range x {
		x[i] = float32(i)
	}
	rois := of(t, []float32{0, 0, 0, 3, 3, 1, 1, 1, 2, 2, 0, 8, 8, 9, 9}, 3, 5)
	got := runOp(t, "MaxRoiPool", 1, attrs{"pooled_shape": []int{2, 2}}, of(t, x, 2, 1, 4, 4), rois)
	wantTensor(t, got, of(t, []float32{5, 7, 13, 15, 21, 22, 25, 26, 0, 0, 0, 0}, 3, 1, 2, 2))
	wantErr(t, "region 0 is of batch entry 1, want 0 to 0", "MaxRoiPool", 22, attrs{"pooled_shape": []int{1, 1}}, ramp(t, 1, 1, 4, 4), of(t, []float32{1, 0, 0, 1, 1}, 1, 5))
}

// Whole offsets move the kernel over whole elements: a convolution of the moved input, or of one with zeros outside.
func TestDeformConv(t *testing.T) {
	x, w, bias := ramp(t, 1, 4, 6, 7), ramp(t, 6, 2, 3, 3), ramp(t, 6)
	at := attrs{"group": 2, "offset_group": 2, "pads": []int{1, 1, 1, 1}}
	offset := make([]float32, 2*18*6*7)
	plain := slowConv(t, x, w, bias, 2, nil, nil, []int{1, 1, 1, 1})
	wantClose(t, runOp(t, "DeformConv", 19, at, x, w, of(t, offset, 1, 36, 6, 7), bias), plain, 1e-5)
	for i := range offset {
		if i/42%2 == 1 {
			offset[i] = 1 // one column to the right
		}
	}
	moved := slowConv(t, x, w, bias, 2, nil, nil, []int{1, 0, 1, 2})
	wantClose(t, runOp(t, "DeformConv", 22, at, x, w, of(t, offset, 1, 36, 6, 7), bias), moved, 1e-5)
	zero := runOp(t, "DeformConv", 22, at, x, w, of(t, offset, 1, 36, 6, 7), nil, of(t, make([]float32, 18*42), 1, 18, 6, 7))
	wantTensor(t, zero, of(t, make([]float32, 6*42), 1, 6, 6, 7))
	half := []float32{2, 4, 6, 8}
	got := runOp(t, "DeformConv", 22, nil, of(t, half, 1, 1, 2, 2), of(t, []float32{1}, 1, 1, 1, 1),
		of(t, []float32{0.5, 0, 0, 0.5, 0, 0.5, 0, 0}, 1, 2, 2, 2))
	wantTensor(t, got, of(t, []float32{4, 2, 6, 4}, 1, 1, 2, 2))
	wantErr(t, "offset float32[1 36 6 6], want the shape [1 36 6 7]", "DeformConv", 22, at, x, w, of(t, make([]float32, 36*36), 1, 36, 6, 6))
}
