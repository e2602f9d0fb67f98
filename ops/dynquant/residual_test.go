package dynquant

import (
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// A residual of another shape than the product's is added as Add does.
func TestBroadcastResidual(t *testing.T) {
	k := backend.All()[0]
	at := []graph.Attr{intAttr("residual_broadcast", 1)}
	fill := func(shape ...int) *tensor.Tensor {
		n, _ := tensor.Count(shape)
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(i*37%101)/50 - 1
		}
		return of(t, v, shape...)
	}
	x := fill(2, 3, 16)
	rows, err := evalOp(k, "qrun.QuantizeRows", 1, 4, nil, x)
	if err != nil {
		t.Fatal(err)
	}
	w8 := make([]int8, 16*5)
	w16, err := tensor.New(tensor.Float16, 16, 5)
	if err != nil {
		t.Fatal(err)
	}
	for i := range w8 {
		w8[i] = int8(i*29%255 - 127)
		tensor.View[tensor.F16](w16)[i] = tensor.ToF16(float32(w8[i]) / 100)
	}
	for op, in := range map[string][]*tensor.Tensor{
		"qrun.QLinear":    append(rows, of(t, w8, 16, 5), fill(5), nil, fill(5)),
		"qrun.HalfLinear": {x, w16, fill(5)},
	} {
		product := mustEval(t, k, op, 1, nil, in...)
		for _, shape := range [][]int{{2, 3, 5}, {1, 3, 5}, {4, 2, 3, 5}} {
			z := fill(shape...)
			got := mustEval(t, k, op, 1, at, append(in[:len(in):len(in)], z)...)
			p, r := tensor.View[float32](product), tensor.View[float32](z)
			for i, v := range tensor.View[float32](got) {
				if want := p[i%len(p)] + r[i%len(r)]; v != want {
					t.Fatalf("%s with a residual %v: element %d is %v, want %v", op, shape, i, v, want)
				}
			}
		}
	}
}
