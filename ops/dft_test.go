package ops

import (
	"fmt"
	"math"
	"math/cmplx"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

// slowDFT is the sum of the definition.
func slowDFT(x []complex128, inverse bool) []complex128 {
	n := len(x)
	y := make([]complex128, n)
	sign := -2 * math.Pi / float64(n)
	if inverse {
		sign = -sign
	}
	for k := range y {
		for i, v := range x {
			y[k] += v * cmplx.Rect(1, sign*float64(k*i%n))
		}
	}
	return y
}

func TestFFT(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 6, 8, 12, 15, 16, 49, 60, 64, 97, 128, 360, 400, 1023} {
		x := make([]complex128, n)
		for i := range x {
			x[i] = complex(float64(i*37%11)-5, float64(i*53%7)-3)
		}
		for _, inverse := range []bool{false, true} {
			f := newFFT(n, inverse)
			y := make([]complex128, n)
			f.transform(y, x, make([]complex128, f.widest()))
			for k, w := range slowDFT(x, inverse) {
				if cmplx.Abs(y[k]-w) > 1e-9*float64(n) {
					t.Fatalf("%d, inverse %v: element %d is %v, want %v", n, inverse, k, y[k], w)
				}
			}
		}
	}
}

func TestDFT(t *testing.T) {
	x := ramp(t, 2, 6, 3, 1)
	full := runOp(t, "DFT", 17, attrs{"axis": 1}, x)
	for o := range 2 {
		for i := range 3 {
			line := make([]complex128, 6)
			for k := range line {
				line[k] = complex(float64(tensor.View[float32](x)[(o*6+k)*3+i]), 0)
			}
			for k, w := range slowDFT(line, false) {
				at := ((o*6+k)*3 + i) * 2
				re, im := tensor.View[float32](full)[at], tensor.View[float32](full)[at+1]
				if math.Abs(float64(re)-real(w)) > 1e-5 || math.Abs(float64(im)-imag(w)) > 1e-5 {
					t.Fatalf("got %v %v, want %v", re, im, w)
				}
			}
		}
	}
	half := runOp(t, "DFT", 20, attrs{"onesided": 1}, x, nil, of(t, []int64{1}))
	wantClose(t, half, runOp(t, "Slice", 13, nil, full, indices(t, 0), indices(t, 4), indices(t, 1)), 0)
	back := runOp(t, "DFT", 20, attrs{"inverse": 1}, full, nil, of(t, []int64{-3}))
	wantClose(t, runOp(t, "Slice", 13, nil, back, indices(t, 0), indices(t, 1), indices(t, -1)), x, 1e-6)
	wantClose(t, runOp(t, "DFT", 20, attrs{"inverse": 1, "onesided": 1}, half, of(t, []int64{6}), of(t, []int64{1})), x, 1e-6)
	if s := fmt.Sprint(runOp(t, "DFT", 20, nil, x, of(t, []int64{8})).Shape()); s != "[2 6 8 2]" {
		t.Errorf("a longer transform has shape %s", s)
	}
	wantErr(t, "holds the parts of the numbers", "DFT", 20, nil, x, nil, of(t, []int64{-1}))
	wantErr(t, "last axis of size 1 or 2", "DFT", 20, nil, ramp(t, 2, 3))
	wantErr(t, "dft_length is [0]", "DFT", 20, nil, x, of(t, []int64{0}))
	wantErr(t, "not supported: input of type int64", "DFT", 20, nil, of(t, []int64{1, 2}, 2, 1))
}

func TestSTFT(t *testing.T) {
	x := ramp(t, 2, 20, 1)
	window := of(t, []float32{0.1, 0.5, 1, 1, 0.5, 0.1}, 6)
	y := runOp(t, "STFT", 17, nil, x, of(t, []int64{4}), window)
	if s := fmt.Sprint(y.Shape()); s != "[2 4 4 2]" {
		t.Fatalf("shape %s", s)
	}
	for b := range 2 {
		for f := range 4 {
			start := int64(f * 4)
			frame := runOp(t, "Slice", 13, nil, x, indices(t, int64(b), start), indices(t, int64(b)+1, start+6))
			weighted := runOp(t, "Mul", 14, nil, frame, runOp(t, "Reshape", 14, nil, window, indices(t, 1, 6, 1)))
			want := runOp(t, "DFT", 17, attrs{"onesided": 1}, weighted)
			got := runOp(t, "Slice", 13, nil, y, indices(t, int64(b), int64(f)), indices(t, int64(b)+1, int64(f)+1))
			got = runOp(t, "Squeeze", 13, nil, got, indices(t, 0))
			wantClose(t, got, want, 1e-5)
		}
	}
	flat := runOp(t, "Squeeze", 13, nil, x, indices(t, 2))
	wantTensor(t, runOp(t, "STFT", 17, nil, flat, of(t, []int64{4}), window), y)
	both := runOp(t, "STFT", 17, attrs{"onesided": 0}, flat, of(t, []int64{7}), nil, of(t, []int64{6}))
	if s := fmt.Sprint(both.Shape()); s != "[2 3 6 2]" {
		t.Errorf("shape %s", s)
	}
	wantErr(t, "frame_step is [0]", "STFT", 17, nil, x, of(t, []int64{0}), window)
	wantErr(t, "frames of 21 in a signal of 20", "STFT", 17, nil, x, of(t, []int64{1}), nil, of(t, []int64{21}))
	wantErr(t, "window of 6 for frames of 5", "STFT", 17, nil, x, of(t, []int64{1}), window, of(t, []int64{5}))
}

func TestTapers(t *testing.T) {
	n := of(t, []int64{4})
	wantClose(t, runOp(t, "HannWindow", 17, nil, n), of(t, []float32{0, 0.5, 1, 0.5}), 1e-7)
	wantClose(t, runOp(t, "HannWindow", 17, attrs{"periodic": 0}, n), of(t, []float32{0, 0.75, 0.75, 0}), 1e-7)
	wantClose(t, runOp(t, "HammingWindow", 17, attrs{"output_datatype": int(tensor.Float64)}, n), of(t, []float64{4.0 / 46, 25.0 / 46, 1, 25.0 / 46}), 1e-12)
	wantClose(t, runOp(t, "BlackmanWindow", 17, nil, of(t, []int32{4})), of(t, []float32{0, 0.34, 1, 0.34}), 1e-7)
	wantErr(t, "size is [-1]", "HannWindow", 17, nil, of(t, []int64{-1}))
	wantErr(t, "not supported: attribute output_datatype of type string", "HannWindow", 17, attrs{"output_datatype": int(tensor.String)}, n)
}

func TestMelWeightMatrix(t *testing.T) {
	i := func(v int64) *tensor.Tensor { return of(t, []int64{v}) }
	f := func(v float32) *tensor.Tensor { return of(t, []float32{v}) }
	y := runOp(t, "MelWeightMatrix", 17, nil, i(4), i(16), i(8192), f(0), f(4096))
	if s := fmt.Sprint(y.Shape()); s != "[9 4]" {
		t.Fatalf("shape %s", s)
	}
	for b := range 4 { // every bin has its peak, and rises to it
		top := float32(0)
		for r := range 9 {
			top = max(top, tensor.View[float32](y)[r*4+b])
		}
		if top != 1 {
			t.Errorf("bin %d reaches %v, want 1", b, top)
		}
	}
	wantErr(t, "outside the spectrum", "MelWeightMatrix", 17, nil, i(4), i(16), i(8192), f(0), f(1e6))
}
