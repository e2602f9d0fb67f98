package ops

import (
	"fmt"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

// slowConvTranspose scatters by the definition, in float64, for two spatial dimensions.
func slowConvTranspose(t *testing.T, x, w, bias *tensor.Tensor, groups int, s, dil, before [2]int, outH, outW int) *tensor.Tensor {
	t.Helper()
	sx, sw := x.Shape(), w.Shape()
	m := sw[1] * groups
	acc := make([]float64, sx[0]*m*outH*outW)
	dx, dw := tensor.View[float32](x), tensor.View[float32](w)
	pos, tap := make([]int, 4), make([]int, 4)
	for i, v := range dx {
		unravel(pos, i, sx)
		for k, f := range dw {
			unravel(tap, k, sw)
			if tap[0] != pos[1] {
				continue
			}
			oy, ox := pos[2]*s[0]+tap[2]*dil[0]-before[0], pos[3]*s[1]+tap[3]*dil[1]-before[1]
			if oy < 0 || ox < 0 || oy >= outH || ox >= outW {
				continue
			}
			oc := pos[1]/(sx[1]/groups)*sw[1] + tap[1]
			acc[((pos[0]*m+oc)*outH+oy)*outW+ox] += float64(v) * float64(f)
		}
	}
	out := make([]float32, len(acc))
	for i, v := range acc {
		if bias != nil {
			v += float64(tensor.View[float32](bias)[i/(outH*outW)%m])
		}
		out[i] = float32(v)
	}
	return of(t, out, sx[0], m, outH, outW)
}

func TestConvTranspose(t *testing.T) {
	for _, tc := range []struct {
		name       string
		x, w       []int
		groups     int
		at         attrs
		s, dil     [2]int
		before     [2]int
		outH, outW int
	}{
		{"plain", []int{2, 3, 4, 5}, []int{3, 2, 3, 3}, 1, nil, [2]int{1, 1}, [2]int{1, 1}, [2]int{}, 6, 7},
		{"stride", []int{1, 3, 4, 5}, []int{3, 2, 2, 2}, 1, attrs{"strides": []int{2, 2}}, [2]int{2, 2}, [2]int{1, 1}, [2]int{}, 8, 10},
		{"pads", []int{1, 3, 4, 5}, []int{3, 2, 3, 3}, 1, attrs{"strides": []int{3, 2}, "pads": []int{1, 2, 1, 2}}, [2]int{3, 2}, [2]int{1, 1}, [2]int{1, 2}, 10, 7},
		{"output padding", []int{1, 3, 4, 5}, []int{3, 2, 3, 3}, 1, attrs{"strides": []int{3, 2}, "output_padding": []int{2, 1}}, [2]int{3, 2}, [2]int{1, 1}, [2]int{}, 14, 12},
		{"groups", []int{2, 4, 4, 5}, []int{4, 3, 2, 3}, 2, attrs{"group": 2, "dilations": []int{2, 2}}, [2]int{1, 1}, [2]int{2, 2}, [2]int{}, 6, 9},
		{"output shape", []int{1, 3, 4, 5}, []int{3, 2, 3, 3}, 1, attrs{"strides": []int{3, 2}, "output_shape": []int{10, 8}}, [2]int{3, 2}, [2]int{1, 1}, [2]int{1, 2}, 10, 8},
		{"same upper", []int{1, 3, 4, 5}, []int{3, 2, 4, 3}, 1, attrs{"strides": []int{1, 2}, "auto_pad": "SAME_UPPER"}, [2]int{1, 2}, [2]int{1, 1}, [2]int{1, 0}, 4, 10},
		{"same lower", []int{1, 3, 4, 5}, []int{3, 2, 4, 3}, 1, attrs{"strides": []int{1, 2}, "auto_pad": "SAME_LOWER"}, [2]int{1, 2}, [2]int{1, 1}, [2]int{2, 1}, 4, 10},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x, w := ramp(t, tc.x...), ramp(t, tc.w...)
			bias := ramp(t, tc.w[1]*tc.groups)
			want := slowConvTranspose(t, x, w, bias, tc.groups, tc.s, tc.dil, tc.before, tc.outH, tc.outW)
			wantClose(t, bothWays(t, "ConvTranspose", 11, tc.at, 1, x, w, bias), want, 1e-5)
			got := runOp(t, "ConvTranspose", 22, tc.at, toFloat64(t, x), toFloat64(t, w), toFloat64(t, bias))
			wantClose(t, got, toFloat64(t, want), 1e-6)
		})
	}
	for _, shapes := range [][2][]int{{{1, 2, 5}, {2, 3, 4}}, {{1, 2, 2, 3, 4}, {2, 2, 2, 2, 3}}} {
		t.Run(fmt.Sprint(shapes), func(t *testing.T) {
			x, w := ramp(t, shapes[0]...), ramp(t, shapes[1]...)
			got := bothWays(t, "ConvTranspose", 11, nil, 1, x, w)
			want := runOp(t, "ConvTranspose", 11, nil, toFloat64(t, x), toFloat64(t, w))
			wantClose(t, toFloat64(t, got), want, 1e-5)
		})
	}
	x := ramp(t, 1, 4, 8, 8)
	wantErr(t, "do not fit 4 input channels", "ConvTranspose", 11, nil, x, ramp(t, 3, 4, 2, 2))
	wantErr(t, "output_padding [1], want 2 values", "ConvTranspose", 11, attrs{"output_padding": []int{1}}, x, ramp(t, 4, 4, 2, 2))
}

// TestConvTransposeMethods compares results with float64, of sizes that take either method, in one thread and in several.
func TestConvTransposeMethods(t *testing.T) {
	for i, tc := range []struct {
		x, w []int
		at   attrs
	}{
		{[]int{2, 5, 9, 20}, []int{5, 3, 2, 2}, attrs{"strides": []int{2, 2}}},
		{[]int{1, 8, 7, 33}, []int{8, 3, 2, 2}, attrs{"strides": []int{2, 2}, "group": 2}},
		{[]int{1, 5, 14, 13}, []int{5, 30, 4, 4}, attrs{"strides": []int{2, 2}, "pads": []int{1, 1, 1, 1}}},
		{[]int{1, 6, 14, 13}, []int{6, 4, 3, 3}, attrs{"strides": []int{2, 2}, "pads": []int{1, 1, 1, 1}, "output_padding": []int{1, 1}, "group": 3}},
		{[]int{1, 3, 12, 30}, []int{3, 1, 3, 2}, attrs{"strides": []int{3, 2}, "output_shape": []int{37, 59}, "dilations": []int{2, 1}}},
		{[]int{1, 4, 10, 11}, []int{4, 4, 3, 3}, attrs{"pads": []int{1, 1, 1, 1}}},
		{[]int{1, 4, 3, 1000}, []int{4, 40, 1, 5}, attrs{"strides": []int{1, 3}, "pads": []int{0, 2, 0, 1}}},
		{[]int{1, 6, 1200}, []int{6, 40, 16}, attrs{"strides": []int{8}, "pads": []int{4, 4}}},
		{[]int{1, 3, 5, 6, 9}, []int{3, 4, 2, 2, 3}, attrs{"strides": []int{2, 2, 3}}},
		{[]int{1, 3, 5, 6, 9}, []int{3, 4, 3, 3, 4}, attrs{"strides": []int{2, 1, 2}, "pads": []int{1, 1, 1, 1, 0, 2}}},
		{[]int{2, 7, 1, 1}, []int{7, 5, 4, 4}, nil},
		{[]int{1, 7, 5, 6}, []int{7, 5, 1, 2}, attrs{"strides": []int{2, 2}}},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			groups, _ := tc.at["group"].(int)
			x, w, bias := ramp(t, tc.x...), ramp(t, tc.w...), ramp(t, tc.w[1]*max(groups, 1))
			got := bothWays(t, "ConvTranspose", 11, tc.at, 1, x, w, bias)
			wantClose(t, toFloat64(t, got), runOp(t, "ConvTranspose", 22, tc.at, toFloat64(t, x), toFloat64(t, w), toFloat64(t, bias)), 1e-5)
		})
	}
}
