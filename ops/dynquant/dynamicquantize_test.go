package dynquant

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// TestDynamicQuantizeNotFinite has what ONNX Runtime gives for infinities; NaN takes no part.
func TestDynamicQuantizeNotFinite(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct {
		x     []float32
		y     []uint8
		scale float32
		zero  uint8
	}{
		{[]float32{nan}, []uint8{0}, 1, 0},
		{[]float32{nan, 1}, []uint8{0, 255}, 1. / 255, 0},
		{[]float32{-1, nan, 2}, []uint8{0, 0, 255}, 3. / 255, 85},
		{[]float32{inf}, []uint8{0}, inf, 0},
		{[]float32{-inf}, []uint8{0}, inf, 255},
		{[]float32{inf, -inf}, []uint8{0, 0}, inf, 255},
		{[]float32{1, inf}, []uint8{0, 0}, inf, 0},
		{[]float32{1, -inf}, []uint8{255, 0}, inf, 255},
		{[]float32{3e38, -3e38}, []uint8{0, 0}, inf, 0},
		{[]float32{}, []uint8{}, 1, 0},
	} {
		for _, k := range backend.All() {
			out, err := evalOp(k, "DynamicQuantizeLinear", 11, 3, nil, of(t, c.x, len(c.x)))
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range []*tensor.Tensor{of(t, c.y, len(c.y)), of(t, []float32{c.scale}), of(t, []uint8{c.zero})} {
				if text := sameBits(out[i], want); text != "" {
					t.Errorf("%s: %v: output %d: %s", k.Name(), c.x, i, text)
				}
			}
		}
	}
}

// TestDynamicQuantizeIsQuantizeRows: profile onnx of QuantizeRows has the same bits, over several parts of the range.
func TestDynamicQuantizeIsQuantizeRows(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	const rows, width = 130, 300 // more than two parts
	x := make([]float32, rows*width)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	for _, outlier := range []float32{0, 77, -90, float32(math.Inf(-1))} {
		x[len(x)-5] = outlier
		in := of(t, x, rows, width)
		for _, k := range backend.All() {
			a, err := evalOp(k, "DynamicQuantizeLinear", 11, 3, nil, in)
			if err != nil {
				t.Fatal(err)
			}
			b, err := evalOp(k, "qrun.QuantizeRows", 1, 4, []graph.Attr{{Name: "profile", Type: graph.AttrString, S: "onnx"}}, in)
			if err != nil {
				t.Fatal(err)
			}
			if text := sameBits(a[1], of(t, tensor.View[float32](b[1]))); text != "" {
				t.Error(text)
			}
			if int32(tensor.View[uint8](a[2])[0]) != tensor.View[int32](b[2])[0] {
				t.Error("zero points differ")
			}
			stride := b[0].Shape()[1]
			for i, q := range a[0].Bytes() {
				if q != b[0].Bytes()[i/width*stride+i%width] {
					t.Fatalf("element %d differs", i)
				}
			}
		}
	}
}
