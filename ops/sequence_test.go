package ops

import (
	"testing"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func wantElems(t *testing.T, got *tensor.Tensor, want ...*tensor.Tensor) {
	t.Helper()
	if got.Kind() != tensor.KindSequence || len(got.Elems()) != len(want) {
		t.Fatalf("got %v of %d elements, want a sequence of %d", got, len(got.Elems()), len(want))
	}
	for i, w := range want {
		wantTensor(t, got.Elems()[i], w)
	}
}

func TestSequences(t *testing.T) {
	a, b, c := ramp(t, 2), ramp(t, 3), ramp(t, 4)
	at := func(v int64) *tensor.Tensor { return of(t, []int64{v}) }
	s := runOp(t, "SequenceConstruct", 11, nil, a, b, c)
	wantElems(t, s, a, b, c)
	wantElems(t, runOp(t, "SequenceEmpty", 11, attrs{"dtype": int(tensor.Int64)}))
	wantTensor(t, runOp(t, "SequenceAt", 11, nil, s, at(-1)), c)
	wantTensor(t, runOp(t, "SequenceAt", 11, nil, s, of(t, []int32{1})), b)
	wantElems(t, runOp(t, "SequenceInsert", 11, nil, s, a), a, b, c, a)
	wantElems(t, runOp(t, "SequenceInsert", 11, nil, s, c, at(0)), c, a, b, c)
	wantElems(t, runOp(t, "SequenceInsert", 11, nil, s, c, at(3)), a, b, c, c)
	wantElems(t, runOp(t, "SequenceErase", 11, nil, s), a, b)
	wantElems(t, runOp(t, "SequenceErase", 11, nil, s, at(-3)), b, c)
	wantTensor(t, runOp(t, "SequenceLength", 11, nil, s), at(3))
	wantErr(t, "position 3 is outside a sequence of 3 elements", "SequenceAt", 11, nil, s, at(3))
	wantErr(t, "position 4 is outside a sequence of 3 elements", "SequenceInsert", 11, nil, s, a, at(4))
	wantErr(t, "the sequence is empty", "SequenceErase", 11, nil, tensor.SequenceOf(nil))
	wantErr(t, "cannot insert int64", "SequenceInsert", 11, nil, s, at(1))
	wantErr(t, "want a sequence", "SequenceLength", 11, nil, a)
	wantErr(t, "want a tensor", "Transpose", 13, nil, s)
}

func TestSequencesOfParts(t *testing.T) {
	x := ramp(t, 2, 5)
	part := func(from, to int64) *tensor.Tensor {
		return runOp(t, "Slice", 13, nil, x, indices(t, from), indices(t, to), indices(t, 1))
	}
	cut := attrs{"axis": 1}
	s := runOp(t, "SplitToSequence", 11, cut, x, of(t, []int64{2}))
	wantElems(t, s, part(0, 2), part(2, 4), part(4, 5))
	wantElems(t, runOp(t, "SplitToSequence", 11, cut, x, indices(t, 1, 0, 4)), part(0, 1), part(1, 1), part(1, 5))
	rows := runOp(t, "SplitToSequence", 11, attrs{"keepdims": 0}, x)
	for i, e := range rows.Elems() {
		wantTensor(t, e, runOp(t, "Gather", 13, nil, x, of(t, []int64{int64(i)})))
	}
	wantTensor(t, runOp(t, "ConcatFromSequence", 11, attrs{"axis": -1}, s), x)
	wantTensor(t, runOp(t, "ConcatFromSequence", 11, attrs{"axis": 0, "new_axis": 1}, rows), x)
	wantTensor(t, runOp(t, "ConcatFromSequence", 11, attrs{"axis": 1, "new_axis": 1}, rows), runOp(t, "Transpose", 13, nil, x))
	wantErr(t, "element 2 is float32[2 1]", "ConcatFromSequence", 11, attrs{"axis": 0, "new_axis": 1}, s)
	wantErr(t, "does not add up to 5", "SplitToSequence", 11, cut, x, indices(t, 1, 3))
	wantErr(t, "does not fit an axis of size 5", "SplitToSequence", 11, cut, x, indices(t, 6))
	wantErr(t, "want a positive size", "SplitToSequence", 11, cut, x, of(t, []int64{0}))
	wantErr(t, "the sequence is empty", "ConcatFromSequence", 11, attrs{"axis": 0}, tensor.SequenceOf(nil))
}

func TestOptionals(t *testing.T) {
	x := ramp(t, 2)
	full := runOp(t, "Optional", 15, nil, x)
	empty := runOp(t, "Optional", 15, nil)
	wantTensor(t, runOp(t, "OptionalGetElement", 15, nil, full), x)
	wantTensor(t, runOp(t, "OptionalGetElement", 18, nil, x), x)
	for want, in := range map[bool]*tensor.Tensor{true: full, false: empty} {
		wantTensor(t, runOp(t, "OptionalHasElement", 15, nil, in), of(t, []bool{want}))
	}
	wantTensor(t, runOp(t, "OptionalHasElement", 18, nil), of(t, []bool{false}))
	wantTensor(t, runOp(t, "OptionalHasElement", 18, nil, nil), of(t, []bool{false}))
	wantErr(t, "the optional is empty", "OptionalGetElement", 15, nil, empty)
}

func TestSequenceMap(t *testing.T) {
	c := newChain(t, nil)
	c.input("a", tensor.Float32, "2")
	c.input("b", tensor.Float32, "3")
	c.constant("two", of(t, []float32{2}))
	c.node("SequenceConstruct", 11, nil, "a b", "s", nil)
	b := body(t, c, "e", "f", "k")
	b.node("Mul", 14, nil, "e k", "p", nil)
	b.node("Add", 14, nil, "p f", "q", nil)
	b.outputs("q")
	c.node("SequenceMap", 17, nil, "s s two", "m", map[string]*graph.Graph{"body": b.g})
	c.constant("one", of(t, []int64{1}))
	c.node("SequenceAt", 11, nil, "m one", "y", nil)
	c.outputs("y")
	out := c.run(map[string]*tensor.Tensor{"a": of(t, []float32{1, 2}), "b": of(t, []float32{3, 4, 5})})
	wantTensor(t, out["y"], of(t, []float32{9, 12, 15}))
}
