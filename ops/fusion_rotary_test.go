package ops

import (
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

// rotaryParts is the rotation of x, [2, 3, 5, 8] or [2, 5, 3, 8] before a Transpose, by tables in front of more nodes.
func rotaryParts(more ...any) []any {
	return append([]any{weight("cos", 5, 8), weight("sin", 1, 1, 5, 8), ints("zero", 0), ints("four", 4), ints("five", 5), ints("end", 1<<62), ints("last", -1), ints("three", 3),
		ints("one", 1), ints("two", 2), mOut("y")}, more...)
}

func halves(x, y string) []any {
	nodes := []any{}
	for _, n := range []*onnx.NodeProto{mNode("Mul", x+" cos", "a"), mNode("Slice", x+" zero four last", "lo"), mNode("Slice", x+" four end three one", "hi"), mNode("Neg", "hi", "n"),
		mNode("Concat", "n lo", "t", mAt("axis", -1)), mNode("Mul", "sin t", "b"), mNode("Add", "a b", y)} {
		nodes = append(nodes, n)
	}
	return nodes
}

func TestFuseRotary(t *testing.T) {
	x := mIn("x", mSpec(tensor.Float32, 2, 3, 5, 8))
	with := func(in any, nodes ...any) []any { return append(rotaryParts(in), nodes...) }
	pairs := []any{mNode("Mul", "x cos", "a"), mNode("Slice", "x zero end three two", "lo"), mNode("Slice", "x one end three two", "hi"), mNode("Neg", "hi", "n"),
		mNode("Unsqueeze", "n last", "u"), mNode("Unsqueeze", "lo last", "v"), mNode("Concat", "u v", "w", mAt("axis", -1)), ints("shape", 0, 0, 0, -1), mNode("Reshape", "w shape", "t"),
		mNode("Mul", "t sin", "b"), mNode("Add", "b a", "y")}
	swapped := func() []any { return slices.Clone(pairs) }
	other := swapped()
	other[1], other[2] = mNode("Slice", "x one end three two", "lo"), mNode("Slice", "x zero end three two", "hi")
	for name, f := range map[string]fusion{
		"halves":   {with(x, halves("x", "y")...), "rotary", "Rotary", 0},
		"by Split": {with(x, mNode("Mul", "x cos", "a"), mNode("Split", "x", "lo hi", mAt("axis", 3)), mNode("Neg", "hi", "n"), mNode("Concat", "n lo", "t", mAt("axis", 3)), mNode("Mul", "t sin", "b"), mNode("Add", "b a", "y")), "rotary", "Rotary", 0},
		"pairs":    {with(x, pairs...), "rotary", "Rotary", 0},
		"transposed": {with(mIn("z", mSpec(tensor.Float32, "N", 5, 3, 8)), append([]any{mNode("Transpose", "z", "x", mAt("perm", []int64{0, 2, 1, 3}))}, halves("x", "y")...)...),
			"rotary", "Rotary", 0},
		"first elements": {with(mIn("z", mSpec(tensor.Float32, 1, "N", 5, 13)), append([]any{ints("eight", 8), mNode("Slice", "z zero eight three", "x"), mNode("Slice", "z eight end last", "rest"),
			mNode("Concat", "r rest", "y", mAt("axis", -1))}, halves("x", "r")...)...), "rotary", "Rotary", 0},
		// What else reads the transpose keeps it.
		"transpose read": {with(mIn("z", mSpec(tensor.Float32, 2, 5, 3, 8)), append([]any{mNode("Transpose", "z", "x", mAt("perm", []int64{0, 2, 1, 3})), mNode("Abs", "x", "q"), mOut("q")}, halves("x", "y")...)...),
			"rotary", "Transpose Abs Rotary", 0},
		// The rows of x are as many as the tables have.
		"repeated":      {with(mIn("x", mSpec(tensor.Float32, 1, 2, 1, 8)), halves("x", "y")...), "rotary", "Rotary", 0},
		"another order": {with(x, other...), "rotary", "Mul Slice Slice Neg Unsqueeze Unsqueeze Concat Reshape Mul Add", 0},
		"uneven parts": {with(x, mNode("Mul", "x cos", "a"), mNode("Slice", "x zero five last", "lo"), mNode("Slice", "x five end three one", "hi"), mNode("Neg", "hi", "n"),
			mNode("Concat", "n lo", "t", mAt("axis", -1)), mNode("Mul", "sin t", "b"), mNode("Add", "a b", "y")), "rotary", "Mul Slice Slice Neg Concat Mul Add", 0},
		"result read twice": {append(with(x, halves("x", "y")...), mOut("b")), "rotary", "Mul Slice Slice Neg Concat Mul Add", 0},
	} {
		t.Run(name, f.test)
	}
}
