package ops

import (
	"fmt"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

func TestGridSample(t *testing.T) {
	x := of(t, []float32{0, 1, 2, 3, 4, 5}, 1, 1, 2, 3)
	grid := func(v ...float32) *tensor.Tensor { return of(t, v, 1, 1, len(v)/2, 2) }
	// corners aligned: -1 and 1 are the centers of the outer elements
	for _, c := range []struct {
		mode, padding string
		at            []float32 // x, y
		want          []float32
	}{
		{"bilinear", "zeros", []float32{-1, -1, 1, 1, 0, 0, 0.5, -1}, []float32{0, 5, 2.5, 1.5}},
		{"bilinear", "zeros", []float32{-1, 2}, []float32{1.5}}, // halfway out: half of 3
		{"bilinear", "border", []float32{-1, 2, 9, 9}, []float32{3, 5}},
		{"bilinear", "reflection", []float32{-1, 2, 2, -1}, []float32{1.5, 1}},
		{"nearest", "zeros", []float32{0.4, 0.2, -0.6, -1, 3, 0}, []float32{4, 0, 0}},
		{"nearest", "reflection", []float32{3, -1}, []float32{0}},
		{"bicubic", "border", []float32{0, -1, -1, 1}, []float32{1, 3}},
	} {
		at := attrs{"mode": c.mode, "padding_mode": c.padding, "align_corners": 1}
		wantClose(t, runOp(t, "GridSample", 16, at, x, grid(c.at...)), of(t, c.want, 1, 1, 1, len(c.want)), 1e-6)
	}
	// not aligned: -1 is the outer edge, half an element out
	wantClose(t, runOp(t, "GridSample", 16, nil, x, grid(-1, 0, 0, 0)), of(t, []float32{0.75, 2.5}, 1, 1, 1, 2), 1e-6)
	// one axis and three
	line := of(t, []float32{10, 20}, 1, 1, 2)
	wantClose(t, runOp(t, "GridSample", 20, attrs{"align_corners": 1}, line, of(t, []float32{0}, 1, 1, 1)), of(t, []float32{15}, 1, 1, 1), 1e-6)
	cube := ramp(t, 2, 3, 2, 2, 2)
	center := runOp(t, "GridSample", 20, attrs{"mode": "linear"}, cube, of(t, make([]float32, 6), 2, 1, 1, 1, 3))
	mean := runOp(t, "ReduceMean", 18, nil, cube, indices(t, 2, 3, 4))
	wantClose(t, center, mean, 1e-6)
	wantErr(t, "want a last axis of size 2", "GridSample", 16, nil, x, of(t, make([]float32, 3), 1, 1, 1, 3))
	wantErr(t, "want the same batch", "GridSample", 16, nil, x, of(t, make([]float32, 4), 2, 1, 1, 2))
	wantErr(t, `mode="linear"`, "GridSample", 16, attrs{"mode": "linear"}, x, grid(0, 0))
}

func TestAffineGrid(t *testing.T) {
	same := of(t, []float32{1, 0, 0, 0, 1, 0}, 1, 2, 3)
	wantClose(t, runOp(t, "AffineGrid", 20, attrs{"align_corners": 1}, same, indices(t, 1, 1, 2, 3)),
		of(t, []float32{-1, -1, 0, -1, 1, -1, -1, 1, 0, 1, 1, 1}, 1, 2, 3, 2), 1e-6)
	wantClose(t, runOp(t, "AffineGrid", 20, nil, same, indices(t, 1, 1, 1, 2)), of(t, []float32{-0.5, 0, 0.5, 0}, 1, 1, 2, 2), 1e-6)
	// the grid of no change samples the image itself
	x := ramp(t, 1, 2, 3, 4, 5)
	theta := of(t, []float32{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0}, 1, 3, 4)
	g := runOp(t, "AffineGrid", 20, nil, theta, indices(t, 1, 2, 3, 4, 5))
	if s := fmt.Sprint(g.Shape()); s != "[1 3 4 5 3]" {
		t.Fatalf("shape %s", s)
	}
	wantClose(t, runOp(t, "GridSample", 20, nil, x, g), x, 1e-5)
	wantErr(t, "theta are float32[1 2 3], want shape [2 2 3]", "AffineGrid", 20, nil, same, indices(t, 2, 1, 2, 2))
	wantErr(t, "want [N C H W]", "AffineGrid", 20, nil, same, indices(t, 1, 1, 2))
	wantErr(t, "is larger than", "AffineGrid", 20, nil, same, indices(t, 1, 1, 1<<20, 1<<20))
}
