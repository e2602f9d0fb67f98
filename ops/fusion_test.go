package ops

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/internal/modeltest"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

var (
	mIn, mOut, mNode, mAt, mGraph, mSpec = modeltest.In, modeltest.Out, modeltest.Node, modeltest.At, modeltest.Graph, modeltest.Spec
)

// fusion is a graph and what it becomes.
type fusion struct {
	parts  []any
	passes string // all that run
	want   string // types of the nodes that are left
	tol    float64
}

func weight(name string, shape ...int) *onnx.TensorProto {
	return modeltest.Init(name, rampData(shape...), shape...)
}

func rampData(shape ...int) []float32 {
	n, _ := tensor.Count(shape)
	data := make([]float32, n)
	for i := range data {
		data[i] = float32((i*7919+13)%4001)/2000 - 1
	}
	return data
}

func scalarInit(name string, v float32) *onnx.TensorProto { return modeltest.Init(name, []float32{v}) }

func ints(name string, v ...int64) *onnx.TensorProto { return modeltest.Init(name, v, len(v)) }

func (f fusion) test(t *testing.T) {
	t.Helper()
	f.testBut(t)
}

// testBut is test for a want without nodes of some types.
func (f fusion) testBut(t *testing.T, but ...string) {
	t.Helper()
	model := func() *onnx.Model { return modeltest.Model(mGraph(f.parts...)) }
	reg, err := graph.NewRegistry(Defs(backend.All()[0]))
	if err != nil {
		t.Fatal(err)
	}
	run := func(passes []string) (*graph.Graph, map[string]*tensor.Tensor) {
		g, err := graph.Build(model(), reg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := graph.Optimize(g, reg, graph.PassOptions{Only: passes}); err != nil {
			t.Fatal(err)
		}
		var types []string
		for _, n := range g.Nodes {
			if !slices.Contains(but, n.Type) {
				types = append(types, n.Type)
			}
		}
		if got := strings.Join(types, " "); len(passes) > 0 && got != f.want {
			t.Errorf("nodes are %q, want %q", got, f.want)
		}
		x, err := graph.NewExecutable(g, graph.ExecOptions{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		feeds := map[string]*tensor.Tensor{}
		for _, v := range g.Inputs {
			var shape []int
			for _, d := range v.Spec.Dims {
				if shape = append(shape, d.Size); d.Size < 0 {
					shape[len(shape)-1] = 3
				}
			}
			feeds[v.Name] = of(t, rampData(shape...), shape...)
		}
		out, err := x.Run(context.Background(), feeds, nil)
		if err != nil {
			t.Fatal(err)
		}
		return g, out
	}
	_, want := run([]string{})
	_, got := run(strings.Fields(f.passes))
	for name := range want {
		wantClose(t, got[name], want[name], f.tol)
	}
}

// layerNormParts is a normalization as PyTorch writes it, with one step replaced.
func layerNormParts(replace map[string]*onnx.NodeProto, last string) []any {
	parts := []any{mIn("x", mSpec(tensor.Float32, "B", 4, 8)), scalarInit("two", 2), scalarInit("eps", 1e-3), scalarInit("half", 0.5), scalarInit("minus", -0.5), scalarInit("one", 1),
		weight("gamma", 8), weight("beta", 1, 1, 8)}
	for _, n := range []*onnx.NodeProto{
		mNode("ReduceMean", "x", "mu", mAt("axes", []int64{-1})), mNode("Sub", "x mu", "d"), mNode("Pow", "d two", "sq"),
		mNode("ReduceMean", "sq", "var", mAt("axes", []int64{2})), mNode("Add", "var eps", "ve"), mNode("Sqrt", "ve", "std"),
		mNode("Div", "d std", "n"), mNode("Mul", "n gamma", "s"), mNode("Add", "s beta", "y")} {
		if r, ok := replace[n.Output[0]]; ok {
			n = r
		}
		if n != nil {
			parts = append(parts, n)
		}
	}
	return append(parts, mOut(last))
}

func TestFuseLayerNorm(t *testing.T) {
	type nodes = map[string]*onnx.NodeProto
	axes := mAt("axes", []int64{2})
	tf := []any{mIn("x", mSpec(tensor.Float32, "B", 4, 8)), scalarInit("eps", 1e-3), weight("gamma", 8), weight("beta", 8),
		mNode("ReduceMean", "x", "mu", axes), mNode("Sub", "x mu", "d"), mNode("Mul", "d d", "sq"), mNode("ReduceMean", "sq", "var", axes),
		mNode("Add", "var eps", "ve"), mNode("Sqrt", "ve", "std"), mNode("Reciprocal", "std", "r"), mNode("Mul", "r gamma", "s"),
		mNode("Mul", "x s", "xs"), mNode("Mul", "mu s", "ms"), mNode("Sub", "beta ms", "sh"), mNode("Add", "xs sh", "y"), mOut("y")}
	wide := layerNormParts(nodes{"mu": mNode("ReduceMean", "x", "mu", mAt("axes", []int64{1, 2})), "var": mNode("ReduceMean", "sq", "var", mAt("axes", []int64{-2, -1}))}, "y")
	for name, f := range map[string]fusion{
		"pytorch":    {layerNormParts(nil, "y"), "layer-norm", "LayerNormalization", 1e-5},
		"mul square": {layerNormParts(nodes{"sq": mNode("Mul", "d d", "sq")}, "y"), "layer-norm", "LayerNormalization", 1e-5},
		"pow root":   {layerNormParts(nodes{"std": mNode("Pow", "ve half", "std")}, "y"), "layer-norm", "LayerNormalization", 1e-5},
		"reciprocal": {layerNormParts(nodes{"std": mNode("Pow", "ve minus", "std"), "n": mNode("Mul", "std d", "n")}, "y"), "layer-norm", "LayerNormalization", 1e-5},
		"no bias":    {layerNormParts(nodes{"y": nil}, "s"), "layer-norm", "LayerNormalization", 1e-5},
		"plain":      {layerNormParts(nodes{"s": nil, "y": nil}, "n"), "layer-norm", "LayerNormalization", 1e-5},
		"rms":        {layerNormParts(nodes{"mu": nil, "d": mNode("Neg", "x", "d"), "y": nil}, "s"), "layer-norm", "Neg RMSNormalization", 1e-5},
		"tensorflow": {tf, "layer-norm", "LayerNormalization", 1e-5},
		// gamma and beta do not have the shape of both axes, so that they stay outside.
		"two axes": {wide, "layer-norm", "LayerNormalization Mul Add", 1e-5},
		// Another axis is no layer normalization.
		"other axis": {layerNormParts(nodes{"mu": mNode("ReduceMean", "x", "mu", mAt("axes", []int64{1})), "var": mNode("ReduceMean", "sq", "var", mAt("axes", []int64{1}))}, "y"),
			"layer-norm", "ReduceMean Sub Pow ReduceMean Add Sqrt Div Mul Add", 0},
	} {
		t.Run(name, f.test)
	}
}

func TestFuseActivations(t *testing.T) {
	x := mIn("x", mSpec(tensor.Float32, 5, 7))
	c := []any{x, scalarInit("half", 0.5), scalarInit("one", 1), scalarInit("two", 2), scalarInit("three", 3), scalarInit("six", 6), scalarInit("zero", 0), scalarInit("sixth", 1./6), scalarInit("root2", math.Sqrt2),
		scalarInit("invroot2", 1/math.Sqrt2), scalarInit("k", 0.7978845608), scalarInit("a", 0.044715), scalarInit("slope", 1.702), mOut("y")}
	with := func(nodes ...any) []any { return append(append([]any{}, c...), nodes...) }
	for name, f := range map[string]fusion{
		"gelu pytorch":     {with(mNode("Div", "x root2", "a1"), mNode("Erf", "a1", "b"), mNode("Add", "b one", "d"), mNode("Mul", "x d", "e"), mNode("Mul", "e half", "y")), "gelu", "Gelu", 2e-6},
		"gelu half first":  {with(mNode("Mul", "x half", "h"), mNode("Mul", "invroot2 x", "a1"), mNode("Erf", "a1", "b"), mNode("Add", "one b", "d"), mNode("Mul", "h d", "y")), "gelu", "Gelu", 2e-6},
		"gelu half inside": {with(mNode("Div", "x root2", "a1"), mNode("Erf", "a1", "b"), mNode("Add", "b one", "d"), mNode("Div", "d two", "e"), mNode("Mul", "x e", "y")), "gelu", "Gelu", 2e-6},
		"gelu of another value": {with(mNode("Neg", "x", "z"), mNode("Div", "z root2", "a1"), mNode("Erf", "a1", "b"), mNode("Add", "b one", "d"), mNode("Mul", "x d", "e"), mNode("Mul", "e half", "y")),
			"gelu", "Neg Div Erf Add Mul Mul", 0},
		"gelu tanh": {with(mNode("Pow", "x three", "p"), mNode("Mul", "p a", "q"), mNode("Add", "x q", "r"), mNode("Mul", "r k", "s"), mNode("Tanh", "s", "u"), mNode("Add", "u one", "v"),
			mNode("Mul", "x v", "w"), mNode("Mul", "half w", "y")), "gelu", "Gelu", 2e-6},
		"gelu tanh of keras": {with(mNode("Mul", "x k", "s"), mNode("Mul", "x a", "p"), mNode("Mul", "p x", "q"), mNode("Add", "q one", "r"), mNode("Mul", "s r", "z"), mNode("Tanh", "z", "u"),
			mNode("Add", "u one", "v"), mNode("Mul", "x half", "h"), mNode("Mul", "h v", "y")), "gelu", "Gelu", 2e-6},
		"silu":         {with(mNode("Sigmoid", "x", "s"), mNode("Mul", "s x", "y")), "silu", "Silu", 2e-6},
		"quick gelu":   {with(mNode("Mul", "x slope", "m"), mNode("Sigmoid", "m", "s"), mNode("Mul", "x s", "y")), "silu", "QuickGelu", 2e-6},
		"gate":         {with(mNode("Neg", "x", "m"), mNode("Sigmoid", "m", "s"), mNode("Neg", "x", "n"), mNode("Mul", "n s", "y")), "silu", "Neg Sigmoid Neg Mul", 0},
		"hard sigmoid": {with(mNode("Add", "x three", "p"), mNode("Clip", "p zero six", "q"), mNode("Div", "q six", "y")), "hard-swish", "HardSigmoid", 2e-6},
		"hard swish":   {with(mNode("Add", "x three", "p"), mNode("Clip", "p zero six", "q"), mNode("Mul", "q x", "r"), mNode("Mul", "r sixth", "y")), "hard-swish", "HardSwish", 2e-6},
		"hard swish, divided first": {with(mNode("Add", "x three", "p"), mNode("Max", "p zero", "q"), mNode("Min", "q six", "r"), mNode("Div", "r six", "s"), mNode("Mul", "x s", "y")),
			"hard-swish", "HardSwish", 2e-6},
		"hard swish of its gate": {with(mNode("HardSigmoid", "x", "s", mAt("alpha", float32(1./6))), mNode("Mul", "x s", "y")), "hard-swish", "HardSwish", 2e-6},
		"another clip":           {with(mNode("Add", "x two", "p"), mNode("Clip", "p zero six", "q"), mNode("Div", "q six", "y")), "hard-swish", "Add Clip Div", 0},
	} {
		t.Run(name, f.test)
	}
}

func TestFoldIntoConv(t *testing.T) {
	x := mIn("x", mSpec(tensor.Float32, "N", 4, 6, 6))
	bn := func(in string) []any {
		return []any{weight("bs", 6), weight("bb", 6), weight("bm", 6), modeltest.Init("bv", []float32{1, 2, .5, 3, .1, 1}, 6), mNode("BatchNormalization", in+" bs bb bm bv", "y"), mOut("y")}
	}
	conv := func(attrs ...*onnx.AttributeProto) []any {
		return []any{x, weight("w", 6, 4, 3, 3), mNode("Conv", "x w", "c", attrs...)}
	}
	for name, f := range map[string]fusion{
		"batch norm":       {append(conv(), bn("c")...), "conv-affine", "Conv", 1e-5},
		"batch norm, bias": {append([]any{x, weight("w", 6, 2, 1, 1), weight("b", 6), mNode("Conv", "x w b", "c", mAt("group", 2))}, bn("c")...), "conv-affine", "Conv", 1e-5},
		"transposed":       {append([]any{x, weight("w", 4, 3, 3, 3), mNode("ConvTranspose", "x w", "c", mAt("group", 2))}, bn("c")...), "conv-affine", "ConvTranspose", 1e-5},
		"scale and shift": {append(conv(), weight("s", 6, 1, 1), scalarInit("k", 0.25), weight("h", 1, 6, 1, 1), mNode("Mul", "c s", "d"), mNode("Sub", "d k", "e"), mNode("Add", "h e", "y"), mOut("y")),
			"conv-affine", "Conv", 1e-5},
		"per column stays": {append(conv(mAt("pads", []int64{1, 1, 1, 1})), weight("s", 6), mNode("Mul", "c s", "y"), mOut("y")), "conv-affine", "Conv Mul", 0},
		"read twice":       {append(append(conv(), bn("c")...), mOut("c")), "conv-affine", "Conv BatchNormalization", 0},
		"pad": {[]any{x, weight("w", 6, 4, 3, 3), ints("p", 0, 0, 1, 2, 0, 0, 0, 1), mNode("Pad", "x p", "q"), mNode("Conv", "q w", "y", mAt("pads", []int64{1, 0, 0, 1})), mOut("y")},
			"conv-pad", "Conv", 1e-6},
		"pad of channels": {[]any{x, weight("w", 6, 5, 3, 3), ints("p", 0, 1, 0, 0, 0, 0, 0, 0), mNode("Pad", "x p", "q"), mNode("Conv", "q w", "y"), mOut("y")}, "conv-pad", "Pad Conv", 0},
	} {
		t.Run(name, f.test)
	}
}

func TestFuseEpilogues(t *testing.T) {
	all := "products product-transpose product-scale product-bias convs activation residual"
	x := mIn("x", mSpec(tensor.Float32, "N", 4, 6))
	base := []any{x, weight("w", 6, 6), weight("wt", 5, 6), weight("b", 6), weight("b1", 1, 1, 6), scalarInit("k", 0.25), mOut("y")}
	with := func(nodes ...any) []any { return append(append([]any{}, base...), nodes...) }
	img := []any{mIn("x", mSpec(tensor.Float32, "N", 4, 6, 6)), weight("w", 4, 4, 3, 3), weight("b", 4), mNode("Conv", "x w b", "c", mAt("pads", []int64{1, 1, 1, 1})), mOut("y"),
		scalarInit("lo", -0.5), scalarInit("hi", 0.5)}
	image := func(nodes ...any) []any { return append(append([]any{}, img...), nodes...) }
	two := mIn("m", mSpec(tensor.Float32, 3, 6))
	for name, f := range map[string]fusion{
		"bias, activation":          {with(mNode("MatMul", "x w", "a"), mNode("Add", "b1 a", "d"), mNode("com.microsoft:Gelu", "d", "y")), all, "FusedMatMul", 1e-5},
		"residual":                  {with(mNode("MatMul", "x w", "a"), mNode("Add", "a b", "d"), mNode("Tanh", "d", "e"), mNode("Add", "x e", "y")), all, "FusedMatMul", 1e-5},
		"scale, transposed operand": {with(mNode("Transpose", "x", "t", mAt("perm", []int64{0, 2, 1})), mNode("MatMul", "x t", "a"), mNode("Div", "a k", "y")), all, "FusedMatMul", 1e-5},
		"bias of one number":        {with(mNode("MatMul", "x w", "a"), mNode("Add", "a k", "y")), all, "FusedMatMul", 1e-5},
		"bias by row stays":         {with(weight("r", 4, 1), mNode("MatMul", "x w", "a"), mNode("Add", "a r", "y")), all, "FusedMatMul Add", 0},
		"read twice":                {with(mNode("MatMul", "x w", "a"), mNode("Relu", "a", "y"), mOut("a")), all, "FusedMatMul Relu", 0},
		// Two inputs share a name for a dimension that may differ: the run finds out.
		"unproven residual":         {with(mIn("z", mSpec(tensor.Float32, "N", 4, 6)), mNode("MatMul", "x w", "a"), mNode("Add", "a z", "y")), all, "FusedMatMul", 1e-5},
		"residual of another shape": {with(mNode("MatMul", "x w", "a"), mNode("ReduceMean", "x", "r", mAt("axes", []int64{0})), mNode("Add", "a r", "y")), all, "FusedMatMul ReduceMean Add", 0},
		"gemm": {[]any{two, weight("wt", 5, 6), weight("c", 1, 5), mNode("Gemm", "m wt c", "g", mAt("transB", 1), mAt("alpha", float32(0.5)), mAt("beta", float32(2))), mNode("Sigmoid", "g", "y"), mOut("y")},
			all, "FusedMatMul", 1e-5},
		"gemm with a matrix":    {[]any{two, weight("wt", 5, 6), weight("c", 3, 5), mNode("Gemm", "m wt c", "y", mAt("transB", 1)), mOut("y")}, all, "Gemm", 0},
		"conv, activation":      {image(mNode("Clip", "c lo hi", "y")), all, "FusedConv", 1e-5},
		"conv, sum, activation": {image(mNode("Add", "c x", "d"), mNode("Relu", "d", "y")), all, "FusedConv", 1e-5},
		"conv, activation, sum": {image(mNode("LeakyRelu", "c", "d", mAt("alpha", float32(0.2))), mNode("Add", "d x", "y")), all, "FusedConv", 1e-5},
		"conv alone":            {image(mNode("MaxPool", "c", "y", mAt("kernel_shape", []int64{2, 2}))), all, "Conv MaxPool", 0},
	} {
		t.Run(name, f.test)
	}
}

func TestFuseTransposesAndReshapes(t *testing.T) {
	x := mIn("x", mSpec(tensor.Float32, "N", 4, 6))
	perm := func(p ...int64) *onnx.AttributeProto { return mAt("perm", p) }
	for name, f := range map[string]fusion{
		"undone":   {[]any{x, mNode("Neg", "x", "n"), mNode("Transpose", "n", "a", perm(1, 2, 0)), mNode("Transpose", "a", "y", perm(2, 0, 1)), mOut("y")}, "transposes", "Neg", 0},
		"combined": {[]any{x, mNode("Transpose", "x", "a", perm(1, 2, 0)), mNode("Transpose", "a", "y"), mOut("y")}, "transposes", "Transpose", 0},
		"reshapes": {[]any{x, ints("d", -1), ints("e", 2, -1, 3), ints("z", 0, -1), mNode("Reshape", "x d", "a"), mNode("Reshape", "a e", "b"), mNode("Reshape", "b z", "y"), mOut("y")}, "reshapes", "Reshape Reshape", 0},
		"no-op":    {[]any{x, ints("o", 1), mNode("Shape", "x", "s"), mNode("Neg", "x", "n"), mNode("Reshape", "n s", "r"), mNode("Abs", "r", "y"), mOut("y")}, "identity", "Neg Abs", 0},
	} {
		t.Run(name, f.test)
	}
}
