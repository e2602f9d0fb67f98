package ops

import (
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

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

func TestNonMaxSuppression(t *testing.T) {
	boxes := of(t, []float32{0, 0, 1, 1, 0, 0.1, 1, 1.1, 0, -0.1, 1, 0.9, 0, 10, 1, 11, 0, 10.1, 1, 11.1, 0, 100, 1, 101}, 1, 6, 4)
	scores := of(t, []float32{0.9, 0.75, 0.6, 0.95, 0.5, 0.3}, 1, 1, 6)
	limit, overlap := indices(t, 3), of(t, []float32{0.5}, 1)
	row := func(v ...int64) *tensor.Tensor { return of(t, v, len(v)/3, 3) }
	wantTensor(t, runOp(t, "NonMaxSuppression", 11, nil, boxes, scores, limit, overlap), row(0, 0, 3, 0, 0, 0, 0, 0, 5))
	wantTensor(t, runOp(t, "NonMaxSuppression", 10, nil, boxes, scores, limit, overlap, of(t, []float32{0.4}, 1)), row(0, 0, 3, 0, 0, 0))
	wantTensor(t, runOp(t, "NonMaxSuppression", 11, nil, boxes, scores, indices(t, 1), overlap), row(0, 0, 3))
	wantTensor(t, runOp(t, "NonMaxSuppression", 11, nil, boxes, scores), of(t, []int64{}, 0, 3))
	// the same boxes by centre and size, corners in any order, two classes
	center := of(t, []float32{0.5, 0.5, 1, 1, 0.6, 0.5, 1, 1, 10.5, 0.5, 1, 1}, 1, 3, 4)
	two := of(t, []float32{0.9, 0.8, 0.7, 0.1, 0.2, 0.3}, 1, 2, 3)
	wantTensor(t, runOp(t, "NonMaxSuppression", 11, attrs{"center_point_box": 1}, center, two, limit, overlap),
		row(0, 0, 0, 0, 0, 2, 0, 1, 2, 0, 1, 1))
	flipped := of(t, []float32{1, 1, 0, 0, 0, 0, 1, 1}, 1, 2, 4)
	wantTensor(t, runOp(t, "NonMaxSuppression", 11, nil, flipped, of(t, []float32{1, 1}, 1, 1, 2), limit, overlap), row(0, 0, 0))
	wantErr(t, "scores are float32[1 1 6], want shape [1 ? 2]", "NonMaxSuppression", 11, nil, flipped, scores, limit)
}
