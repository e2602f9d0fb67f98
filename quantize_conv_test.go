package qrun_test

import (
	"testing"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/internal/accuracy"
	mt "github.com/qrun-onnx/qrun/internal/modeltest"
	"github.com/qrun-onnx/qrun/tensor"
)

// TestQuantizeConv: a convolution is quantized only for those who list Conv, with the activation and the sum behind it;
// one that would not gain stays in float32 and the report says why.
func TestQuantizeConv(t *testing.T) {
	g := mt.Graph(mt.In("x", mt.Spec(tensor.Float32, "b", 16, 9, 9)), mt.Out("y"), mt.Init("w", normal(1, 16*16*9), 16, 16, 3, 3), mt.Init("v", normal(2, 16*16), 16, 16, 1, 1),
		mt.Node("Conv@wide", "x w", "c", mt.At("pads", []int64{1, 1, 1, 1})), mt.Node("Relu", "c", "r"), mt.Node("Add", "r x", "s"), mt.Node("Conv@narrow", "s v", "y"))
	p := mt.Model(g).Proto
	in := qrun.Tensors{"x": mt.Tensor(normal(3, 2*16*81), 2, 16, 9, 9)}
	want := outputsOf(t, sessionOf(t, p, nil), in)["y"]
	if s := sessionOf(t, p, &qrun.Options{Quantize: qrun.Dynamic}); len(s.Report().Nodes) != 0 {
		t.Errorf("quantized unasked: %+v", s.Report().Nodes)
	}
	for _, profile := range []qrun.Profile{qrun.Row, qrun.ONNX} {
		s := sessionOf(t, p, &qrun.Options{Quantize: qrun.Dynamic, Profile: profile, Ops: []string{"Conv"}})
		nodes := s.Report().Nodes
		if len(nodes) != 2 || nodes[0].Decision != "int8" || nodes[0].BytesAfter >= nodes[0].BytesBefore || nodes[1].Reason == "" {
			t.Fatalf("report: %+v", nodes)
		}
		got := outputsOf(t, s, in)["y"]
		st, err := accuracy.Compare(got, want)
		if err != nil || st.SQNR < 30 || st.SQNR > 80 { // normal weights and activations have about 38 dB in int8
			t.Errorf("%s: SQNR %.1f dB, %v", profile, st.SQNR, err)
		}
	}
}
