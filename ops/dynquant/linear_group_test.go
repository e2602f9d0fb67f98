package dynquant

import (
	"bytes"
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/internal/modeltest"
	"github.com/qrun-onnx/qrun/tensor"
)

// Several layers in one node have the bits that they have apart.
func TestLinearGroup(t *testing.T) {
	k := backend.All()[0]
	ramp := func(step int, shape ...int) *tensor.Tensor {
		n, _ := tensor.Count(shape)
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(i*step%1009)/500 - 1
		}
		return of(t, v, shape...)
	}
	rows, err := evalOp(k, "qrun.QuantizeRows", 1, 4, []graph.Attr{intsAttr("repeat", 2, 5)}, ramp(37, 3, 20, 62))
	if err != nil {
		t.Fatal(err)
	}
	q8 := make([]int8, 64*40)
	for i := range q8 {
		q8[i] = int8(i*29%255 - 127)
	}
	scale := slices.Repeat([]float32{0.02}, 50)
	layers := [][]*tensor.Tensor{
		{ramp(31, 62, 50), of(t, scale, 50), nil, ramp(11, 50)}, // float32, quantized when packed
		{of(t, q8, 40, 64), of(t, []float32{0.1}, 1), of(t, []int8{3}, 1), nil},
	}
	at := []graph.Attr{{Name: "transB", Type: graph.AttrInts, Ints: []int64{0, 1}}, {Name: "alpha", Type: graph.AttrFloats, Floats: []float32{0.5, 1}},
		{Name: "activation", Type: graph.AttrStrings, Strings: []string{"Relu", ""}}, {Name: "p0", Type: graph.AttrFloats, Floats: []float32{0, 0}}, {Name: "p1", Type: graph.AttrFloats, Floats: []float32{0, 0}},
		intsAttr("repeats", 2, 0), intsAttr("repeat", 2, 5)}
	got, err := evalOp(k, "qrun.QLinears", 1, 2, at, slices.Concat(rows, layers[0], layers[1][:3])...)
	if err != nil {
		t.Fatal(err)
	}
	apart := [][]graph.Attr{{graph.FloatA("alpha", 0.5), graph.StrA("activation", "Relu"), intsAttr("repeat", 2, 5)}, {intAttr("transB", 1)}}
	for i, l := range layers {
		if want := mustEval(t, k, "qrun.QLinear", 1, apart[i], slices.Concat(rows, l)...); !bytes.Equal(got[i].Bytes(), want.Bytes()) {
			t.Errorf("layer %d has other bits", i)
		}
	}
	wantErr(t, "needs activation rows", "qrun.QLinears", 1, at[:5], slices.Concat(rows, []*tensor.Tensor{of(t, make([]int8, 130*8), 130, 8), of(t, []float32{1}, 1), nil, nil}, layers[1][:3])...)
	wantErr(t, "repeat has 1 channels", "qrun.QLinears", 1, append(at[:6:6], intsAttr("repeat", 2)), slices.Concat(rows, layers[0], layers[1][:3])...)
}

// Queries, keys and values of a quantized activation are one node.
func TestJoinQuantizedSiblings(t *testing.T) {
	var pass graph.Pass
	for _, p := range graph.Passes() {
		if p.Name == "siblings" {
			pass = p
		}
	}
	parts := []any{modeltest.In("x", modeltest.Spec(tensor.Float32, "N", 16)), modeltest.Node("qrun:QuantizeRows", "x", "q s z n"), modeltest.Init("one", []float32{0.25}, 1)}
	layer := func(name, in string) []any {
		w := make([]int8, 16*8)
		for i := range w {
			w[i] = int8(i*len(name)*29%255 - 127)
		}
		return []any{modeltest.Init("w"+name, w, 16, 8), modeltest.Node("qrun:QLinear@"+name, in+" w"+name+" one", "y"+name), modeltest.Out("y" + name)}
	}
	three := slices.Concat(parts, layer("a", "q s z n"), layer("bb", "q s z n"), layer("ccc", "q s z n"))
	comparePass(t, three, pass, 1)
	other := slices.Concat(parts, []any{modeltest.Node("qrun:QuantizeRows", "x", "q2 s2 z2 n2", modeltest.At("profile", "onnx"))}, layer("a", "q s z n"), layer("bb", "q2 s2 z2 n2"))
	comparePass(t, other, pass, 0)
}
