package ops

import (
	"math"
	"testing"

	"github.com/qrun-onnx/qrun/internal/modeltest"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

func permutation(p ...int64) *onnx.AttributeProto { return mAt("perm", p) }

// causal is a lower triangle of n rows.
func causal(name string, n int) *onnx.TensorProto {
	keep := make([]bool, n*n)
	for i := range keep {
		keep[i] = i%n <= i/n
	}
	return modeltest.Init(name, keep, 1, 1, n, n)
}

// Masks as exporters write them, on the attention of BERT.
func TestFuseAttentionMasks(t *testing.T) {
	type with = map[string][]any
	none := []any{}
	const kept = "MatMul Reshape MatMul Reshape MatMul Reshape"
	hidden := []any{scalarInit("zero", 0), scalarInit("inf", float32(math.Inf(-1))), scalarInit("lowest", -math.MaxFloat32), scalarInit("low", -10000),
		mNode("Less", "m zero", "hide"), mNode("Not", "hide", "show")}
	masked := func(nodes ...any) []any {
		return attentionParts(with{"sm": append(append([]any{}, hidden...), nodes...)}, "y")
	}
	// The causal mask of GPT-2: rows of a buffer from the number of keys less that of queries on.
	buffer := []any{causal("bias", 8), ints("i0", 0), ints("i1", 1), ints("i2", 2), ints("i3", 3), ints("i4", 4), mNode("Shape", "qk", "shape"), mNode("Slice", "shape i2 i3 i0", "nq"), mNode("Slice", "shape i3 i4 i0", "nk"),
		mNode("Sub", "nk nq", "n0"), mNode("Slice", "bias n0 nk i2", "rows"), mNode("Slice", "rows i0 nk i3", "see")}
	for name, f := range map[string]fusion{
		"filled": {masked(mNode("Where", "hide lowest s", "sm")), "attention", kept + " Less Not Where Attention Reshape", 1e-6},
		"filled with infinity, expanded": {masked(mNode("Shape", "qk", "full"), mNode("Expand", "hide full", "wide"), mNode("Where", "wide inf s", "sm")), "attention",
			kept + " Less Not Where Attention Reshape", 1e-6},
		"kept":          {masked(mNode("Where", "show s lowest", "sm")), "attention", kept + " Less Not Where Attention Reshape", 1e-6},
		"limited":       {masked(mNode("Where", "show s low", "sm")), "attention", kept + " Less Not Where Attention Reshape", 1e-6},
		"two sums":      {masked(weight("rel", 1, 3, 3, 3), mNode("Add", "s rel", "sr"), mNode("Add", "sr m", "sm")), "attention", kept + " Less Not Add Attention Reshape", 1e-6},
		"limit and sum": {masked(append(buffer, mNode("Where", "see s low", "sl"), mNode("Add", "sl m", "sm"))...), "dead fold attention", "MatMul Reshape Transpose MatMul Reshape Transpose MatMul Reshape MatMul Shape Slice Slice Sub Slice Slice Where Add Attention Reshape", 1e-6},
		"sum and limit": {masked(mNode("Add", "m s", "sl"), mNode("Where", "show sl low", "sm")), "attention", kept + " Less Not Where Attention Reshape", 1e-6},
		"filled with a positive number stays": {masked(mNode("Where", "hide zero s", "sm")), "attention",
			"MatMul Reshape Transpose MatMul Reshape Transpose MatMul Reshape Transpose MatMul Div Less Not Where Softmax MatMul Transpose Reshape", 0},
		"scaled after the mask stays": {attentionParts(with{"s": {mNode("Add", "qk m", "qm")}, "sm": {mNode("Div", "qm root", "sm")}}, "y"), "attention",
			"MatMul Reshape Transpose MatMul Reshape Transpose MatMul Reshape Transpose MatMul Add Div Softmax MatMul Transpose Reshape", 0},
		"of T5": {attentionParts(with{"s": none, "sm": {weight("rel", 1, 3, 3, 3), mNode("Add", "rel m", "bias"), mNode("Add", "qk bias", "sm")}}, "y"), "attention", kept + " Add Attention Reshape", 1e-6},
	} {
		t.Run(name, f.test)
	}
}

// flatParts is attention over [batch*heads, seq, size], as BART, CLIP and OPT write it, with a mask of four dimensions.
func flatParts(masked []any, scores string, more ...any) []any {
	parts := []any{mIn("x", mSpec(tensor.Float32, "B", "S", 12)), mIn("m", mSpec(tensor.Float32, 1, 1, 1, "T")), scalarInit("root", 0.5), ints("split", 0, 0, 3, 4), ints("merge", 0, 0, 12),
		weight("wq", 12, 12), weight("wk", 12, 12), weight("wv", 12, 12), ints("i0", 0), ints("i1", 1), ints("i2", 2), ints("three", 3), ints("four", 4), ints("minus", -1),
		mNode("Shape", "x", "dims"), mNode("Slice", "dims i0 i1 i0", "b"), mNode("Slice", "dims i1 i2 i0", "s"), mNode("Concat", "minus s four", "to3", mAt("axis", 0)),
		mNode("Concat", "b three s four", "to4", mAt("axis", 0)), mNode("Concat", "b three s s", "scores4", mAt("axis", 0)), mNode("Concat", "minus s s", "scores3", mAt("axis", 0)),
		mNode("MatMul", "x wq", "q"), mNode("Mul", "q root", "qs"), mNode("Reshape", "qs split", "q4"), mNode("Transpose", "q4", "qt", permutation(0, 2, 1, 3)), mNode("Reshape", "qt to3", "q3"),
		mNode("MatMul", "x wk", "k"), mNode("Reshape", "k split", "k4"), mNode("Transpose", "k4", "kt", permutation(0, 2, 1, 3)), mNode("Reshape", "kt to3", "k3"), mNode("Transpose", "k3", "k3t", permutation(0, 2, 1)),
		mNode("MatMul", "x wv", "v"), mNode("Reshape", "v split", "v4"), mNode("Transpose", "v4", "vt", permutation(0, 2, 1, 3)), mNode("Reshape", "vt to3", "v3"),
		mNode("MatMul", "q3 k3t", "qk")}
	parts = append(parts, masked...)
	parts = append(parts, mNode("Softmax", scores, "p", mAt("axis", -1)), mNode("MatMul", "p v3", "c"))
	if more == nil {
		more = []any{mNode("Reshape", "c to4", "c4"), mNode("Transpose", "c4", "ct", permutation(0, 2, 1, 3)), mNode("Reshape", "ct merge", "y"), mOut("y")}
	}
	return append(parts, more...)
}

func TestFuseFlatAttention(t *testing.T) {
	mask4 := []any{mNode("Reshape", "qk scores4", "s4"), mNode("Add", "s4 m", "sm4"), mNode("Reshape", "sm4 scores3", "sm")}
	const kept = "MatMul MatMul Reshape MatMul Reshape Reshape Attention Reshape"
	for name, f := range map[string]fusion{
		"no mask":   {flatParts(nil, "qk"), "dead attention", kept, 1e-6},
		"mask":      {flatParts(mask4, "sm"), "dead attention", kept, 1e-6},
		"flat mask": {flatParts([]any{weight("tri", 1, 3, 3), mNode("Add", "qk tri", "sm")}, "sm"), "dead attention", kept, 1e-6},
		"mask by head stays a product of three dimensions": {flatParts([]any{weight("tri", 9, 3, 3), mNode("Add", "qk tri", "sm")}, "sm"), "dead attention",
			"MatMul Mul Reshape Transpose Reshape MatMul Reshape Transpose Reshape MatMul Reshape Transpose Reshape Unsqueeze Unsqueeze Unsqueeze Attention Squeeze Reshape Transpose Reshape", 1e-6},
		"result of three dimensions": {flatParts(nil, "qk", mOut("c")), "dead attention",
			"MatMul Mul Reshape Transpose Reshape MatMul Reshape Transpose Reshape MatMul Reshape Transpose Reshape Unsqueeze Unsqueeze Unsqueeze Attention Squeeze", 1e-6},
	} {
		t.Run(name, func(t *testing.T) { f.testBut(t, "Shape", "Slice", "Concat") })
	}
}

// The attention of PyTorch's MultiheadAttention: [seq, batch*heads, size], transposed.
func TestFuseSequenceFirstAttention(t *testing.T) {
	parts := []any{mIn("q", mSpec(tensor.Float32, 5, "N", 4)), mIn("k", mSpec(tensor.Float32, 6, "N", 4)), mIn("v", mSpec(tensor.Float32, 6, "N", 4)), scalarInit("f", 0.5),
		mNode("Transpose", "q", "qt", permutation(1, 0, 2)), mNode("Mul", "qt f", "qs"), mNode("Transpose", "k", "kt", permutation(1, 2, 0)), mNode("Transpose", "v", "vt", permutation(1, 0, 2)),
		mNode("MatMul", "qs kt", "s"), mNode("Softmax", "s", "p", mAt("axis", 2)), mNode("MatMul", "p vt", "c"), mNode("Transpose", "c", "y", permutation(1, 0, 2)), mOut("y")}
	fusion{parts, "attention", "Unsqueeze Unsqueeze Unsqueeze Attention Squeeze", 1e-6}.test(t)
}

// Decoders keep keys and values of former runs, and share those of a group of heads.
func TestFuseCachedAttention(t *testing.T) {
	parts := []any{mIn("q", mSpec(tensor.Float32, "B", 4, 1, 8)), mIn("k", mSpec(tensor.Float32, "B", 2, 1, 8)), mIn("v", mSpec(tensor.Float32, "B", 2, 1, 8)),
		mIn("pk", mSpec(tensor.Float32, "B", 2, "P", 8)), mIn("pv", mSpec(tensor.Float32, "B", 2, "P", 8)), scalarInit("root", 3),
		mNode("Concat", "pk k", "ka", mAt("axis", 2)), mNode("Concat", "pv v", "va", mAt("axis", 2)), mOut("ka", "va"), ints("axis", 2), ints("i0", 0), ints("i1", 1), ints("i2", 2), ints("i3", 3), ints("eight", 8), ints("two", 2), ints("four", 4)}
	for _, x := range []string{"k", "v"} {
		a := x + "a"
		parts = append(parts, mNode("Unsqueeze", a+" axis", x+"u"), mNode("Shape", a, x+"sh"), mNode("Slice", x+"sh i0 i1 i0", x+"b"), mNode("Slice", x+"sh i2 i3 i0", x+"n"),
			mNode("Concat", x+"b two two "+x+"n eight", x+"to5", mAt("axis", 0)), mNode("Expand", x+"u "+x+"to5", x+"e"),
			mNode("Concat", x+"b four "+x+"n eight", x+"to4", mAt("axis", 0)), mNode("Reshape", x+"e "+x+"to4", x+"r"))
	}
	parts = append(parts, mNode("Transpose", "kr", "kt", permutation(0, 1, 3, 2)), mNode("MatMul", "q kt", "s"), mNode("Div", "s root", "sd"), mNode("Softmax", "sd", "p"), mNode("MatMul", "p vr", "y"), mOut("y"))
	fusion{parts, "attention dead", "Attention", 1e-6}.testBut(t, "Shape", "Slice", "Concat")
}
