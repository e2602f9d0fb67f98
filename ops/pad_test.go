package ops

import (
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

func TestPad(t *testing.T) {
	// positions on an axis of size n for an index before or after it
	reflect := func(i, n int) int {
		for n > 1 && (i < 0 || i >= n) {
			if i < 0 {
				i = -i
			} else {
				i = 2*(n-1) - i
			}
		}
		return min(max(i, 0), n-1)
	}
	modes := map[string]func(i, n int) int{
		"constant": func(i, n int) int {
			if i < 0 || i >= n {
				return -1
			}
			return i
		},
		"edge":    func(i, n int) int { return min(max(i, 0), n-1) },
		"reflect": reflect,
		"wrap":    func(i, n int) int { return (i%n + n) % n },
	}
	for _, d := range widths {
		x := numbered(t, d, 3, 4, 5)
		for mode, at := range modes {
			for _, pads := range [][]int64{{1, 2, 3, 0, 1, 2}, {0, 2, 0, 1, 0, 0}, {-1, 0, -2, 1, -1, 2}, {0, 0, 7, 0, 9, 0}, {0, 0, 0, 0, 0, 0}, {0, 0, -2, 0, 0, -3}} {
				shape := make([]int, 3)
				for a, n := range x.Shape() {
					shape[a] = n + int(pads[a]+pads[a+3])
				}
				y := runOp(t, "Pad", 19, attrs{"mode": mode}, x, indices(t, pads...))
				wantMoved(t, y, x, shape, func(pos []int) []int {
					p := make([]int, 3)
					for a, n := range x.Shape() {
						lo := max(-int(pads[a]), 0) // taken away first
						if p[a] = at(pos[a]-int(pads[a])-lo, n+min(int(pads[a+3]), 0)-lo); p[a] < 0 {
							return nil
						}
						p[a] += lo
					}
					return p
				})
			}
		}
	}
}

func TestPadForms(t *testing.T) {
	x := of(t, []float32{1, 2, 3, 4}, 2, 2)
	want := of(t, []float32{9, 1, 2, 9, 3, 4}, 2, 3)
	wantTensor(t, runOp(t, "Pad", 1, attrs{"paddings": []int{0, 1, 0, 0}, "value": 9.0}, x), want)
	wantTensor(t, runOp(t, "Pad", 2, attrs{"pads": []int{0, 1, 0, 0}, "value": 9.0}, x), want)
	nine := of(t, []float32{9})
	wantTensor(t, runOp(t, "Pad", 11, nil, x, indices(t, 0, 1, 0, 0), nine), want)
	wantTensor(t, runOp(t, "Pad", 18, nil, x, indices(t, 1, 0), nine, indices(t, -1)), want)
	wantTensor(t, runOp(t, "Pad", 18, nil, x, indices(t, 1, 0), of(t, []float32{9}, 1), of(t, []int32{1})), want)
	wantTensor(t, runOp(t, "Pad", 13, nil, ramp(t, 0, 2), indices(t, 1, 0, 0, 0), nine), of(t, []float32{9, 9}, 1, 2))
	half := of(t, []tensor.F16{tensor.ToF16(2)}, 1)
	wantTensor(t, runOp(t, "Pad", 2, attrs{"pads": []int{1, 0}, "value": 1.0}, half), of(t, []tensor.F16{tensor.ToF16(1), tensor.ToF16(2)}))
	wantErr(t, "pads [1 2], want 4 numbers", "Pad", 13, nil, x, indices(t, 1, 2))
	wantErr(t, "take more than axis 0 of size 2 has", "Pad", 13, nil, x, indices(t, -2, 0, -1, 0))
	wantErr(t, "mode edge cannot pad axis 0, of which nothing is left", "Pad", 13, attrs{"mode": "edge"}, ramp(t, 0, 2), indices(t, 1, 0, 0, 0))
	wantErr(t, "out of range", "Pad", 13, nil, x, indices(t, 1<<40, 0, 0, 0))
	wantErr(t, "is larger than", "Pad", 13, nil, x, indices(t, 1<<33, 0, 0, 0))
	wantErr(t, `mode="mirror"`, "Pad", 13, attrs{"mode": "mirror"}, x, indices(t, 0, 0, 0, 0))
	wantErr(t, "constant_value is of type int64", "Pad", 13, nil, x, indices(t, 0, 0, 0, 0), of(t, []int64{1}))
}
