package graph

import (
	"strings"
	"testing"

	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

func function(name, ins, outs string, nodes ...*onnx.NodeProto) *onnx.FunctionProto {
	n := node("local:"+name, ins, outs)
	return &onnx.FunctionProto{Domain: new("local"), Name: &name, Input: n.Input, Output: n.Output, OpsetImport: opsets("", 17, "local", 1), Node: nodes}
}

func TestFunctionInlined(t *testing.T) {
	leaky := function("Leaky", "x", "y", node("LeakyRelu", "x", "t", refAttr("alpha", "slope", onnx.AttributeProto_FLOAT)), node("Relu", "t", "y"))
	leaky.AttributeProto = []*onnx.AttributeProto{at("slope", float32(0.5))}
	twice := function("Twice", "x", "y", node("local:Leaky@first", "x", "t", refAttr("slope", "s", onnx.AttributeProto_FLOAT)), node("local:Leaky", "t", "y"))
	twice.Attribute = []string{"s"}
	g := mustBuild(t, modelOf(graphOf(in("t", spec(f32, 2)), node("local:Twice@A", "t", "u", at("s", float32(0.25))), node("local:Twice@B", "u", "y"), out("y")), leaky, twice))
	wantGraph(t, g,
		"A/first/t = LeakyRelu(t)", "A/t = Relu(A/first/t)", "A/Leaky:y/t = LeakyRelu(A/t)", "u = Relu(A/Leaky:y/t)",
		"B/first/t = LeakyRelu(u)", "B/t = Relu(B/first/t)", "B/Leaky:y/t = LeakyRelu(B/t)", "y = Relu(B/Leaky:y/t)")
	var alphas []float32
	for _, n := range g.Nodes {
		if n.Type == "LeakyRelu" {
			alphas = append(alphas, n.FloatAttr("alpha", -1))
		}
	}
	// Given, default; B gives no s, so that Leaky's default holds.
	if alphas[0] != 0.25 || alphas[1] != 0.5 || alphas[2] != 0.5 || g.Nodes[0].Name != "A/first/LeakyRelu:t" {
		t.Errorf("alphas %v, first node %q", alphas, g.Nodes[0].Name)
	}
}

func TestFunctionEdges(t *testing.T) {
	// Passing an input on, an absent input, a body that captures, a constant by attribute, its own opset.
	pass := function("Pass", "x", "x")
	opt := function("Opt", "x b", "y", node("Dropout", "x b", "y"))
	cond := function("Cond", "c x", "y", node("Constant", "", "k", refAttr("value_float", "k", onnx.AttributeProto_FLOAT)),
		node("If", "c", "y", at("then_branch", graphOf(node("Add", "x k", "r"), out("r"))), at("else_branch", graphOf(out("x")))))
	cond.Attribute, cond.OpsetImport = []string{"k"}, opsets("", 15)
	g := mustBuild(t, modelOf(graphOf(in("a", spec(f32, 2)), in("c", spec(tensor.Bool)), node("local:Pass", "a", "p"), node("local:Opt", "p", "q"),
		node("local:Cond@C", "c q", "y", at("k", float32(2))), out("y")), pass, opt, cond))
	wantGraph(t, g, "p = Identity(a)", "q = Dropout(p)", "y = If(c)", "else_branch {", "}", "then_branch {", "C/r = Add(q [2])", "}")
	if o := g.Nodes[2].Attrs.Opset; o != 15 {
		t.Errorf("If is of opset %d", o)
	}
}

func TestKnownOperatorGoesBeforeFunction(t *testing.T) {
	relu := &onnx.FunctionProto{Name: new("Relu"), Input: []string{"x"}, Output: []string{"y"}, OpsetImport: opsets("", 17), Node: []*onnx.NodeProto{node("Neg", "x", "y")}}
	celu := &onnx.FunctionProto{Name: new("Celu"), Input: []string{"x"}, Output: []string{"y"}, OpsetImport: opsets("", 17), Node: []*onnx.NodeProto{node("Neg", "x", "y")}}
	g := mustBuild(t, modelOf(graphOf(in("x", spec(f32)), node("Relu", "x", "a"), node("Celu", "a", "y"), out("y")), relu, celu))
	wantGraph(t, g, "a = Relu(x)", "y = Neg(a)")
}

func TestFunctionErrors(t *testing.T) {
	self := function("F", "x", "y", node("local:F@inner", "x", "y"))
	use := graphOf(in("x", spec(f32)), node("local:F@call", "x", "y"), out("y"))
	buildErr(t, modelOf(use, self), "calls itself", `F "call"`)
	buildErr(t, modelOf(use, function("F", "x", "y", node("Relu", "x", "z"))), `nothing makes function output "y"`)
	buildErr(t, modelOf(use, function("F", "x", "y"), function("F", "x", "y")), "local:F is defined twice")
	buildErr(t, modelOf(use, function("F", "", "y", node("Relu", "x", "y"))), "0 inputs and 1 outputs, the node 1 and 1")
	buildErr(t, modelOf(graphOf(in("x", spec(f32)), node("local:F", "x", "y", at("k", 1)), out("y")), function("F", "x", "y", node("Relu", "x", "y"))), `no attribute "k"`)
	hidden := function("F", "x", "y", node("Add", "x secret", "y"))
	buildErr(t, modelOf(graphOf(in("x", spec(f32)), in("secret", spec(f32)), node("local:F", "x", "y"), out("y")), hidden), `nothing makes its input "secret"`)
	newer := function("F", "x", "y", node("Relu", "x", "y"))
	newer.OpsetImport = opsets("", 99)
	buildErr(t, modelOf(use, newer), "opset 99 of ai.onnx is newer")
}

// A chain of functions that each call the next one twice asks for more nodes than any file holds.
func TestFunctionExplosion(t *testing.T) {
	funcs := []*onnx.FunctionProto{function("FA", "x", "y", node("Relu", "x", "y"))}
	for i := range 30 {
		a, b := "F"+string(rune('A'+i)), "F"+string(rune('A'+i+1))
		funcs = append(funcs, function(b, "x", "y", node("local:"+a, "x", "t"), node("local:"+a, "t", "y")))
	}
	last := funcs[len(funcs)-1].GetName()
	_, err := build(modelOf(graphOf(in("x", spec(f32)), node("local:"+last, "x", "y"), out("y")), funcs...), testRegistry(t), 10_000)
	if err == nil || !strings.Contains(err.Error(), "more than 10000 nodes") {
		t.Errorf("error %v", err)
	}
}
