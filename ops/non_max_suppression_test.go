package ops

import (
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

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
