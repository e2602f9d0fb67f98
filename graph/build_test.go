package graph

import (
	"errors"
	"strings"
	"testing"

	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

func TestInitializersAreConstants(t *testing.T) {
	// Initializers come before the inputs, one is an input again.
	g := mustBuild(t, modelOf(graphOf(init32("w", []float32{1, 2}, 2), in("w", spec(f32, 2)), in("x", spec(f32, "N", 2)),
		node("Add", "w x", "y"), out("y"))))
	if len(g.Inputs) != 1 || g.Inputs[0].Name != "x" || len(g.Preset) != 1 || g.Preset[0].Name != "w" {
		t.Errorf("inputs %v, preset %v", g.Inputs, g.Preset)
	}
	if g.Nodes[0].In[0].Const == nil || g.Nodes[0].In[0].Spec.String() != "float32[2]" {
		t.Errorf("w is no constant: %+v", g.Nodes[0].In[0])
	}
	if s := g.Inputs[0].Spec.String(); s != "float32[N 2]" {
		t.Errorf("x is %s", s)
	}
}

func TestSparseInitializer(t *testing.T) {
	sp := &onnx.SparseTensorProto{Values: init32("w", []float32{5, 7}, 2), Indices: initOf("", []int64{1, 5}, 2), Dims: []int64{2, 3}}
	g := mustBuild(t, modelOf(graphOf(sp, in("x", spec(f32, 2, 3)), node("Add", "x w", "y"), out("y"))))
	if got := tensor.View[float32](g.Nodes[0].In[1].Const); got[1] != 5 || got[5] != 7 || got[0] != 0 {
		t.Errorf("w = %v", got)
	}
}

func TestConstantForms(t *testing.T) {
	sp := &onnx.SparseTensorProto{Values: initOf("", []int64{9}, 1), Indices: initOf("", []int64{1}, 1), Dims: []int64{2}}
	for _, c := range []struct {
		attr *onnx.AttributeProto
		want string
	}{
		{at("value", init32("", []float32{1, 2}, 1, 2)), "float32[1 2]"},
		{at("sparse_value", sp), "int64[2]"},
		{at("value_int", 3), "int64"},
		{at("value_ints", []int64{3}), "int64[1]"},
		{at("value_ints", []int64{}), "int64[0]"},
		{at("value_float", float32(3)), "float32"},
		{at("value_floats", []float32{3, 4}), "float32[2]"},
		{at("value_string", "a"), "string"},
		{at("value_strings", []string{"a", "b"}), "string[2]"},
	} {
		g := mustBuild(t, modelOf(graphOf(node("Constant", "", "c", c.attr), out("c"))))
		if len(g.Nodes) != 0 || g.Outputs[0].Const == nil || g.Outputs[0].Const.Spec().String() != c.want {
			t.Errorf("%s: %v %v", c.attr.GetName(), g.Nodes, g.Outputs[0].Const)
		}
	}
	buildErr(t, modelOf(graphOf(node("Constant", "", "c"), out("c"))), `Constant "Constant:c"`, "want one attribute")
	buildErr(t, modelOf(graphOf(node("Constant", "", "c", at("value_int", float32(1))), out("c"))), "of type float, want int")
}

func TestStructureErrors(t *testing.T) {
	x, y := in("x", spec(f32, 2)), out("y")
	for name, c := range map[string]struct {
		g     *onnx.GraphProto
		texts []string
	}{
		"undefined":      {graphOf(x, node("Add@a", "x z", "y"), y), []string{`Add "a"`, `nothing makes its input "z"`}},
		"twice":          {graphOf(x, node("Relu@a", "x", "y"), node("Relu@b", "x", "y"), y), []string{`"y"`, `Relu "a"`, `Relu "b"`}},
		"made input":     {graphOf(x, node("Relu@a", "x", "x"), y), []string{`"a"`}},
		"cycle":          {graphOf(x, node("Add@a", "x q", "p"), node("Relu@b", "p", "q"), node("Relu@c", "q", "y"), y), []string{"need each other", `Add "a" -> Relu "b"`}},
		"self":           {graphOf(x, node("Add@a", "x p", "p"), y), []string{`Add "a" -> Add "a"`}},
		"no output":      {graphOf(x, node("Relu", "x", "z"), y), []string{`nothing makes output "y"`}},
		"input twice":    {graphOf(x, x, y), []string{`input "x" is listed twice`}},
		"unnamed input":  {graphOf(in("", spec(f32)), y), []string{"input 0 has no name"}},
		"same weight":    {graphOf(init32("w", []float32{1}), init32("w", []float32{1}), y), []string{`"w" exists already`}},
		"attr twice":     {graphOf(x, node("LeakyRelu@a", "x", "y", at("alpha", float32(1)), at("alpha", float32(1))), y), []string{`attribute "alpha" is given twice`}},
		"loose ref":      {graphOf(x, node("LeakyRelu@a", "x", "y", refAttr("alpha", "b", onnx.AttributeProto_FLOAT)), y), []string{"outside of a function"}},
		"short raw data": {graphOf(&onnx.TensorProto{Name: new("w"), DataType: new(int32(1)), Dims: []int64{3}, RawData: []byte{1, 2}}, y), []string{`tensor "w"`}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := buildErr(t, modelOf(c.g), c.texts...); !errors.Is(err, onnx.ErrFormat) {
				t.Errorf("%v is no format error", err)
			}
		})
	}
	m := modelOf(nil)
	buildErr(t, m, "no graph")
}

func TestNodesAreSorted(t *testing.T) {
	g := mustBuild(t, modelOf(graphOf(in("x", spec(f32, 2)), node("Relu", "b", "y"), node("If", "c", "b",
		at("then_branch", graphOf(node("Relu", "a", "t"), out("t"))), at("else_branch", graphOf(out("a")))),
		node("Relu", "x", "a"), initOf("c", []bool{true}), out("y"))))
	wantGraph(t, g, "a = Relu(x)", "b = If(c)", "else_branch {", "}", "then_branch {", "t = Relu(a)", "}", "y = Relu(b)")
}

func TestNamesAndAbsentParts(t *testing.T) {
	g := mustBuild(t, modelOf(graphOf(in("input_1:0", spec(f32, "unk__132")), node("Relu", "input_1:0", `{"a":1}`),
		node("Dropout", `{"a":1} _ _`, "33 _"), out("33", `{"a":1}`))))
	if g.Nodes[0].Name != `Relu:{"a":1}` || g.Nodes[1].Name != "Dropout:33" {
		t.Errorf("labels %q, %q", g.Nodes[0].Name, g.Nodes[1].Name)
	}
	if d := g.Nodes[1]; len(d.In) != 1 || len(d.Out) != 2 || d.Out[1] != nil {
		t.Errorf("absent parts: %d inputs, outputs %v", len(d.In), d.Out)
	}
}

func TestCapturesAndShadowing(t *testing.T) {
	inner := graphOf(node("Add", "a x", "r"), out("r")) // a is the middle graph's, x the model's
	mid := graphOf(init32("a", []float32{3}), node("If", "c", "m", at("then_branch", inner), at("else_branch", graphOf(out("x")))), out("m"))
	g := mustBuild(t, modelOf(graphOf(in("x", spec(f32, 1)), in("c", spec(tensor.Bool)), node("Relu", "x", "a"),
		node("If", "c", "y", at("then_branch", mid), at("else_branch", graphOf(out("a")))), out("y"))))
	top := g.Nodes[1]
	m := top.Bodies["then_branch"]
	add := m.Nodes[0].Bodies["then_branch"].Nodes[0]
	if add.In[0].Const == nil || add.In[1] != g.Inputs[0] {
		t.Errorf("Add reads %v and %v", add.In[0], add.In[1])
	}
	if top.Bodies["else_branch"].Outputs[0] != g.Nodes[0].Out[0] {
		t.Error("the else branch does not return the model's a")
	}
	if m.Outer != g || m.Nodes[0].Bodies["then_branch"].Outer != m {
		t.Error("Outer is wrong")
	}
}

func TestOpsets(t *testing.T) {
	soft := func(since int) Def {
		return Def{Op: "Softmax", Since: since, New: func(*Attrs) (Op, error) { return testOp{inferSame, runCopy}, nil }}
	}
	for opset, since := range map[int]int{1: 1, 9: 1, 12: 1, 13: 13, 25: 13} {
		m := modelOf(graphOf(in("x", spec(f32)), node("ai.onnx:Softmax", "x", "y"), out("y")))
		m.Proto.OpsetImport = opsets("ai.onnx", opset, "com.microsoft", 99, "org.pytorch.aten", 1)
		if g := mustBuild(t, m, soft(1), soft(13)); g.Nodes[0].Since != since || g.Nodes[0].Attrs.Opset != opset || g.Nodes[0].Domain != "" {
			t.Errorf("opset %d: %+v", opset, g.Nodes[0])
		}
	}
	m := modelOf(graphOf(in("x", spec(f32)), node("Relu", "x", "y"), out("y")))
	m.Proto.OpsetImport, m.Proto.IrVersion = opsets("", 31), new(int64(99))
	err := buildErr(t, m, "opset 31 of ai.onnx is newer than 25, the newest known", "IR version 99 is newer than 13")
	if !errors.Is(err, ErrUnsupported) {
		t.Errorf("%v is not ErrUnsupported", err)
	}
	m.Proto.OpsetImport, m.Proto.IrVersion = nil, new(int64(8))
	buildErr(t, m, "imports no opset of ai.onnx")
}

func TestUnsupportedAllAtOnce(t *testing.T) {
	body := graphOf(node("GridSample@in body", "x", "b"), out("b"))
	f := &onnx.FunctionProto{Domain: new("local"), Name: new("F"), Input: []string{"x"}, Output: []string{"y"}, OpsetImport: opsets("", 17),
		Node: []*onnx.NodeProto{node("GridSample", "x", "y")}}
	m := modelOf(graphOf(in("x", spec(f32)), in("c", spec(tensor.Bool)), node("GridSample@/model.10/GridSample", "x", "a"),
		node("com.acme:Foo@/head/Foo", "a", "d"), node("local:F@call", "d", "e"),
		node("If", "c", "f", at("then_branch", body), at("else_branch", graphOf(out("x")))),
		node("LeakyRelu@lr", "f", "g", at("beta", float32(2))), node("Add@n", "g f", "y", at("axis", 1)), out("y")), f)
	err := buildErr(t, m, "2 operators are not implemented\n  GridSample-17   3 nodes, first \"/model.10/GridSample\"\n"+
		"  com.acme:Foo    1 node, first \"/head/Foo\"\n2 nodes are not supported\n", `LeakyRelu "lr": not supported: attribute "beta" is not known`, `Add "n"`)
	var u *UnsupportedError
	if !errors.As(err, &u) || !errors.Is(err, ErrUnsupported) || len(u.Ops) != 2 || len(u.Nodes) != 2 {
		t.Errorf("error is %#v", err)
	}
}

func TestWrongAttributesTogether(t *testing.T) {
	m := modelOf(graphOf(in("x", spec(f32)), node("LeakyRelu@a", "x", "y", at("alpha", 1)), node("LeakyRelu@b", "y", "z", at("alpha", "s")), out("z")))
	err := buildErr(t, m, `LeakyRelu "a": attribute "alpha" is of type int, want float`, `LeakyRelu "b"`)
	if !errors.Is(err, onnx.ErrFormat) || errors.Is(err, ErrUnsupported) || strings.Count(err.Error(), "LeakyRelu") != 2 {
		t.Errorf("error is %v", err)
	}
}

func TestHostileNesting(t *testing.T) {
	g := graphOf(out("x"))
	for range maxNesting + 5 {
		g = graphOf(node("If", "c", "r", at("then_branch", g), at("else_branch", graphOf(out("x")))), out("r"))
	}
	g.Input = graphOf(in("x", spec(f32)), in("c", spec(tensor.Bool))).Input
	buildErr(t, modelOf(g), "nested more than")
}

func TestHints(t *testing.T) {
	m := modelOf(graphOf(in("x", spec(f32, "batch", 3)), hinted("a", spec(f32, 1, 3)), hinted("y", spec(tensor.Undefined, "rows", 3)),
		node("Relu", "x", "a"), node("Relu", "a", "y"), out("y")))
	m.Proto.Graph.ValueInfo = append(m.Proto.Graph.ValueInfo, &onnx.ValueInfoProto{Name: new("a"), Type: &onnx.TypeProto{
		Value: &onnx.TypeProto_MapType{MapType: &onnx.TypeProto_Map{}}}})
	g := mustBuild(t, m)
	if err := g.Infer(); err != nil {
		t.Fatal(err)
	}
	if s := g.Nodes[0].Out[0].Spec.String(); s != "float32[batch 3]" {
		t.Errorf("a is %s: inference goes before value_info", s)
	}
}
