package ops

import "testing"

func TestRoiAlign(t *testing.T) {
	// a plane that rises by 1 to the right and by 10 down: the mean of a cell is the value at its middle
	data := make([]float32, 2*64)
	for i := range 64 {
		data[i], data[64+i] = float32(i%8+i/8*10), float32(-i%8)
	}
	x := of(t, data, 1, 2, 8, 8)
	rois := of(t, []float32{1, 2, 5, 6}, 1, 4)
	y := runOp(t, "RoiAlign", 16, attrs{"output_height": 2, "output_width": 2, "sampling_ratio": 2}, x, rois, indices(t, 0))
	// half pixel: the region runs from 0.5 to 4.5 and from 1.5 to 5.5, cell middles at 1.5 3.5 and 2.5 4.5
	wantClose(t, y, of(t, []float32{26.5, 28.5, 46.5, 48.5, -1.5, -3.5, -1.5, -3.5}, 1, 2, 2, 2), 1e-5)
	y = runOp(t, "RoiAlign", 10, attrs{"output_height": 2, "output_width": 2}, x, rois, indices(t, 0))
	wantClose(t, y, of(t, []float32{32, 34, 52, 54, -2, -4, -2, -4}, 1, 2, 2, 2), 1e-5)
	y = runOp(t, "RoiAlign", 10, attrs{"output_height": 1, "output_width": 1, "spatial_scale": 0.5}, x, of(t, []float32{2, 4, 10, 12}, 1, 4), indices(t, 0))
	wantClose(t, y, of(t, []float32{43, -3}, 1, 2, 1, 1), 1e-5)
	// the maximum is over the weighted elements
	peak := of(t, []float32{0, 0, 0, 8}, 1, 1, 2, 2)
	y = runOp(t, "RoiAlign", 10, attrs{"mode": "max", "sampling_ratio": 1}, peak, of(t, []float32{0, 0, 1, 1}, 1, 4), indices(t, 0))
	wantClose(t, y, of(t, []float32{2}, 1, 1, 1, 1), 1e-6)
	wantErr(t, "batch index 1, the input has 1 maps", "RoiAlign", 16, nil, x, rois, indices(t, 1))
	wantErr(t, "is too large", "RoiAlign", 16, nil, x, of(t, []float32{0, 0, 1e30, 1}, 1, 4), indices(t, 0))
	wantErr(t, "batch_indices are int64[2], want shape [1]", "RoiAlign", 16, nil, x, rois, indices(t, 0, 0))
}
