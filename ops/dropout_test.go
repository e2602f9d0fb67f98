package ops

import (
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

func TestDropout(t *testing.T) {
	x := ramp(t, 40, 50)
	wantTensor(t, runOp(t, "Dropout", 7, attrs{"ratio": 0.9}, x), x)
	wantTensor(t, runOp(t, "Dropout", 6, attrs{"ratio": 0.9, "is_test": 1}, x), x)
	wantErr(t, "not supported: training", "Dropout", 6, nil, x)
	out := evalAll(t, "Dropout", 7, nil, 2, of(t, []float32{2, 3}))
	wantTensor(t, out[1], of(t, []float32{1, 1}))
	out = evalAll(t, "Dropout", 13, nil, 2, of(t, []float32{2, 3}))
	wantTensor(t, out[1], of(t, []bool{true, true}))

	ratio, train := tensor.Scalar[float32](0.25), tensor.Scalar(true)
	out = evalAll(t, "Dropout", 13, attrs{"seed": 7}, 2, x, ratio, train)
	stay := 0
	for i, is := range tensor.View[bool](out[1]) {
		want := float32(0)
		if is {
			stay++
			want = float32(float64(tensor.View[float32](x)[i]) / 0.75)
		}
		if got := tensor.View[float32](out[0])[i]; got-want > 1e-6 || want-got > 1e-6 {
			t.Fatalf("element %d: got %v, want %v", i, got, want)
		}
	}
	if stay < 1400 || stay > 1600 { // 1500 expected, 5 standard deviations are 97
		t.Errorf("%d of 2000 elements stay, want about 1500", stay)
	}
	again := evalAll(t, "Dropout", 13, attrs{"seed": 7}, 2, x, ratio, train)
	wantTensor(t, again[0], out[0])
	wantTensor(t, runOp(t, "Dropout", 13, nil, x, ratio, tensor.Scalar(false)), x)
	wantErr(t, "ratio is 1, want 0 up to but not 1", "Dropout", 13, nil, x, tensor.Scalar[float32](1), train)
	wantErr(t, "training mode of type float32", "Dropout", 13, nil, x, ratio, ratio)
}

func TestBitCast(t *testing.T) {
	wantTensor(t, runOp(t, "BitCast", 26, attrs{"to": int(tensor.Int32)}, of(t, []float32{1, -2})), of(t, []int32{0x3f800000, -0x40000000}))
	wantTensor(t, runOp(t, "BitCast", 26, attrs{"to": int(tensor.Bool)}, of(t, []uint8{0, 7})), of(t, []bool{false, true}))
	wantErr(t, "has 32 bits an element, int64 has 64", "BitCast", 26, attrs{"to": int(tensor.Int64)}, of(t, []float32{1, 2}))
	wantErr(t, "attribute to=8 is not a type of numbers", "BitCast", 26, attrs{"to": 8}, of(t, []float32{1, 2}))
}
