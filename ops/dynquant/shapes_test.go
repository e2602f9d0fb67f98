package dynquant

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

// oneNode is an executable of copies of one operator on the same inputs, named 0, 1, ..., which have these types and any
// shape, or are constants. Output y is the first copy's.
func oneNode(t *testing.T, k *backend.Kernels, domain, op string, copies, nOut int, types []tensor.DType, consts map[int]*tensor.Tensor) *graph.Executable {
	t.Helper()
	version, opset, contrib := int64(8), int64(21), int64(1)
	g := &onnx.GraphProto{Name: proto("g"), Output: []*onnx.ValueInfoProto{onnx.NewValueInfo("y", tensor.Spec{})}}
	for i, d := range types {
		if c := consts[i]; c != nil {
			p, err := onnx.NewTensorProto(fmt.Sprint(i), c)
			if err != nil {
				t.Fatal(err)
			}
			g.Initializer = append(g.Initializer, p)
			continue
		}
		g.Input = append(g.Input, onnx.NewValueInfo(fmt.Sprint(i), tensor.Unranked(d)))
	}
	for i := range copies {
		n := &onnx.NodeProto{Domain: &domain, OpType: &op, Output: []string{"y"}}
		if i > 0 {
			n.Output = []string{fmt.Sprint("y", i)}
		}
		for o := 1; o < nOut; o++ {
			n.Output = append(n.Output, fmt.Sprint("y", i, "_", o))
		}
		for i := range types {
			n.Input = append(n.Input, fmt.Sprint(i))
		}
		g.Node = append(g.Node, n)
		if i > 0 {
			g.Output = append(g.Output, onnx.NewValueInfo(n.Output[0], tensor.Spec{}))
		}
	}
	m := &onnx.Model{Proto: &onnx.ModelProto{IrVersion: &version, Graph: g, OpsetImport: []*onnx.OperatorSetIdProto{{Version: &opset}, {Domain: proto(microsoft), Version: &contrib}}}}
	reg := registry(t, k)
	built, err := graph.Build(m, reg)
	if err != nil {
		t.Fatal(err)
	}
	if err := built.Infer(); err != nil {
		t.Fatal(err)
	}
	e, err := graph.NewExecutable(built, graph.ExecOptions{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func proto(s string) *string { return &s }

// TestShapesChange runs one operator with weights of many sizes in turn, as its memory for packed ones is used again.
func TestShapesChange(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	k := backend.All()[0]
	e := oneNode(t, k, "", "MatMulInteger", 1, 1, []tensor.DType{tensor.Uint8, tensor.Int8, tensor.Uint8, tensor.Int8}, nil)
	for i := range 60 {
		m, depth, n, batch := 1+r.IntN(9), r.IntN(90), 1+r.IntN(60), 1+r.IntN(3)
		a, b := randomBytes(t, r, tensor.Uint8, false, m, depth), randomBytes(t, r, tensor.Int8, false, batch, depth, n)
		za, zb := randomBytes(t, r, tensor.Uint8, false, m), randomBytes(t, r, tensor.Int8, false, n)
		if i%3 == 0 {
			clear(zb.Bytes())
		}
		out, err := e.Run(context.Background(), map[string]*tensor.Tensor{"0": a, "1": b, "2": za, "3": zb}, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := referenceProduct(a, b, 1, batch, m, depth, n, rowOf(za, m), columnOf(zb, n))
		if text := sameBits(out["y"], of(t, want, batch, m, n)); text != "" {
			t.Fatalf("%v by %v: %s", a, b, text)
		}
	}
}
