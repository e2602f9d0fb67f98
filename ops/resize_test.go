package ops

import (
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

func scales(t *testing.T, v ...float32) *tensor.Tensor { return of(t, v, len(v)) }

// The two forms before opset 11 take the element at the rounded-down place when growing and rounded up when shrinking.
func TestResizeNearestOld(t *testing.T) {
	x := of(t, []float32{1, 2, 3, 4, 5, 6, 7, 8}, 1, 1, 2, 4)
	up := of(t, []float32{1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8, 5, 6, 7, 8}, 1, 1, 4, 4)
	wantTensor(t, runOp(t, "Upsample", 7, attrs{"scales": []float64{1, 1, 2, 1}}, x), up)
	wantTensor(t, runOp(t, "Upsample", 9, nil, x, scales(t, 1, 1, 2, 1)), up)
	wantTensor(t, runOp(t, "Resize", 10, nil, x, scales(t, 1, 1, 2, 1)), up)
	wantTensor(t, runOp(t, "Upsample", 1, attrs{"height_scale": 2.0, "width_scale": 1.0}, x), up)
	wantTensor(t, runOp(t, "Resize", 10, nil, x, scales(t, 1, 1, 0.6, 0.6)), of(t, []float32{1, 3}, 1, 1, 1, 2))
	// asymmetric: positions 0, 0.5, 1, 1.5, clamped at the end
	line := of(t, []float32{10, 20}, 1, 1, 1, 2)
	wantTensor(t, runOp(t, "Upsample", 9, attrs{"mode": "linear"}, line, scales(t, 1, 1, 1, 2)), of(t, []float32{10, 15, 20, 20}, 1, 1, 1, 4))
}

func TestResizeNearest(t *testing.T) {
	line := of(t, []int32{0, 1, 2, 3}, 4)
	for _, c := range []struct {
		coords, rounding string
		n                int64
		want             []int32
	}{
		// half_pixel at 4 to 8: -0.25 0.25 0.75 1.25 1.75 2.25 2.75 3.25
		{"half_pixel", "round_prefer_floor", 8, []int32{0, 0, 1, 1, 2, 2, 3, 3}},
		{"half_pixel", "floor", 8, []int32{0, 0, 0, 1, 1, 2, 2, 3}},
		{"half_pixel", "ceil", 8, []int32{0, 1, 1, 2, 2, 3, 3, 3}},
		// half_pixel at 4 to 2: 0.5 2.5
		{"half_pixel", "round_prefer_floor", 2, []int32{0, 2}},
		{"half_pixel", "round_prefer_ceil", 2, []int32{1, 3}},
		// asymmetric at 4 to 6: 0 2/3 4/3 2 8/3 10/3
		{"asymmetric", "floor", 6, []int32{0, 0, 1, 2, 2, 3}},
		{"asymmetric", "ceil", 6, []int32{0, 1, 2, 2, 3, 3}},
		// align_corners at 4 to 7: 0 0.5 1 1.5 2 2.5 3
		{"align_corners", "round_prefer_floor", 7, []int32{0, 0, 1, 1, 2, 2, 3}},
		{"align_corners", "round_prefer_ceil", 7, []int32{0, 1, 1, 2, 2, 3, 3}},
		{"align_corners", "floor", 1, []int32{0}},
		{"pytorch_half_pixel", "floor", 1, []int32{0}},
		{"half_pixel", "floor", 1, []int32{1}},
		{"tf_half_pixel_for_nn", "floor", 2, []int32{1, 3}},
	} {
		at := attrs{"coordinate_transformation_mode": c.coords, "nearest_mode": c.rounding}
		y := runOp(t, "Resize", 11, at, line, nil, scales(t), indices(t, c.n))
		if got := tensor.View[int32](y); len(got) != len(c.want) {
			t.Fatalf("%v: got %v", c, y)
		}
		wantTensor(t, y, of(t, c.want, len(c.want)))
	}
	for _, d := range []tensor.DType{tensor.Uint8, tensor.Float16, tensor.Float64} {
		x := numbered(t, d, 2, 3, 4, 5)
		y := runOp(t, "Resize", 18, attrs{"axes": []int{2, 1}}, x, nil, nil, indices(t, 8, 6))
		wantMoved(t, y, x, []int{2, 6, 8, 5}, func(p []int) []int { return []int{p[0], p[1] / 2, p[2] / 2, p[3]} })
	}
}

func TestResizeLinear(t *testing.T) {
	x := of(t, []float32{1, 2, 3, 4}, 1, 1, 2, 2)
	want := []float32{1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4}
	at := attrs{"mode": "linear"}
	wantClose(t, runOp(t, "Resize", 11, at, x, scales(t), scales(t, 1, 1, 2, 2)), of(t, want, 1, 1, 4, 4), 1e-6)
	wantClose(t, runOp(t, "Resize", 13, at, x, nil, nil, indices(t, 1, 1, 4, 4)), of(t, want, 1, 1, 4, 4), 1e-6)
	wide := make([]float64, len(want))
	for i, v := range want {
		wide[i] = float64(v)
	}
	wantClose(t, runOp(t, "Resize", 13, at, of(t, []float64{1, 2, 3, 4}, 1, 1, 2, 2), nil, scales(t, 1, 1, 2, 2)), of(t, wide, 1, 1, 4, 4), 1e-12)
	corners := attrs{"mode": "linear", "coordinate_transformation_mode": "align_corners"}
	wantClose(t, runOp(t, "Resize", 11, corners, of(t, []float32{0, 3}, 2), nil, scales(t), indices(t, 4)), of(t, []float32{0, 1, 2, 3}), 1e-6)
	// integers are rounded, halves to even: 1 1.25 1.75 2
	wantTensor(t, runOp(t, "Resize", 13, at, of(t, []uint8{1, 2}, 2), nil, scales(t, 2)), of(t, []uint8{1, 1, 2, 2}))
	// planes with another axis behind (channels last) take the same values
	for c := range 3 {
		nhwc := ramp(t, 1, 3, 4, 3)
		y := runOp(t, "Resize", 13, at, nhwc, nil, nil, indices(t, 1, 5, 3, 3))
		plane := runOp(t, "Gather", 13, attrs{"axis": 3}, nhwc, of(t, []int64{int64(c)}))
		wantClose(t, runOp(t, "Gather", 13, attrs{"axis": 3}, y, of(t, []int64{int64(c)})), runOp(t, "Resize", 13, at, plane, nil, nil, indices(t, 1, 5, 3)), 1e-6)
	}
}

func TestResizeCubicAndAntialias(t *testing.T) {
	// a constant stays one under any weights that add up to one
	x := runOp(t, "ConstantOfShape", 9, attrs{"value": of(t, []float32{2}, 1)}, indices(t, 5, 7))
	for _, mode := range []string{"linear", "cubic"} {
		for _, coords := range []string{"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", "half_pixel_symmetric"} {
			for _, smooth := range []int{0, 1} {
				for _, exclude := range []int{0, 1} {
					at := attrs{"mode": mode, "coordinate_transformation_mode": coords, "antialias": smooth, "exclude_outside": exclude}
					y := runOp(t, "Resize", 19, at, x, nil, scales(t, 0.6, 1.7))
					want := runOp(t, "ConstantOfShape", 9, attrs{"value": of(t, []float32{2}, 1)}, indices(t, 3, 11))
					wantClose(t, y, want, 1e-6)
				}
			}
		}
	}
	// halved with antialias: triangles of four elements, weights 1 3 3 1
	line := of(t, []float32{0, 8, 16, 24, 32, 40}, 6)
	y := runOp(t, "Resize", 18, attrs{"mode": "linear", "antialias": 1}, line, nil, scales(t, 0.5))
	wantClose(t, y, of(t, []float32{5, 20, 35}), 1e-6)
	// cubic with a = -0.75 at a quarter between 0 and 8
	y = runOp(t, "Resize", 11, attrs{"mode": "cubic"}, line, nil, scales(t, 2))
	w := func(a, b, c, d float32) float32 { // weights of Keys at t = 0.75
		return -0.03515625*a + 0.26171875*b + 0.87890625*c - 0.10546875*d
	}
	got := tensor.View[float32](y)[4]
	if want := w(0, 8, 16, 24); got < want-1e-5 || got > want+1e-5 {
		t.Errorf("cubic gives %v, want %v", got, want)
	}
}

func TestResizeCropAndPolicy(t *testing.T) {
	x := of(t, []float32{0, 1, 2, 3, 4}, 5)
	at := attrs{"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 9.0}
	y := runOp(t, "Resize", 13, at, x, of(t, []float32{0.5, 1.25}), nil, indices(t, 4))
	wantClose(t, y, of(t, []float32{2, 3, 4, 9}), 1e-6)
	at["mode"] = "nearest"
	wantTensor(t, runOp(t, "Resize", 13, at, x, of(t, []float32{0.5, 1.25}), nil, indices(t, 4)), of(t, []float32{2, 3, 4, 9}))
	wantErr(t, "roi has 1 numbers, want 2", "Resize", 13, at, x, of(t, []float32{1}, 1), nil, indices(t, 4))
	image := ramp(t, 1, 1, 4, 8)
	for policy, want := range map[string][]int{"stretch": {6, 4}, "not_larger": {2, 4}, "not_smaller": {6, 12}} {
		y := runOp(t, "Resize", 18, attrs{"keep_aspect_ratio_policy": policy, "axes": []int{2, 3}}, image, nil, nil, indices(t, 6, 4))
		if s := y.Shape(); s[2] != want[0] || s[3] != want[1] {
			t.Errorf("%s gives %v, want %v", policy, y, want)
		}
	}
}

func TestResizeErrors(t *testing.T) {
	x := ramp(t, 1, 2)
	wantErr(t, "3 scales for 2 axes", "Resize", 13, nil, x, nil, scales(t, 1, 1, 1))
	wantErr(t, "1 sizes for 2 axes", "Resize", 13, nil, x, nil, nil, indices(t, 1))
	wantErr(t, "scale -1 of an axis of size 1", "Resize", 13, nil, x, nil, scales(t, -1, 1))
	wantErr(t, "scale 1e+20", "Resize", 13, nil, x, nil, scales(t, 1e20, 1))
	wantErr(t, "is larger than", "Resize", 13, nil, x, nil, nil, indices(t, 1<<33, 1<<3))
	wantErr(t, "neither scales nor sizes", "Resize", 13, nil, x)
	wantErr(t, "antialias with mode nearest", "Resize", 18, attrs{"antialias": 1}, x, nil, scales(t, 1, 1))
	wantErr(t, "not supported: input of type bool", "Resize", 13, nil, of(t, []bool{true}, 1), nil, scales(t, 2))
	wantTensor(t, runOp(t, "Resize", 13, nil, ramp(t, 0, 2), nil, scales(t, 2, 2)), ramp(t, 0, 4))
}

func TestResizeInference(t *testing.T) {
	c := newChain(t, nil)
	c.input("x", tensor.Float32, "batch 3 ? ?")
	c.input("y", tensor.Float32, "batch 3 h w")
	c.constant("twice", scales(t, 1, 1, 2, 2))
	c.node("Resize", 13, nil, "x - twice", "a", nil)
	c.node("Shape", 15, nil, "y", "s", nil)
	c.node("Resize", 13, nil, "x - - s", "b", nil)
	c.infer()
	c.wantSpec("a", "float32[batch 3 ? ?]")
	c.wantSpec("b", "float32[batch 3 h w]")
}
