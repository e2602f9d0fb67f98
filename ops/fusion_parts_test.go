package ops

import (
	"testing"

	"github.com/qrun-onnx/qrun/internal/modeltest"
	"github.com/qrun-onnx/qrun/tensor"
)

func TestUnflattenProducts(t *testing.T) {
	x := mIn("x", mSpec(tensor.Float32, "B", "S", 6))
	shape := []any{mNode("Shape", "x", "s"), ints("i01", 0, 1), mNode("Gather", "s i01", "bs"), ints("n", 20), mNode("Concat", "bs n", "shape", mAt("axis", 0)), ints("flat", -1, 6),
		weight("w", 6, 20), weight("wt", 20, 6), weight("b", 20), mNode("Reshape", "x flat", "r"), mNode("Reshape", "g shape", "y"), mOut("y")}
	with := func(nodes ...any) []any { return append(append([]any{x}, shape...), nodes...) }
	for name, f := range map[string]fusion{
		"gemm":           {with(mNode("Gemm", "r w b", "g")), "unflatten-products", "MatMul Add", 1e-6},
		"transposed":     {with(mNode("Gemm", "r wt b", "g", mAt("transB", 1), mAt("beta", float32(0.5)))), "unflatten-products", "MatMul Add", 1e-6},
		"without a bias": {with(mNode("Gemm", "r w", "g")), "unflatten-products", "MatMul", 1e-6},
		"scaled":         {with(mNode("Gemm", "r w b", "g", mAt("alpha", float32(2)))), "unflatten-products", "Gather Concat Reshape Gemm Reshape", 0},
		"another shape": {[]any{x, ints("flat", -1, 6), ints("back", 1, -1, 20), weight("w", 6, 20), mNode("Reshape", "x flat", "r"), mNode("Gemm", "r w", "g"), mNode("Reshape", "g back", "y"), mOut("y")},
			"unflatten-products", "Reshape Gemm Reshape", 0},
	} {
		t.Run(name, func(t *testing.T) { f.testBut(t, "Shape") })
	}
}

func TestSplitProducts(t *testing.T) {
	x := mIn("x", mSpec(tensor.Float32, "N", 4, 6))
	base := []any{x, weight("w", 6, 48), weight("b", 48), ints("z", 0), ints("k", 16), ints("l", 32), ints("e", 48), ints("a", -1), ints("a2", 2), ints("view", 0, 0, 3, 4, 4), ints("sizes", 16, 32),
		ints("one", 1), ints("two", 2), ints("three", 3), mOut("y"), mOut("q")}
	with := func(nodes ...any) []any { return append(append([]any{}, base...), nodes...) }
	sum := []any{mNode("MatMul", "x w", "m"), mNode("Add", "b m", "p")}
	for name, f := range map[string]fusion{
		"split":  {with(append(sum, mNode("Split", "p sizes", "q r", mAt("axis", -1)), mNode("Relu", "r", "y"))...), "split-products", "MatMul Add MatMul Add Relu", 1e-6},
		"slices": {with(mNode("MatMul", "x w", "p"), mNode("Slice", "p z k a", "q"), mNode("Slice", "p k e a2 one", "y")), "split-products", "MatMul MatMul", 1e-6},
		"heads": {with(append(sum, mNode("Reshape", "p view", "v"), mNode("Slice", "v z one a2", "s"), mNode("Squeeze", "s two", "q"), mNode("Gather", "v i", "y", mAt("axis", 2)), modeltest.Init("i", []int64{2}))...),
			"split-products", "MatMul Add Reshape MatMul Add Reshape", 1e-6},
		"read whole":  {with(mNode("MatMul", "x w", "p"), mNode("Slice", "p z k a", "q"), mNode("Relu", "p", "y")), "split-products", "MatMul Slice Relu", 0},
		"overlapping": {with(mNode("MatMul", "x w", "p"), mNode("Slice", "p z l a", "q"), mNode("Slice", "p k e a", "y")), "split-products", "MatMul Slice Slice", 0},
		"rows":        {with(mNode("MatMul", "x w", "p"), mNode("Slice", "p z one one", "q"), mNode("Slice", "p one two one", "y")), "split-products", "MatMul Slice Slice", 0},
	} {
		t.Run(name, f.test)
	}
}

// Expanding to a list of sizes keeps what is known of them.
func TestSizesKept(t *testing.T) {
	x := mIn("x", mSpec(tensor.Float32, "N", 1, 6))
	parts := func(c ...int64) []any {
		return []any{x, ints("c", c...), ints("ones", 1, 1, 1), ints("n", 4), ints("i", 0), ints("j", 2), mNode("Shape", "x", "s"), mNode("Gather", "s i", "b"), mNode("Gather", "s j", "k"),
			mNode("Concat", "b n k", "d", mAt("axis", 0)), mNode("Equal", "d c", "e"), mNode("Where", "e ones d", "w"), mNode("Expand", "x w", "y"), mOut("y")}
	}
	fusion{parts(-1, -1, -1), "identity", "Shape Gather Gather Concat Expand", 0}.test(t)
	fusion{parts(-1, 4, -1), "identity", "Shape Gather Gather Concat Equal Where Expand", 0}.test(t)
}

// A second bias is added to the first.
func TestFuseTwoBiases(t *testing.T) {
	x := mIn("x", mSpec(tensor.Float32, "N", 4, 6))
	parts := []any{x, weight("w", 6, 5), weight("b", 5), weight("c", 1, 1, 5), mNode("MatMul", "x w", "m"), mNode("Add", "m b", "n"), mNode("Add", "c n", "o"), mNode("Relu", "o", "y"), mOut("y")}
	fusion{parts, "products product-bias activation", "FusedMatMul", 1e-5}.test(t)
}
