package ops

import (
	"testing"

	"github.com/qrun-onnx/qrun/internal/modeltest"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

// attentionParts is self-attention of x [B, S, 12] with three heads of four, as PyTorch exports BERT, with nodes replaced by
// their first output or added behind them.
func attentionParts(replace map[string][]any, out string) []any {
	perm := func(p ...int64) *onnx.AttributeProto { return mAt("perm", p) }
	parts := []any{mIn("x", mSpec(tensor.Float32, "B", "S", 12)), mIn("m", mSpec(tensor.Float32, "C", 1, 1, "T")), scalarInit("root", 2), ints("split", 0, 0, 3, 4), ints("merge", 0, 0, 12),
		weight("wq", 12, 12), weight("wk", 12, 12), weight("wv", 12, 12)}
	for _, n := range []*onnx.NodeProto{
		mNode("MatMul", "x wq", "q"), mNode("Reshape", "q split", "q4"), mNode("Transpose", "q4", "qt", perm(0, 2, 1, 3)),
		mNode("MatMul", "x wk", "k"), mNode("Reshape", "k split", "k4"), mNode("Transpose", "k4", "kt", perm(0, 2, 3, 1)),
		mNode("MatMul", "x wv", "v"), mNode("Reshape", "v split", "v4"), mNode("Transpose", "v4", "vt", perm(0, 2, 1, 3)),
		mNode("MatMul", "qt kt", "qk"), mNode("Div", "qk root", "s"), mNode("Add", "s m", "sm"), mNode("Softmax", "sm", "p", mAt("axis", -1)),
		mNode("MatMul", "p vt", "c"), mNode("Transpose", "c", "ct", perm(0, 2, 1, 3)), mNode("Reshape", "ct merge", "y"),
	} {
		if r, ok := replace[n.Output[0]]; ok {
			parts = append(parts, r...)
			continue
		}
		parts = append(parts, n)
	}
	return append(parts, mOut(out))
}

func TestFuseAttention(t *testing.T) {
	type with = map[string][]any
	none := []any{}
	const kept = "MatMul Reshape MatMul Reshape MatMul Reshape Attention Reshape"
	perm := func(p ...int64) *onnx.AttributeProto { return mAt("perm", p) }
	for name, f := range map[string]fusion{
		"bert":     {attentionParts(nil, "y"), "attention", kept, 1e-6},
		"no mask":  {attentionParts(with{"sm": none, "p": {mNode("Softmax", "s", "p", mAt("axis", 3))}}, "y"), "attention", kept, 1e-6},
		"no scale": {attentionParts(with{"s": none, "sm": {mNode("Add", "m qk", "sm")}}, "y"), "attention", kept, 1e-6},
		// The factor of the queries is rounded with each of them, the one of the scores once.
		"scaled query": {attentionParts(with{"qt": {scalarInit("f", 0.3), mNode("Transpose", "q4", "qx", perm(0, 2, 1, 3)), mNode("Mul", "f qx", "qt")}, "s": none,
			"sm": {mNode("Add", "qk m", "sm")}}, "y"), "attention", kept, 1e-6},
		"both scaled": {attentionParts(with{"q4": {scalarInit("f", 0.7), mNode("Mul", "q f", "qs"), mNode("Reshape", "qs split", "q4")},
			"kt": {mNode("Transpose", "k4", "kx", perm(0, 2, 3, 1)), mNode("Mul", "kx f", "kt")}}, "y"), "attention",
			"MatMul MatMul Reshape MatMul Reshape Reshape Attention Reshape", 1e-6},
		"key in two steps": {attentionParts(with{"kt": {mNode("Transpose", "k4", "kx", perm(0, 2, 1, 3)), mNode("Transpose", "kx", "kt", perm(0, 1, 3, 2))}}, "y"), "attention", kept, 1e-6},
		"flat key": {attentionParts(with{"kt": {mNode("Transpose", "k4", "kx", perm(0, 2, 1, 3)), mNode("Shape", "kx", "shape"),
			ints("two", 2), ints("four", 4), ints("zero", 0), ints("minus", -1), mNode("Slice", "shape two four", "tail"), mNode("Slice", "shape zero two", "head"),
			ints("three", 3), mNode("Slice", "shape two three", "seq"), mNode("Slice", "shape three four", "size"),
			mNode("Concat", "minus tail", "to3", mAt("axis", 0)), mNode("Concat", "head size seq", "to4", mAt("axis", 0)),
			mNode("Reshape", "kx to3", "k3"), mNode("Transpose", "k3", "k3t", perm(0, 2, 1)), mNode("Reshape", "k3t to4", "kt")}}, "y"), "attention", kept, 1e-6},
		"NaN to zero": {attentionParts(with{"c": {scalarInit("zero", 0), mNode("IsNaN", "p", "nan"), mNode("Where", "nan zero p", "pz"), mNode("MatMul", "pz vt", "c")}}, "y"), "attention", kept, 1e-6},
		"heads first": {attentionParts(with{"ct": none, "y": none}, "c"), "attention", "MatMul Reshape MatMul Reshape MatMul Reshape Attention", 1e-6},
		"result read twice": {append(attentionParts(with{"y": {mNode("Reshape", "ct merge", "z"), mNode("Neg", "c", "n")}}, "z"), mOut("n")), "attention",
			"MatMul Reshape MatMul Reshape MatMul Reshape Attention Transpose Reshape Neg", 1e-6},
		"given operands": {[]any{mIn("q", mSpec(tensor.Float32, 1, 2, 5, 4)), mIn("k", mSpec(tensor.Float32, 1, 2, 4, 6)), mIn("v", mSpec(tensor.Float32, 1, 2, 6, 8)),
			mNode("MatMul", "q k", "s"), mNode("Softmax", "s", "p"), mNode("MatMul", "p v", "y"), mOut("y")}, "attention", "Attention", 1e-6},

		"scores are an output": {append(attentionParts(nil, "y"), mOut("qk")), "attention", "MatMul Reshape Transpose MatMul Reshape Transpose MatMul Reshape Transpose MatMul Div Add Softmax MatMul Transpose Reshape", 0},
		"another axis": {attentionParts(with{"p": {mNode("Softmax", "sm", "p", mAt("axis", 1))}}, "y"), "attention",
			"MatMul Reshape Transpose MatMul Reshape Transpose MatMul Reshape Transpose MatMul Div Add Softmax MatMul Transpose Reshape", 0},
		"heads repeated": {[]any{mIn("q", mSpec(tensor.Float32, 1, 1, 5, 4)), mIn("k", mSpec(tensor.Float32, 1, 2, 4, 6)), mIn("v", mSpec(tensor.Float32, 1, 2, 6, 8)),
			mNode("MatMul", "q k", "s"), mNode("Softmax", "s", "p"), mNode("MatMul", "p v", "y"), mOut("y")}, "attention", "Attention", 1e-6},
		"mask of more heads": {[]any{mIn("q", mSpec(tensor.Float32, 1, 1, 5, 4)), mIn("k", mSpec(tensor.Float32, 1, 1, 4, 6)), mIn("v", mSpec(tensor.Float32, 1, 1, 6, 8)), mIn("m", mSpec(tensor.Float32, 2, 5, 6)),
			mNode("MatMul", "q k", "s"), mNode("Add", "s m", "sm"), mNode("Softmax", "sm", "p"), mNode("MatMul", "p v", "y"), mOut("y")}, "attention", "Attention", 1e-6},
	} {
		t.Run(name, f.test)
	}
}

// packedAttentionParts is attention over the three parts of one projection, [B, S, 3, 2, 4] transposed as a whole.
func packedAttentionParts(pick func(i int64, to string) []any) []any {
	parts := []any{mIn("x", mSpec(tensor.Float32, "B", 6, 24)), ints("split", 0, 6, 3, 2, 4), scalarInit("f", 0.5),
		mNode("Reshape", "x split", "x5"), mNode("Transpose", "x5", "t5", mAt("perm", []int64{2, 0, 3, 1, 4}))}
	for i, to := range []string{"q", "k", "v"} {
		parts = append(parts, pick(int64(i), to)...)
	}
	return append(parts, mNode("Mul", "q f", "qs"), mNode("Transpose", "k", "kt", mAt("perm", []int64{0, 1, 3, 2})), mNode("MatMul", "qs kt", "s"), mNode("Softmax", "s", "p"),
		mNode("MatMul", "p v", "c"), mNode("Transpose", "c", "y", mAt("perm", []int64{0, 2, 1, 3})), mOut("y"))
}

func TestFusePackedAttention(t *testing.T) {
	for name, pick := range map[string]func(i int64, to string) []any{
		"gather": func(i int64, to string) []any {
			return []any{modeltest.Init("i"+to, []int64{i}), mNode("Gather", "t5 i"+to, to)}
		},
		"slice": func(i int64, to string) []any {
			return []any{ints("from"+to, i), ints("to"+to, i+1), ints("axis"+to, 0), mNode("Slice", "t5 from"+to+" to"+to+" axis"+to, "s"+to),
				mNode("Squeeze", "s"+to+" axis"+to, to)}
		},
	} {
		t.Run(name, fusion{packedAttentionParts(pick), "attention", "Reshape Reshape Reshape Reshape Attention", 1e-6}.test)
	}
}
