package graph

import (
	"math"
	"strings"
	"testing"

	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

// optimized builds a model and runs passes on it: all, or the named ones alone.
func optimized(t testing.TB, m *onnx.Model, o PassOptions, more ...Def) *Graph {
	t.Helper()
	g := mustBuild(t, m, more...)
	if _, err := Optimize(g, testRegistry(t, more...), o); err != nil {
		t.Fatal(err)
	}
	return g
}

func only(names ...string) PassOptions { return PassOptions{Only: names} }

// sameResults fails unless both graphs compute the same from the feeds, within tol.
func sameResults(t *testing.T, a, b *Graph, tol float64, feeds map[string]*tensor.Tensor) {
	t.Helper()
	x, y := eval(t, a, feeds), eval(t, b, feeds)
	for name, want := range x {
		got := y[name]
		if got == nil || got.Spec().String() != want.Spec().String() {
			t.Errorf("%s is %v, want %v", name, got, want)
			continue
		}
		if want.DType() != f32 {
			if string(got.Bytes()) != string(want.Bytes()) {
				t.Errorf("%s has other bytes", name)
			}
			continue
		}
		for i, w := range tensor.View[float32](want) {
			if d := math.Abs(float64(tensor.View[float32](got)[i] - w)); d > tol*math.Max(1, math.Abs(float64(w))) {
				t.Errorf("%s[%d] = %g, want %g", name, i, tensor.View[float32](got)[i], w)
				break
			}
		}
	}
}

func ramp(shape ...int) *tensor.Tensor {
	n, _ := tensor.Count(shape)
	data := make([]float32, n)
	for i := range data {
		data[i] = float32((i*37+11)%101)/25 - 2
	}
	return tensorOf(data, shape...)
}

func TestPassSelection(t *testing.T) {
	m := modelOf(graphOf(in("x", spec(f32, 2)), node("Identity", "x", "a"), node("Relu", "a", "y"), node("Relu", "a", "unused"), out("y")))
	g := mustBuild(t, m)
	_, err := Optimize(g, testRegistry(t), PassOptions{Disable: []string{"nosuch"}})
	if err == nil || !strings.Contains(err.Error(), `no pass "nosuch" (there are: dead, fold`) {
		t.Errorf("error %v", err)
	}
	wantGraph(t, optimized(t, m, PassOptions{Disable: []string{"identity", "common"}}), "a = Identity(x)", "y = Relu(a)")
	wantGraph(t, optimized(t, m, only("identity")), "y = Relu(x)", "unused = Relu(x)")
	wantGraph(t, optimized(t, m, PassOptions{}), "y = Relu(x)")
	seen := map[string]bool{}
	stage := Clean
	for _, p := range Passes() {
		if seen[p.Name] || p.Doc == "" || p.Stage < stage || p.Run == nil {
			t.Errorf("pass %+v", p)
		}
		seen[p.Name], stage = true, p.Stage
	}
}

func TestFold(t *testing.T) {
	m := modelOf(graphOf(in("x", spec(f32, 2, 3)), init32("w", []float32{1, 2, 3, 4, 5, 6}, 2, 3), node("Transpose", "w", "wt"),
		node("Identity", "wt", "wi"), node("MatMul", "x wi", "m"), node("Shape", "m", "s"), node("Reshape", "m s", "y"),
		node("RandomNormalLike", "w", "r"), out("y", "r", "wt")))
	g := optimized(t, m, only("fold"))
	// A known shape folds too, though m is not constant; a random result does not; wt is an output that is constant.
	wantGraph(t, g, "m = MatMul(x wi)", "y = Reshape(m s)", "r = RandomNormalLike(w)")
	if c := g.Nodes[0].In[1].Const; c == nil || tensor.View[float32](c)[1] != 4 || g.Outputs[2].Const == nil {
		t.Errorf("folded weight %v", c)
	}
	sameResults(t, mustBuild(t, m), g, 0, map[string]*tensor.Tensor{"x": ramp(2, 3)})
}

func TestFoldLimits(t *testing.T) {
	// An expansion is left to the run; a quantized weight stays one unless asked; wide integers stay with KeepIntegers.
	m := modelOf(graphOf(init32("one", []float32{1}), initOf("big", []int64{1 << 20}, 1), node("Expand", "one big", "e"),
		initOf("w", make([]int8, 2000), 2000), init32("s", []float32{0.5}), node("DequantizeLinear", "w s", "d"),
		node("Cast", "w", "c", at("to", 1)), out("e", "d", "c")))
	wantGraph(t, optimized(t, m, only("fold")), "e = Expand([1] big)", "d = DequantizeLinear(w [0.5])")
	if got := show(optimized(t, m, PassOptions{Only: []string{"fold"}, FoldDequantize: true, KeepIntegers: true})); strings.Contains(got, "Dequantize") || !strings.Contains(got, "Cast") {
		t.Error(got)
	}
}

func TestFoldInBodiesAndInlineIf(t *testing.T) {
	then := graphOf(init32("w", []float32{1, 2}, 1, 2), node("Transpose", "w", "wt"), node("MatMul", "x wt", "r"), node("Relu", "r", "q"), out("q", "wt", "x"))
	other := graphOf(init32("k", []float32{7}, 1, 1), out("k", "k", "k"))
	parts := []any{in("x", spec(f32, 3, 2)), node("If", "c", "y z v", at("then_branch", then), at("else_branch", other)),
		node("Relu", "v", "v2"), out("y", "z", "v2", "v")}
	g := optimized(t, modelOf(graphOf(append(parts, in("c", spec(tensor.Bool)))...)), only("fold"))
	wantGraph(t, g, "y z v = If(c)", "else_branch {", "}", "then_branch {", "r = MatMul(x [1 2])", "q = Relu(r)", "}", "v2 = Relu(v)")

	m := modelOf(graphOf(append(parts, initOf("c", []bool{true}))...))
	g = optimized(t, m, only("fold", "const-if"))
	wantGraph(t, g, "r = MatMul(x [1 2])", "y = Relu(r)", "v = Identity(x)", "v2 = Relu(v)")
	if g.Outputs[0].Name != "y" || g.Outputs[1].Name != "z" || g.Outputs[1].Const == nil {
		t.Errorf("outputs %+v", g.Outputs)
	}
	sameResults(t, mustBuild(t, m), g, 0, map[string]*tensor.Tensor{"x": ramp(3, 2)})

	m = modelOf(graphOf(append(parts, initOf("c", []bool{false}))...))
	if g = optimized(t, m, PassOptions{}); len(g.Nodes) != 0 {
		t.Errorf("left: %s", show(g))
	}
	sameResults(t, mustBuild(t, m), g, 0, map[string]*tensor.Tensor{"x": ramp(3, 2)})
}

func TestInlineNestedIf(t *testing.T) {
	deep := graphOf(node("Relu", "a", "d"), node("If", "c", "e", at("then_branch", graphOf(node("Neg", "d", "f"), out("f"))), at("else_branch", graphOf(out("a")))), out("e"))
	mid := graphOf(node("If", "t", "m", at("then_branch", deep), at("else_branch", graphOf(out("x")))), node("Neg", "m", "n"), out("n"))
	m := modelOf(graphOf(in("x", spec(f32, 2)), in("c", spec(tensor.Bool)), initOf("t", []bool{true}), node("Neg", "x", "a"),
		node("If", "t", "y", at("then_branch", mid), at("else_branch", graphOf(out("x")))), out("y")))
	g := optimized(t, m, only("const-if"))
	wantGraph(t, g, "a = Neg(x)", "d = Relu(a)", "m = If(c)", "else_branch {", "}", "then_branch {", "f = Neg(d)", "}", "y = Neg(m)")
	for _, n := range g.Nodes {
		for _, b := range n.Bodies {
			if b.Outer != g {
				t.Error("Outer of a moved body is wrong")
			}
		}
	}
}

func TestIdentityRemoval(t *testing.T) {
	m := modelOf(graphOf(in("x", spec(f32, 2, 3)), initOf("dims", []int64{2, 3}, 2), init32("one", []float32{1}), init32("wide", []float32{1}, 1, 1, 1), init32("zero", []float32{0}),
		node("Relu", "x", "r"), node("Identity", "r", "a"), node("Dropout", "a", "b mask"), node("Cast", "b", "c", at("to", 1)),
		node("Transpose", "c", "d", at("perm", []int64{0, 1})), node("Reshape", "d dims", "e"), node("Mul", "one e", "f"), node("Sub", "f zero", "h"),
		node("Concat", "h", "i"), node("Identity", "i", "y"), node("Mul", "y wide", "z"), node("Identity", "x", "v"), out("y", "z", "v")))
	g := optimized(t, m, only("identity"))
	wantGraph(t, g, "y = Relu(x)", "z = Mul(y [1])", "v = Identity(x)")
	sameResults(t, mustBuild(t, m), g, 0, map[string]*tensor.Tensor{"x": ramp(2, 3)})

	// One whose mask is read, one that trains, and one of unknown shape stay.
	m = modelOf(graphOf(in("x", spec(f32, "N", 3)), initOf("t", []bool{true}), init32("p", []float32{0.5}), in("dims", spec(tensor.Int64, 2)),
		node("Dropout", "x", "a mask"), node("Dropout", "a p t", "b"), node("Reshape", "b dims", "y"), out("y", "mask")))
	if g := optimized(t, m, only("identity")); len(g.Nodes) != 3 {
		t.Error(show(g))
	}
}

func TestCommonSubexpressions(t *testing.T) {
	m := modelOf(graphOf(in("x", spec(f32, 2)), init32("a", []float32{2}), init32("b", []float32{2}), init32("c", []float32{3}),
		node("Mul", "x a", "p"), node("Mul", "x b", "q"), node("Mul", "x c", "r"), node("LeakyRelu", "x", "l1", at("alpha", float32(0.1))),
		node("LeakyRelu", "x", "l2", at("alpha", float32(0.2))), node("RandomNormalLike", "x", "n1"), node("RandomNormalLike", "x", "n2"),
		node("Add", "p q", "s"), node("Relu", "x", "y"), node("Relu", "x", "y2"), out("s", "r", "l1", "l2", "n1", "n2", "y", "y2")))
	g := optimized(t, m, only("common"))
	wantGraph(t, g, "p = Mul(x [2])", "r = Mul(x [3])", "l1 = LeakyRelu(x)", "l2 = LeakyRelu(x)", "n1 = RandomNormalLike(x)",
		"n2 = RandomNormalLike(x)", "s = Add(p p)", "y = Relu(x)", "y2 = Relu(x)")
	sameResults(t, mustBuild(t, m), g, 0, map[string]*tensor.Tensor{"x": ramp(2)})
}

// A value that a body captures is read, also when nothing else reads it.
func TestCapturedValuesLive(t *testing.T) {
	m := modelOf(graphOf(in("x", spec(f32, 2)), in("c", spec(tensor.Bool)), node("Relu", "x", "a"), node("Identity", "a", "b"),
		node("If", "c", "y", at("then_branch", graphOf(node("Neg", "b", "r"), out("r"))), at("else_branch", graphOf(out("b")))), out("y")))
	// The else branch lists b as an output, so that b is what Relu makes.
	wantGraph(t, optimized(t, m, PassOptions{}), "b = Relu(x)", "y = If(c)", "else_branch {", "}", "then_branch {", "r = Neg(b)", "}")
}
