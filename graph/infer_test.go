package graph

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

// reshapeByShape reshapes x of [N 6] to [N 2 3] through Shape, Gather, Unsqueeze and Concat.
func reshapeByShape() *onnx.Model {
	return modelOf(graphOf(in("x", spec(f32, "N", 6)), initOf("zero", []int64{0}), initOf("rest", []int64{2, 3}, 2),
		node("Shape", "x", "s"), node("Gather", "s zero", "n"), node("Unsqueeze", "n", "n1"), node("Concat", "n1 rest", "dims"),
		node("Reshape", "x dims", "y"), out("y")))
}

func TestShapeArithmetic(t *testing.T) {
	g := mustBuild(t, reshapeByShape())
	if err := g.Infer(); err != nil {
		t.Fatal(err)
	}
	y := g.Outputs[0]
	if s := y.Spec.String(); s != "float32[N 2 3]" {
		t.Errorf("at load y is %s", s)
	}
	for _, n := range []int{4, 0} {
		sh, err := g.InferShapes([]tensor.Spec{tensor.SpecOf(f32, n, 6)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := sh.Spec(y).String(), tensor.SpecOf(f32, n, 2, 3).String(); got != want {
			t.Errorf("y is %s, want %s", got, want)
		}
		dims := sh.Const(g.Nodes[4].In[1])
		if dims == nil || tensor.View[int64](dims)[0] != int64(n) {
			t.Errorf("contents of dims: %v", dims)
		}
		if sh.Const(y) != nil {
			t.Error("y depends on data")
		}
	}
	if y.Const != nil || g.Nodes[3].Out[0].Const != nil {
		t.Error("InferShapes changed the graph")
	}
	if _, err := g.InferShapes(nil, nil); err == nil {
		t.Error("no error for missing inputs")
	}
}

func TestInferenceErrorNamesNode(t *testing.T) {
	g := mustBuild(t, modelOf(graphOf(in("x", spec(f32, 2, 3)), init32("w", make([]float32, 8), 4, 2), node("MatMul@mm", "x w", "y"), out("y"))))
	err := g.Infer()
	var ne *NodeError
	if !errors.As(err, &ne) || ne.Node != "mm" || ne.Op != "MatMul" {
		t.Fatalf("error %v", err)
	}
	if want := "MatMul \"mm\": inner dimensions 3 and 4 differ\n      inputs: x float32[2 3], w float32[4 2]"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

func TestBodiesAreInferred(t *testing.T) {
	then := graphOf(node("Add", "a x", "r"), node("Shape", "r", "s"), node("Reshape", "r s", "q"), out("q"))
	g := mustBuild(t, modelOf(graphOf(in("x", spec(f32, "N", 3)), in("c", spec(tensor.Bool)), node("Relu", "x", "a"),
		node("If", "c", "y", at("then_branch", then), at("else_branch", graphOf(out("x")))), out("y"))))
	if err := g.Infer(); err != nil {
		t.Fatal(err)
	}
	body := g.Nodes[1].Bodies["then_branch"]
	if s := body.Outputs[0].Spec.String(); s != "float32[N 3]" || g.Outputs[0].Spec.String() != s {
		t.Errorf("body %s, y %v", s, g.Outputs[0].Spec)
	}
	sh, err := g.InferShapes([]tensor.Spec{tensor.SpecOf(f32, 5, 3), tensor.SpecOf(tensor.Bool)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s := sh.Spec(g.Outputs[0]).String(); s != "float32[5 3]" {
		t.Errorf("y is %s", s)
	}
	// The executor infers a body by itself, with what is known around it.
	in, err := body.InferShapes(nil, sh)
	if err != nil {
		t.Fatal(err)
	}
	if s := in.Spec(body.Outputs[0]).String(); s != "float32[5 3]" || in.Const(body.Nodes[1].Out[0]) == nil {
		t.Errorf("body output is %s", s)
	}
}

func TestInferNodeAtRunTime(t *testing.T) {
	g := mustBuild(t, modelOf(graphOf(in("x", spec(f32, 6)), in("dims", spec(tensor.Int64, 2)), node("Reshape", "x dims", "y"), out("y"))))
	sh, err := g.InferShapes([]tensor.Spec{tensor.SpecOf(f32, 6), tensor.SpecOf(tensor.Int64, 2)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if sh.Spec(g.Outputs[0]).Complete() {
		t.Fatal("y cannot be known before the run")
	}
	specs, err := InferNode(g.Nodes[0], []*tensor.Tensor{tensorOf(make([]float32, 6), 6), tensorOf([]int64{2, 3}, 2)}, nil)
	if err != nil || specs[0].String() != "float32[2 3]" {
		t.Errorf("%v, %v", specs, err)
	}
}

func TestRegistryRefusesTwins(t *testing.T) {
	if _, err := NewRegistry([]Def{{Op: "A", Since: 1}, {Domain: "ai.onnx", Op: "A", Since: 1}}); err == nil || !strings.Contains(err.Error(), "A is defined twice since version 1") {
		t.Errorf("error %v", err)
	}
}

// Numbers beyond an int, which has 32 bits on some machines, keep their sign and are larger than any size.
func TestIntsOutOfRange(t *testing.T) {
	x, err := tensor.Of([]int64{math.MaxInt64, math.MinInt64, 1 << 32, -7})
	if err != nil {
		t.Fatal(err)
	}
	c := &InferCtx{consts: []*tensor.Tensor{x}}
	got, ok := c.Ints(0)
	large := int64(1 << 32)
	want := []int{math.MaxInt, math.MinInt, int(min(large, math.MaxInt)), -7}
	if !ok || len(got) != len(want) {
		t.Fatalf("%v, %v", got, ok)
	}
	for i, d := range got {
		if d.Size != want[i] {
			t.Errorf("element %d: %d, want %d", i, d.Size, want[i])
		}
	}
}
