package backend

import (
	"math"
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// fma32 is a*b+c rounded once.
func fma32(a, b, c float32) float32 { return asm.FMA32(a, b, c) }

func TestBinaryBroadcast(t *testing.T) {
	for _, k := range All() {
		for _, tt := range []struct{ a, b, want []float32 }{
			{[]float32{1, 2, 3}, []float32{10, 20, 30}, []float32{-9, -18, -27}},
			{[]float32{1, 2, 3}, []float32{10}, []float32{-9, -8, -7}},
			{[]float32{1}, []float32{10, 20, 30}, []float32{-9, -19, -29}},
			{[]float32{1}, []float32{10}, []float32{-9}},
			{[]float32{1}, nil, nil},
			{nil, nil, nil},
		} {
			dst := make([]float32, len(tt.want))
			k.Binary(Sub, dst, tt.a, tt.b)
			if !slices.Equal(dst, tt.want) {
				t.Errorf("%s: %v - %v = %v, want %v", k.Name(), tt.a, tt.b, dst, tt.want)
			}
		}
	}
}

// The examples of DynamicQuantizeLinear's definition, and ranges without one.
func TestQuantizeRow(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, k := range All() {
		for _, tt := range []struct {
			x     []float32
			scale float32
			zero  int32
			q     []uint8
		}{
			{[]float32{0, 2, -3, -2.5, 1.34, 0.5}, 0.0196078438, 153, []uint8{153, 255, 0, 26, 221, 179}},
			{[]float32{-1, -2.1, -1.3, -2.5, -3.34, -4}, 0.0156862754, 255, []uint8{191, 121, 172, 96, 42, 0}},
			{[]float32{-1, 1}, 0.00784313772, 127, []uint8{0, 254}},
			{[]float32{-127.5, 127.5}, 1, 128, []uint8{0, 255}},
			{[]float32{0.5, 1.5, 2.5, 255}, 1, 0, []uint8{0, 2, 2, 255}},
			{[]float32{0, 0}, 1, 0, []uint8{0, 0}},
			{[]float32{}, 1, 0, []uint8{}},
			{[]float32{1e-45, 0}, 1, 0, []uint8{0, 0}},
			{[]float32{1, nan, 2}, nan, 0, []uint8{0, 0, 0}},
			{[]float32{1, inf}, nan, 0, []uint8{0, 0}},
			{[]float32{-inf, 1}, nan, 0, []uint8{0, 0}},
		} {
			for _, size := range []int{len(tt.q), 64} {
				dst := make([]uint8, size)
				for i := range dst {
					dst[i] = 7
				}
				scale, zero, sum := k.QuantizeRow(dst, tt.x)
				want, wantSum := make([]uint8, size), int32(0)
				copy(want, tt.q)
				for _, q := range tt.q {
					wantSum += int32(q)
				}
				same := scale == tt.scale || scale != scale && tt.scale != tt.scale
				if !same || zero != tt.zero || sum != wantSum || !slices.Equal(dst, want) {
					t.Errorf("%s: %v: scale %g, zero point %d, sum %d, %v, want %g, %d, %d, %v", k.Name(), tt.x, scale, zero, sum, dst,
						tt.scale, tt.zero, wantSum, want)
				}
			}
		}
	}
}

func TestRowFunctions(t *testing.T) {
	x := []float32{1, 2, 4, 1}
	for _, k := range All() {
		y := make([]float32, 4)
		near := func(what string, want ...float64) {
			t.Helper()
			for i, w := range want {
				if math.Abs(float64(y[i])-w) > 1e-6 {
					t.Errorf("%s: %s is %v, want %v", k.Name(), what, y, want)
					return
				}
			}
		}
		e := func(x float64) float64 { return math.Exp(x) }
		sum := 2*e(1) + e(2) + e(4)
		k.Softmax(y, x, nil, 1)
		near("softmax", e(1)/sum, e(2)/sum, e(4)/sum, e(1)/sum)
		k.Softmax(y, x, []float32{0, 0, float32(math.Inf(-1)), 0}, 0.5)
		near("masked softmax", e(.5)/(2*e(.5)+e(1)), e(1)/(2*e(.5)+e(1)), 0, e(.5)/(2*e(.5)+e(1)))
		k.LogSoftmax(y, x)
		near("log softmax", 1-math.Log(sum), 2-math.Log(sum), 4-math.Log(sum), 1-math.Log(sum))
		mean, inv := k.LayerNorm(y, x, []float32{1, 2, 1, 1}, []float32{0, 0, 5, 0}, 0.5)
		s := 1 / math.Sqrt(1.5+0.5)
		near("layer norm", -1*s, 0, 5+2*s, -1*s)
		if mean != 2 || math.Abs(float64(inv)-s) > 1e-6 {
			t.Errorf("%s: mean %g, inverse %g", k.Name(), mean, inv)
		}
		k.RMSNorm(y, x, []float32{1, 1, 2, 1}, 0.5)
		s = 1 / math.Sqrt(5.5+0.5)
		near("RMS norm", s, 2*s, 8*s, s)
		k.Softmax(y, []float32{-float32(math.Inf(1)), -float32(math.Inf(1))}, nil, 1)
		if y[0] == y[0] {
			t.Errorf("%s: softmax of -Inf is %v, want NaN", k.Name(), y)
		}
	}
}

func TestRowsPanicOnShortSlices(t *testing.T) {
	k, err := New("")
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*Rows{
		"dst":   {N: 4, Rows: 2, Dst: make([]float32, 7), Src: make([]float32, 8), DstStep: 4, SrcStep: 4},
		"src":   {N: 4, Rows: 2, Dst: make([]float32, 8), Src: make([]float32, 7), DstStep: 4, SrcStep: 4},
		"add":   {N: 4, Rows: 2, Dst: make([]float32, 8), Src: make([]float32, 8), DstStep: 4, SrcStep: 4, Add: make([]float32, 7), AddStep: 4},
		"gamma": {N: 4, Rows: 2, Dst: make([]float32, 8), Src: make([]float32, 8), DstStep: 4, SrcStep: 4, Gamma: make([]float32, 3)},
		"mean":  {N: 4, Rows: 2, Dst: make([]float32, 8), Src: make([]float32, 8), DstStep: 4, SrcStep: 4, Mean: make([]float32, 1)},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("no panic for a short %s", name)
				}
			}()
			k.LayerNormRows(r)
		}()
	}
}
