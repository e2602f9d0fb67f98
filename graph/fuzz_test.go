package graph

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

// FuzzBuild gives Build and the passes what a hostile file may hold: an error is fine, a panic is not.
func FuzzBuild(f *testing.F) {
	then := graphOf(node("Add", "a x", "r"), node("Shape", "r", "s"), node("Reshape", "r s", "q"), out("q"))
	leaky := function("Leaky", "x", "y", node("LeakyRelu", "x", "t", refAttr("alpha", "slope", onnx.AttributeProto_FLOAT)), node("Relu", "t", "y"))
	leaky.AttributeProto = []*onnx.AttributeProto{at("slope", float32(0.5))}
	sp := &onnx.SparseTensorProto{Values: init32("sw", []float32{5, 7}, 2), Indices: initOf("", []int64{1, 5}, 2), Dims: []int64{2, 3}}
	for _, m := range []*onnx.Model{
		reshapeByShape(),
		modelOf(graphOf(in("x", spec(f32, "N", 3)), initOf("c", []bool{true}), node("Relu", "x", "a"),
			node("If", "c", "y", at("then_branch", then), at("else_branch", graphOf(out("x")))), out("y"))),
		modelOf(graphOf(sp, in("x", spec(f32, 2, 3)), node("local:Leaky", "x", "y"), node("Add", "y sw", "z"), out("z")), leaky),
		modelOf(graphOf(in("x", spec(f32, 2, 3)), init32("w", []float32{1, 2, 3}, 3, 1), node("MatMul", "x w", "y"), node("Cast", "y", "z", at("to", 1)), out("z"))),
	} {
		data, err := m.Bytes()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	reg := testRegistry(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := onnx.Decode(data)
		if err != nil {
			return
		}
		g, err := Build(m, reg)
		if err != nil {
			return
		}
		if _, err := Optimize(g, reg, PassOptions{}); err != nil {
			return
		}
	})
}

// drawGraph writes random nodes that read values of names; depth bounds bodies.
func drawGraph(t *rapid.T, names []string, prefix string, depth int) *onnx.GraphProto {
	g := graphOf()
	names = append([]string{}, names...)
	pick := func() string { return rapid.SampledFrom(names).Draw(t, "value") }
	for i := range rapid.IntRange(1, 8).Draw(t, "nodes") {
		o := fmt.Sprintf("%s%d", prefix, i)
		var n *onnx.NodeProto
		switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
		case kind < 3:
			n = node(rapid.SampledFrom([]string{"Relu", "Neg", "Identity", "Dropout", "Transpose"}).Draw(t, "op"), pick(), o)
		case kind < 6:
			n = node(rapid.SampledFrom([]string{"Add", "Sub", "Mul"}).Draw(t, "op"), pick()+" "+pick(), o)
		case kind == 6:
			c := make([]float32, 4)
			c[0] = float32(rapid.IntRange(-1, 1).Draw(t, "constant"))
			n = node("Constant", "", o, at("value", init32("", c, 2, 2)))
		case kind == 7:
			s := o + "s"
			g.Node = append(g.Node, node("Shape", pick(), s))
			n = node("Reshape", pick()+" "+s, o)
		case depth > 0:
			cond := rapid.SampledFrom([]string{"yes", "no", "cond"}).Draw(t, "cond")
			n = node("If", cond, o, at("then_branch", drawGraph(t, names, o+"t", depth-1)), at("else_branch", drawGraph(t, names, o+"e", depth-1)))
		default:
			n = node("Mul", pick()+" one", o)
		}
		g.Node = append(g.Node, n)
		names = append(names, o)
	}
	for _, name := range []string{names[len(names)-1], pick()} {
		g.Output = append(g.Output, graphOf(out(name)).Output...)
		if prefix != "v" {
			break
		}
	}
	return g
}

// Whatever the passes do, results stay the same bits.
func TestPassesKeepResults(t *testing.T) {
	reg := testRegistry(t)
	rapid.Check(t, func(rt *rapid.T) {
		g := drawGraph(rt, []string{"x", "z", "one", "w"}, "v", 2)
		parts := graphOf(in("x", spec(f32, 2, 2)), in("z", spec(f32, 2, 2)), in("cond", spec(tensor.Bool)), init32("one", []float32{1, 1, 1, 1}, 2, 2),
			init32("w", []float32{1, -2, 3, -4}, 2, 2), initOf("yes", []bool{true}), initOf("no", []bool{false}))
		g.Input, g.Initializer = parts.Input, parts.Initializer
		build := func() *Graph {
			b, err := Build(modelOf(g), reg)
			if err != nil {
				rt.Fatal(err)
			}
			return b
		}
		a, b := build(), build()
		if _, err := Optimize(b, reg, PassOptions{}); err != nil {
			rt.Fatal(err)
		}
		feeds := map[string]*tensor.Tensor{"x": ramp(2, 2), "z": tensorOf([]float32{-3, 1, 0.5, 2}, 2, 2), "cond": tensor.Scalar(rapid.Bool().Draw(rt, "feed"))}
		want, got := eval(t, a, feeds), eval(t, b, feeds)
		for name, w := range want {
			if v := got[name]; v == nil || string(v.Bytes()) != string(w.Bytes()) {
				rt.Fatalf("%s is %v, want %v\n%s", name, v, w, show(b))
			}
		}
	})
}
