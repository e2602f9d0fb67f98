package ops

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

// The row-wise reduction must agree with visiting every window element by element, which float64 does.
func TestPoolsAgree(t *testing.T) {
	for _, tc := range []struct {
		x  []int
		at attrs
	}{
		{[]int{2, 3, 11}, attrs{"kernel_shape": []int{3}}},
		{[]int{2, 3, 11, 12}, attrs{"kernel_shape": []int{2, 2}, "strides": []int{2, 2}}},
		{[]int{2, 3, 11, 12}, attrs{"kernel_shape": []int{3, 3}, "strides": []int{2, 2}, "pads": []int{1, 1, 1, 1}}},
		{[]int{2, 3, 11, 12}, attrs{"kernel_shape": []int{3, 4}, "strides": []int{1, 3}, "pads": []int{2, 1, 0, 3}, "ceil_mode": 1}},
		{[]int{1, 2, 11, 12}, attrs{"kernel_shape": []int{3, 2}, "dilations": []int{2, 3}, "pads": []int{1, 2, 2, 1}}},
		{[]int{1, 2, 7, 8}, attrs{"kernel_shape": []int{3, 3}, "strides": []int{2, 2}, "auto_pad": "SAME_UPPER"}},
		{[]int{1, 2, 7, 8}, attrs{"kernel_shape": []int{4, 3}, "strides": []int{2, 2}, "auto_pad": "SAME_LOWER"}},
		{[]int{1, 2, 5, 6, 7}, attrs{"kernel_shape": []int{2, 3, 3}, "strides": []int{1, 2, 1}, "pads": []int{1, 0, 1, 0, 1, 1}}},
		{[]int{1, 2, 9, 300}, attrs{"kernel_shape": []int{5, 1}}},
		{[]int{2, 3, 9, 10}, attrs{"kernel_shape": []int{2, 2}}},
		{[]int{2, 3, 13, 14}, attrs{"kernel_shape": []int{13, 7}, "pads": []int{6, 3, 6, 3}}},
		{[]int{1, 2, 60, 400}, attrs{"kernel_shape": []int{4, 6}, "dilations": []int{3, 2}, "pads": []int{2, 4, 1, 0}}}, // in blocks
		{[]int{1, 2, 50, 401}, attrs{"kernel_shape": []int{4, 2}}},                                                      // in place, in blocks
		{[]int{1, 2, 5, 6}, attrs{"kernel_shape": []int{2, 1}, "pads": []int{1, 0, 2, 0}, "ceil_mode": 1}},
		{[]int{3, 5, 7, 6}, attrs{"kernel_shape": []int{7, 6}}}, // the whole plane
		{[]int{3, 5, 2, 3, 4}, attrs{"kernel_shape": []int{2, 3, 4}}},
	} {
		t.Run(fmt.Sprint(tc.x, tc.at["kernel_shape"]), func(t *testing.T) {
			x := ramp(t, tc.x...)
			x64 := toFloat64(t, x)
			for _, op := range []string{"MaxPool", "AveragePool"} {
				want := runOp(t, op, 22, tc.at, x64)
				wantClose(t, toFloat64(t, runOp(t, op, 22, tc.at, x)), want, 1e-6)
			}
			wantBytesAgree(t, tc.x, tc.at)
			at := attrs{"count_include_pad": 1}
			for k, v := range tc.at {
				at[k] = v
			}
			want := runOp(t, "AveragePool", 19, at, x64)
			wantClose(t, toFloat64(t, runOp(t, "AveragePool", 19, at, x)), want, 1e-6)
		})
	}
}

// wantBytesAgree compares the maxima of 8-bit integers with those that come with indices, which are found one by one.
func wantBytesAgree(t *testing.T, shape []int, at attrs) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	n := 1
	for _, d := range shape {
		n *= d
	}
	u, s := make([]uint8, n), make([]int8, n)
	for i := range u {
		u[i], s[i] = uint8(r.Uint32()), int8(r.Uint32()>>(8*r.UintN(2))|0x80)
	}
	for _, x := range []*tensor.Tensor{of(t, u, shape...), of(t, s, shape...)} {
		want, err := tryOp(t, "MaxPool", 22, at, 2, x)
		if err != nil {
			t.Fatal(err)
		}
		wantTensor(t, runOp(t, "MaxPool", 22, at, x), want[0])
	}
}

func TestMaxPoolIndices(t *testing.T) {
	x := of(t, []float32{1, 5, 2, 4, 3, 5, 9, 8, 7}, 1, 1, 3, 3)
	at := attrs{"kernel_shape": []int{2, 2}}
	out, err := tryOp(t, "MaxPool", 8, at, 2, x)
	if err != nil {
		t.Fatal(err)
	}
	wantTensor(t, out[0], of(t, []float32{5, 5, 9, 8}, 1, 1, 2, 2))
	wantTensor(t, out[1], of(t, []int64{1, 1, 6, 7}, 1, 1, 2, 2))
	at["storage_order"] = 1
	if out, err = tryOp(t, "MaxPool", 12, at, 2, x); err != nil {
		t.Fatal(err)
	}
	wantTensor(t, out[1], of(t, []int64{3, 3, 2, 5}, 1, 1, 2, 2))
	wantTensor(t, runOp(t, "MaxPool", 12, attrs{"kernel_shape": []int{2}}, of(t, []int8{-5, -7, -128}, 1, 1, 3)), of(t, []int8{-5, -7}, 1, 1, 2))
}

func TestAveragePoolCounts(t *testing.T) {
	x := of(t, []float32{1, 2, 3, 4}, 1, 1, 4)
	at := attrs{"kernel_shape": []int{3}, "strides": []int{2}, "pads": []int{1, 0}, "ceil_mode": 1}
	wantTensor(t, runOp(t, "AveragePool", 19, at, x), of(t, []float32{1.5, 3}, 1, 1, 2))
	at["count_include_pad"] = 1
	wantTensor(t, runOp(t, "AveragePool", 19, at, x), of(t, []float32{1, 3}, 1, 1, 2))
	at["pads"] = []int{1, 2}
	wantTensor(t, runOp(t, "AveragePool", 19, at, x), of(t, []float32{1, 3, 4. / 3}, 1, 1, 3))
}

func TestLpPools(t *testing.T) {
	x := of(t, []float32{3, -4, 0, 5}, 1, 1, 4)
	wantTensor(t, runOp(t, "LpPool", 18, attrs{"kernel_shape": []int{2}, "strides": []int{2}}, x), of(t, []float32{5, 5}, 1, 1, 2))
	wantTensor(t, runOp(t, "LpPool", 18, attrs{"kernel_shape": []int{2}, "strides": []int{2}, "p": 1}, x), of(t, []float32{7, 5}, 1, 1, 2))
	wantTensor(t, runOp(t, "GlobalLpPool", 2, attrs{"p": 1}, x), of(t, []float32{12}, 1, 1, 1))
	wantClose(t, runOp(t, "GlobalLpPool", 2, attrs{"p": 3}, x), of(t, []float32{float32(math.Cbrt(27 + 64 + 125))}, 1, 1, 1), 1e-6)
}

func TestGlobalPools(t *testing.T) {
	x := of(t, []float32{1, 2, 3, 6, -1, -2, -3, -6}, 1, 2, 2, 2)
	wantTensor(t, runOp(t, "GlobalAveragePool", 1, nil, x), of(t, []float32{3, -3}, 1, 2, 1, 1))
	wantTensor(t, runOp(t, "GlobalMaxPool", 1, nil, x), of(t, []float32{6, -1}, 1, 2, 1, 1))
	wantTensor(t, runOp(t, "GlobalMaxPool", 22, nil, toFloat64(t, x)), of(t, []float64{6, -1}, 1, 2, 1, 1))
	wantErr(t, "has no channels", "GlobalMaxPool", 1, nil, of(t, []float32{1}))
}

func TestPoolErrors(t *testing.T) {
	x := ramp(t, 1, 1, 3, 3)
	wantErr(t, `"kernel_shape" is missing`, "MaxPool", 12, nil, x)
	wantErr(t, "kernel_shape [2] has 1 values, want 2", "MaxPool", 12, attrs{"kernel_shape": []int{2}}, x)
	wantErr(t, "smaller than the kernel's 4", "AveragePool", 12, attrs{"kernel_shape": []int{4, 1}}, x)
	wantErr(t, "not supported: pooling of type int64", "MaxPool", 12, attrs{"kernel_shape": []int{1}}, of(t, []int64{1}, 1, 1, 1))
}
