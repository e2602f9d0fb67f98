package ops

import (
	"fmt"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

// slowConv is convolution by its definition, over any number of spatial dimensions, in float64.
func slowConv(t *testing.T, x, w, bias *tensor.Tensor, groups int, strides, dilations, pads []int) *tensor.Tensor {
	t.Helper()
	sx, sw := x.Shape(), w.Shape()
	rank := len(sx) - 2
	shape := []int{sx[0], sw[0]}
	for i := range rank {
		shape = append(shape, (sx[2+i]+at(pads, i, 0)+at(pads, i+rank, 0)-(sw[2+i]-1)*at(dilations, i, 1)-1)/at(strides, i, 1)+1)
	}
	out, err := tensor.New(tensor.Float32, shape...)
	if err != nil {
		t.Fatal(err)
	}
	dx, dw, dy := tensor.View[float32](x), tensor.View[float32](w), tensor.View[float32](out)
	pos, tap := make([]int, len(shape)), make([]int, len(sw))
	for i := range dy {
		unravel(pos, i, shape)
		var sum float64
		for k := range dw[:len(dw)/sw[0]] {
			unravel(tap, k, sw)
			from, inside := pos[0], true
			ch := pos[1]/(sw[0]/groups)*sw[1] + tap[1]
			from = from*sx[1] + ch
			for d := range rank {
				p := pos[2+d]*at(strides, d, 1) + tap[2+d]*at(dilations, d, 1) - at(pads, d, 0)
				inside = inside && p >= 0 && p < sx[2+d]
				from = from*sx[2+d] + p
			}
			if inside {
				sum += float64(dx[from]) * float64(dw[pos[1]*(len(dw)/sw[0])+k])
			}
		}
		if bias != nil {
			sum += float64(tensor.View[float32](bias)[pos[1]])
		}
		dy[i] = float32(sum)
	}
	return out
}

func unravel(pos []int, i int, shape []int) {
	for d := len(shape) - 1; d >= 0; d-- {
		pos[d] = i % shape[d]
		i /= shape[d]
	}
}

func TestConv(t *testing.T) {
	for _, tc := range []struct {
		x, w                     []int
		groups                   int
		strides, dilations, pads []int
	}{
		{x: []int{1, 3, 11, 13}, w: []int{5, 3, 3, 3}},
		{x: []int{2, 3, 11, 13}, w: []int{5, 3, 3, 3}, pads: []int{1, 2, 0, 1}},
		{x: []int{1, 4, 60, 70}, w: []int{9, 4, 3, 5}, strides: []int{2, 2}, pads: []int{1, 2, 1, 2}},
		{x: []int{1, 4, 20, 21}, w: []int{3, 4, 3, 2}, strides: []int{3, 1}, dilations: []int{2, 4}, pads: []int{2, 0, 2, 3}},
		{x: []int{2, 6, 9, 10}, w: []int{8, 3, 2, 2}, groups: 2},
		{x: []int{2, 6, 9, 10}, w: []int{8, 6, 1, 1}},
		{x: []int{2, 6, 9, 10}, w: []int{4, 3, 1, 1}, groups: 2},
		{x: []int{2, 6, 9, 10}, w: []int{4, 6, 1, 1}, strides: []int{2, 3}},
		{x: []int{2, 24, 35, 40}, w: []int{20, 12, 1, 1}, groups: 2},
		{x: []int{1, 130, 1, 1}, w: []int{70, 130, 1, 1}},
		{x: []int{2, 12, 3, 4}, w: []int{70, 12, 2, 2}, pads: []int{0, 1, 0, 0}},
		{x: []int{2, 12, 3, 4}, w: []int{6, 4, 2, 2}, groups: 3},
		{x: []int{2, 5, 12, 13}, w: []int{5, 1, 3, 3}, groups: 5, pads: []int{1, 1, 1, 1}},
		{x: []int{2, 5, 12, 13}, w: []int{10, 1, 3, 3}, groups: 5, strides: []int{2, 2}, pads: []int{1, 1, 1, 1}},
		{x: []int{1, 3, 30, 41}, w: []int{3, 1, 5, 3}, groups: 3, strides: []int{2, 3}, dilations: []int{2, 2}, pads: []int{3, 0, 1, 2}},
		{x: []int{1, 3, 90, 100}, w: []int{3, 1, 3, 3}, groups: 3},
		{x: []int{1, 3, 9, 10}, w: []int{3, 1, 3, 3}, groups: 3, pads: []int{-1, 1, 1, -2}},
		{x: []int{1, 3, 9, 10}, w: []int{4, 3, 3, 3}, pads: []int{-1, 1, 1, -2}},
		{x: []int{1, 8, 100}, w: []int{16, 8, 5}, pads: []int{4, 0}},
		{x: []int{1, 8, 100}, w: []int{8, 1, 5}, groups: 8, dilations: []int{3}},
		{x: []int{1, 8, 9}, w: []int{8, 8, 3}, dilations: []int{2}},
		// output channels in vectors
		{x: []int{2, 32, 7, 9}, w: []int{40, 32, 3, 3}, strides: []int{2, 2}, pads: []int{1, 1, 1, 1}},
		{x: []int{1, 32, 3, 3}, w: []int{32, 32, 3, 3}, pads: []int{1, 1, 1, 1}},
		{x: []int{2, 64, 5, 14}, w: []int{96, 32, 3, 3}, groups: 2, dilations: []int{2, 3}, pads: []int{2, 3, 2, 3}},
		{x: []int{1, 130, 7, 7}, w: []int{64, 130, 1, 1}},
		{x: []int{1, 70, 250}, w: []int{48, 70, 5}, dilations: []int{4}},
		{x: []int{1, 2, 5, 6, 7}, w: []int{3, 2, 3, 2, 3}, strides: []int{1, 2, 1}, pads: []int{1, 0, 1, 1, 1, 0}},
		{x: []int{1, 2, 5, 6, 7}, w: []int{2, 1, 3, 2, 3}, groups: 2, strides: []int{2, 1, 2}, pads: []int{1, 0, 1, 1, 1, 0}},
	} {
		t.Run(fmt.Sprint(tc.x, tc.w), func(t *testing.T) {
			x, w, b := ramp(t, tc.x...), ramp(t, tc.w...), ramp(t, tc.w[0])
			groups := max(tc.groups, 1)
			at := attrs{"group": groups}
			for name, v := range map[string][]int{"strides": tc.strides, "dilations": tc.dilations, "pads": tc.pads} {
				if v != nil {
					at[name] = v
				}
			}
			want := slowConv(t, x, w, b, groups, tc.strides, tc.dilations, tc.pads)
			wantClose(t, bothWays(t, "Conv", 11, at, 1, x, w, b), want, 2e-5)
			at["kernel_shape"] = tc.w[2:]
			want = slowConv(t, x, w, nil, groups, tc.strides, tc.dilations, tc.pads)
			wantClose(t, bothWays(t, "Conv", 22, at, 1, x, w), want, 2e-5)
			x64, w64 := toFloat64(t, x), toFloat64(t, w)
			got := tensor.View[float64](runOp(t, "Conv", 22, at, x64, w64))
			for i, v := range tensor.View[float32](want) {
				if float32(got[i]) != v {
					t.Fatalf("float64 element %d: %v, want %v", i, got[i], v)
				}
			}
		})
	}
}

func toFloat64(t *testing.T, x *tensor.Tensor) *tensor.Tensor {
	t.Helper()
	y := make([]float64, x.Len())
	for i, v := range tensor.View[float32](x) {
		y[i] = float64(v)
	}
	return of(t, y, x.Shape()...)
}

// A position's result must not depend on which path the size of the image chooses.
func TestConvBitsOfPaths(t *testing.T) {
	x, w, b := ramp(t, 1, 7, 40, 1), ramp(t, 5, 7, 3, 1), ramp(t, 5)
	whole := tensor.View[float32](bothWays(t, "Conv", 11, nil, 1, x, w, b))
	part := make([]float32, 7*8)
	for ch := range 7 {
		copy(part[ch*8:], tensor.View[float32](x)[ch*40:ch*40+8])
	}
	got := tensor.View[float32](bothWays(t, "Conv", 11, nil, 1, of(t, part, 1, 7, 8, 1), w, b))
	for m := range 5 {
		for i := range 6 {
			if got[m*6+i] != whole[m*38+i] {
				t.Fatalf("channel %d position %d: %v alone, %v in the larger image", m, i, got[m*6+i], whole[m*38+i])
			}
		}
	}
}

func TestFusedConv(t *testing.T) {
	for _, tc := range []struct {
		x, w   []int
		groups int
	}{
		{[]int{2, 6, 9, 10}, []int{8, 6, 1, 1}, 1},
		{[]int{2, 6, 9, 10}, []int{8, 3, 2, 3}, 2},
		{[]int{2, 6, 3, 4}, []int{8, 3, 2, 3}, 2},
		{[]int{2, 6, 9, 10}, []int{6, 1, 2, 3}, 6},
		{[]int{2, 32, 7, 9}, []int{32, 32, 3, 3}, 1},
	} {
		x, w, b := ramp(t, tc.x...), ramp(t, tc.w...), ramp(t, tc.w[0])
		plain := slowConv(t, x, w, b, tc.groups, nil, nil, nil)
		z := ramp(t, plain.Shape()...)
		y, zv := tensor.View[float32](plain), tensor.View[float32](z)
		for _, last := range []int{0, 1} {
			want := make([]float32, len(y))
			for i := range want {
				if last == 1 {
					want[i] = max(y[i], 0) + zv[i]
				} else {
					want[i] = max(y[i]+zv[i], 0)
				}
			}
			wt := of(t, want, plain.Shape()...)
			at := attrs{"group": tc.groups, "activation": "Relu", "residual_last": last}
			wantClose(t, bothWays(t, "qrun.FusedConv", 1, at, 1, x, w, b, z), wt, 2e-5)
			if last == 0 {
				delete(at, "residual_last")
				wantClose(t, bothWays(t, "com.microsoft.FusedConv", 1, at, 1, x, w, b, z), wt, 2e-5)
			}
		}
		relu := make([]float32, len(y))
		for i := range relu {
			relu[i] = max(y[i], 0)
		}
		wantClose(t, bothWays(t, "qrun.FusedConv", 1, attrs{"group": tc.groups, "activation": "Relu"}, 1, x, w, b), of(t, relu, plain.Shape()...), 2e-5)
	}
}

func TestConvAutoPad(t *testing.T) {
	x, w := ramp(t, 1, 2, 7, 8), ramp(t, 3, 2, 3, 2)
	for _, tc := range []struct {
		auto    string
		strides []int
		pads    []int
	}{
		{"SAME_UPPER", []int{1, 1}, []int{1, 0, 1, 1}},
		{"SAME_LOWER", []int{1, 1}, []int{1, 1, 1, 0}},
		{"SAME_UPPER", []int{2, 3}, []int{1, 0, 1, 0}},
		{"VALID", []int{2, 3}, []int{0, 0, 0, 0}},
	} {
		got := bothWays(t, "Conv", 11, attrs{"auto_pad": tc.auto, "strides": tc.strides}, 1, x, w)
		wantClose(t, got, slowConv(t, x, w, nil, 1, tc.strides, nil, tc.pads), 1e-5)
	}
}

func TestConvErrors(t *testing.T) {
	x, w := ramp(t, 1, 4, 8, 8), ramp(t, 64, 3, 7, 7)
	wantErr(t, "weights [64 3 7 7] need 3 input channels, got 4", "Conv", 11, nil, x, w)
	wantErr(t, "group is 0", "Conv", 11, attrs{"group": 0}, x, w)
	wantErr(t, "strides [1] has 1 values, want 2", "Conv", 11, attrs{"strides": []int{1}}, x, w)
	wantErr(t, "strides has the value 0", "Conv", 11, attrs{"strides": []int{0, 1}}, x, w)
	wantErr(t, "size 8 with padding 0 and 0 is smaller than the kernel's 13", "Conv", 11, attrs{"dilations": []int{2, 2}}, x, ramp(t, 1, 4, 7, 7))
	wantErr(t, "bias float32[3], want one number for each of 1 output channels", "Conv", 11, nil, x, ramp(t, 1, 4, 7, 7), ramp(t, 3))
	wantErr(t, "kernel_shape [3 3] does not fit", "Conv", 11, attrs{"kernel_shape": []int{3, 3}}, x, ramp(t, 1, 4, 7, 7))
	wantErr(t, "auto_pad=\"SAME\"", "Conv", 11, attrs{"auto_pad": "SAME"}, x, ramp(t, 1, 4, 7, 7))
	wantErr(t, "3 output channels, which 2 groups do not divide", "Conv", 11, attrs{"group": 2}, x, ramp(t, 3, 2, 7, 7))
	far := attrs{"pads": []int{1 << 30, 0, 1 << 30, 0}, "strides": []int{1 << 30, 1}}
	wantErr(t, "not supported: padding", "Conv", 11, far, x, ramp(t, 1, 4, 1, 1))
}
