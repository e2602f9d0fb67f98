package ops

import (
	"testing"

	"github.com/qrun-onnx/qrun/internal/modeltest"
	"github.com/qrun-onnx/qrun/tensor"
)

func TestFoldIntoProduct(t *testing.T) {
	x := mIn("x", mSpec(tensor.Float32, "N", 6))
	x3 := mIn("x", mSpec(tensor.Float32, "N", 4, 6))
	consts := []any{weight("w", 6, 5), weight("wt", 5, 6), weight("b", 5), weight("s", 5), weight("h", 1, 5), weight("s6", 6), weight("h6", 6), scalarInit("k", 0.25), weight("rows", 4, 1), mOut("y")}
	bn := func(n int, in, out string) []any {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(i+1) / 2
		}
		return []any{weight("bs", n), weight("bb", n), weight("bm", n), modeltest.Init("bv", v, n), mNode("BatchNormalization", in+" bs bb bm bv", out)}
	}
	with := func(in any, nodes ...any) []any { return append(append([]any{in}, consts...), nodes...) }
	const after, before = "product-affine", "affine-product"
	for name, f := range map[string]fusion{
		"scale":                       {with(x3, mNode("MatMul", "x w", "a"), mNode("Mul", "s a", "y")), after, "MatMul", 1e-5},
		"bias and scale":              {with(x3, mNode("MatMul", "x w", "a"), mNode("Add", "a b", "c"), mNode("Div", "c s", "y")), after, "MatMul Add", 1e-4},
		"batch norm":                  {with(x, append([]any{mNode("MatMul", "x w", "a"), mNode("Add", "b a", "c")}, bn(5, "c", "y")...)...), after, "MatMul Add", 1e-5},
		"batch norm, no bias":         {with(x, append([]any{mNode("MatMul", "x w", "c")}, bn(5, "c", "y")...)...), after, "MatMul Add", 1e-5},
		"batch norm of gemm":          {with(x, append([]any{mNode("Gemm", "x wt b", "c", mAt("transB", 1), mAt("beta", float32(2)))}, bn(5, "c", "y")...)...), after, "Gemm", 1e-5},
		"sum behind gemm":             {with(x, mNode("Gemm", "x w b", "c"), mNode("Sub", "c h", "y")), after, "Gemm", 1e-5},
		"a bias stays":                {with(x3, mNode("MatMul", "x w", "a"), mNode("Add", "a b", "y")), after, "MatMul Add", 0},
		"a number stays":              {with(x3, mNode("MatMul", "x w", "a"), mNode("Mul", "a k", "y")), after, "MatMul Mul", 0},
		"by row stays":                {with(x3, mNode("MatMul", "x w", "a"), mNode("Mul", "a rows", "y")), after, "MatMul Mul", 0},
		"read twice":                  {with(x3, mNode("MatMul", "x w", "a"), mNode("Mul", "a s", "y"), mOut("a")), after, "MatMul Mul", 0},
		"weight read twice":           {with(x3, mNode("MatMul", "x w", "a"), mNode("Mul", "a s", "y"), mNode("MatMul", "x w", "z"), mOut("z")), after, "MatMul Mul MatMul", 0},
		"batch norm over dimension 1": {with(mIn("x", mSpec(tensor.Float32, "N", 5, 6)), append([]any{mNode("MatMul", "x w", "c")}, bn(5, "c", "y")...)...), after, "MatMul BatchNormalization", 0},

		"scale and shift before": {with(x3, mNode("Mul", "x s6", "a"), mNode("Add", "a h6", "c"), mNode("MatMul", "c w", "y")), before, "MatMul Add", 1e-5},
		"batch norm before gemm": {with(x, append(bn(6, "x", "a"), mNode("Gemm", "a wt b", "y", mAt("transB", 1), mAt("alpha", float32(0.5)), mAt("beta", float32(2))))...), before, "Gemm", 1e-5},
		"broadened before":       {with(mIn("x", mSpec(tensor.Float32, "N", 1)), mNode("Mul", "x s6", "a"), mNode("MatMul", "a w", "y")), before, "Mul MatMul", 0},
		"read twice before":      {with(x3, mNode("Mul", "x s6", "a"), mNode("MatMul", "a w", "y"), mOut("a")), before, "Mul MatMul", 0},
	} {
		t.Run(name, f.test)
	}
}

func TestFuseEinsum(t *testing.T) {
	x := mIn("x", mSpec(tensor.Float32, "B", "S", 6))
	h := []any{mIn("q", mSpec(tensor.Float32, "B", "S", 2, 4)), mIn("k", mSpec(tensor.Float32, "B", "T", 2, 4)), mIn("v", mSpec(tensor.Float32, "B", "T", 2, 4)), mOut("y")}
	eq := func(s string) any { return s }
	einsum := func(e, in, out string) any { return mNode("Einsum", in, out, mAt("equation", eq(e))) }
	for name, f := range map[string]fusion{
		"projection to heads":     {[]any{x, weight("w", 6, 2, 4), einsum("abc,cde->abde", "x w", "y"), mOut("y")}, "einsum fold", "MatMul Reshape", 1e-5},
		"projection from heads":   {[]any{h[0], weight("w", 2, 4, 5), einsum("abcd,cde->abe", "q w", "y"), mOut("y")}, "einsum fold", "Reshape MatMul", 1e-5},
		"weight first":            {[]any{x, weight("w", 5, 6), einsum("dc,abc->abd", "w x", "y"), mOut("y")}, "einsum fold", "MatMul", 1e-5},
		"result in another order": {[]any{x, weight("w", 6, 5), einsum("abc,cd->dab", "x w", "y"), mOut("y")}, "einsum", "MatMul Transpose", 1e-5},
		"scores":                  {append([]any{einsum("aecd,abcd->acbe", "k q", "y")}, h...), "einsum", "Transpose Transpose MatMul", 1e-5},
		"attention of keras": {append([]any{scalarInit("f", 0.5), mNode("Mul", "q f", "qs"), einsum("aecd,abcd->acbe", "k qs", "s"), mNode("Softmax", "s", "p"), einsum("acbe,aecd->abcd", "p v", "y")}, h...),
			"einsum attention", "Attention", 1e-5},
		"an outer product stays":  {[]any{x, weight("w", 5), einsum("abc,d->abcd", "x w", "y"), mOut("y")}, "einsum", "Einsum", 0},
		"a diagonal stays":        {[]any{mIn("x", mSpec(tensor.Float32, 6, 6)), weight("w", 6, 5), einsum("cc,cd->d", "x w", "y"), mOut("y")}, "einsum", "Einsum", 0},
		"a sum of one side stays": {[]any{x, weight("w", 6, 5), einsum("abc,cd->ad", "x w", "y"), mOut("y")}, "einsum", "Einsum", 0},
		"an ellipsis stays":       {[]any{x, weight("w", 6, 5), einsum("...c,cd->...d", "x w", "y"), mOut("y")}, "einsum", "Einsum", 0},
	} {
		t.Run(name, f.test)
	}
}

func TestFuseSoftmax(t *testing.T) {
	x := mIn("x", mSpec(tensor.Float32, "N", 4, 6))
	parts := func(a, b int64, more ...any) []any {
		return append([]any{x, mNode("ReduceMax", "x", "m", mAt("axes", []int64{a})), mNode("Sub", "x m", "d"), mNode("Exp", "d", "e"), mNode("ReduceSum", "e axes", "s"), ints("axes", b), mNode("Div", "e s", "y"), mOut("y")}, more...)
	}
	for name, f := range map[string]fusion{
		"last axis":      {parts(-1, 2), "softmax", "Softmax", 1e-6},
		"middle axis":    {parts(1, 1), "softmax", "Softmax", 1e-6},
		"two axes":       {parts(1, 2), "softmax", "ReduceMax Sub Exp ReduceSum Div", 0},
		"sum is read":    {parts(1, 1, mOut("s")), "softmax", "ReduceMax Sub Exp ReduceSum Div", 0},
		"terms are read": {parts(1, 1, mOut("e")), "softmax", "ReduceMax Sub Exp ReduceSum Div", 0},
	} {
		t.Run(name, f.test)
	}
}

func TestMoveAndMerge(t *testing.T) {
	x := mIn("x", mSpec(tensor.Float32, "N", 4, 6))
	k := []any{x, scalarInit("k", 0.25), scalarInit("three", 3), scalarInit("big", 1e30), weight("w", 4), mOut("y")}
	with := func(nodes ...any) []any { return append(append([]any{}, k...), nodes...) }
	for name, f := range map[string]fusion{
		"transposes meet":   {with(mNode("Transpose", "x", "a", permutation(0, 2, 1)), mNode("Relu", "a", "b"), mNode("Mul", "k b", "c"), mNode("Transpose", "c", "y", permutation(0, 2, 1))), "sink-transposes transposes", "Relu Mul", 0},
		"two of them":       {with(mNode("Transpose", "x", "a", permutation(0, 2, 1)), mNode("Neg", "x", "n"), mNode("Transpose", "n", "b", permutation(0, 2, 1)), mNode("Add", "a b", "y")), "sink-transposes", "Neg Add Transpose", 0},
		"unequal ones stay": {with(mIn("z", mSpec(tensor.Float32, 4, 3, 6)), mNode("Transpose", "x", "a", permutation(0, 2, 1)), mNode("Transpose", "z", "b", permutation(1, 2, 0)), mNode("Add", "a b", "y")), "sink-transposes", "Transpose Transpose Add", 0},
		"per column stays":  {with(mNode("Transpose", "x", "a", permutation(0, 2, 1)), mNode("Mul", "a w", "y")), "sink-transposes", "Transpose Mul", 0},
		"read twice stays":  {with(mNode("Transpose", "x", "a", permutation(0, 2, 1)), mNode("Relu", "a", "y"), mOut("a")), "sink-transposes", "Transpose Relu", 0},
		"factors":           {with(mNode("Mul", "x k", "a"), mNode("Div", "a three", "b"), mNode("Mul", "three b", "y")), "factors", "Mul", 1e-6},
		"factors too large": {with(mNode("Mul", "x big", "a"), mNode("Mul", "a big", "y")), "factors", "Mul Mul", 0},
		"sums stay":         {with(mNode("Add", "x k", "a"), mNode("Sub", "a three", "y")), "factors", "Add Sub", 0},

		"widened and back":  {with(mNode("Neg", "x", "n"), mNode("Cast", "n", "a", mAt("to", 11)), mNode("Cast", "a", "b", mAt("to", 1)), mNode("Abs", "b", "y")), "identity", "Neg Abs", 0},
		"narrowed and back": {with(mNode("Cast", "x", "a", mAt("to", 10)), mNode("Cast", "a", "y", mAt("to", 1))), "identity", "Cast Cast", 0},
		"whole slice":       {with(ints("i0", 0), ints("i1", 1), ints("end", 1<<40), mNode("Neg", "x", "n"), mNode("Slice", "n i0 end i1", "b"), mNode("Abs", "b", "y")), "identity", "Neg Abs", 0},
		"turned slice":      {with(ints("i0", -1), ints("i1", 1), ints("end", -1<<40), ints("back", -1), mNode("Slice", "x i0 end i1 back", "y")), "identity", "Slice", 0},
		"one part":          {with(mNode("Neg", "x", "n"), mNode("Split", "n", "b"), mNode("Abs", "b", "y")), "identity", "Neg Abs", 0},
	} {
		t.Run(name, f.test)
	}
}
