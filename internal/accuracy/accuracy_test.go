package accuracy

import (
	"math"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

func of[T tensor.Element](t *testing.T, data []T, shape ...int) *tensor.Tensor {
	t.Helper()
	x, err := tensor.Of(data, shape...)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestCompare(t *testing.T) {
	s, err := Compare(of(t, []float32{3, 4, 0}), of(t, []float32{3, 0, 0}))
	if err != nil {
		t.Fatal(err)
	}
	// |want| = 3, |got-want| = 4, cosine = 9/(5*3)
	if s.MaxAbs != 4 || s.MeanAbs != 4.0/3 || math.Abs(s.Cosine-0.6) > 1e-15 || math.Abs(s.SQNR-20*math.Log10(0.75)) > 1e-12 {
		t.Errorf("got %+v", s)
	}
	nan := float32(math.NaN())
	if s, _ := Compare(of(t, []float32{nan, 1}), of(t, []float32{nan, 1})); !math.IsInf(s.SQNR, 1) || s.Cosine != 1 {
		t.Errorf("NaN equal to NaN: got %+v", s)
	}
	if s, _ := Compare(of(t, []float32{nan, 1}), of(t, []float32{1, 1})); s.Mismatch != 1 || s.Cosine != 0 {
		t.Errorf("one NaN: got %+v", s)
	}
	if _, err := Compare(of(t, []float32{1, 2}), of(t, []float32{1})); err == nil {
		t.Error("shapes that differ: no error")
	}
}

func TestClose(t *testing.T) {
	inf := float32(math.Inf(1))
	if ok, _, _ := Close(of(t, []float32{1, inf}), of(t, []float32{1.0009, inf}), 1e-3, 0); !ok {
		t.Error("within tolerance, got not close")
	}
	if ok, worst, n := Close(of(t, []float32{1, 5, 3}), of(t, []float32{1, 1, 2}), 1e-3, 0); ok || worst != 1 || n != 2 {
		t.Errorf("got %v, worst %d, differ %d", ok, worst, n)
	}
	if ok, _, n := Close(of(t, []float32{float32(math.NaN())}), of(t, []float32{1}), 1, 1); ok || n != 1 {
		t.Error("a NaN passed")
	}
}

func TestRows(t *testing.T) {
	a, b := of(t, []float32{1, 2, 9, 0}, 2, 2), of(t, []float32{1, 3, 0, 1}, 2, 2)
	if got := TopAgreement(a, b); got != 0.5 {
		t.Errorf("top-1 agreement %v, want 0.5", got)
	}
	if got := KL(a, a); math.Abs(got) > 1e-15 {
		t.Errorf("KL of equal tensors %v", got)
	}
	// softmax(0, ln 3) = 1/4, 3/4 against 1/2, 1/2: KL = 1/4 ln(1/2) + 3/4 ln(3/2)
	got := KL(of(t, []float64{0, 0}, 1, 2), of(t, []float64{0, math.Log(3)}, 1, 2))
	if want := 0.25*math.Log(0.5) + 0.75*math.Log(1.5); math.Abs(got-want) > 1e-12 {
		t.Errorf("KL %v, want %v", got, want)
	}
}
