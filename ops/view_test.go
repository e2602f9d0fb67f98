package ops

import (
	"fmt"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

func indices(t *testing.T, v ...int64) *tensor.Tensor {
	t.Helper()
	return of(t, v, len(v))
}

func TestReshape(t *testing.T) {
	for _, c := range []struct {
		in    []int
		shape []int64
		allow int
		want  []int
		err   string
	}{
		{in: []int{2, 3, 4}, shape: []int64{4, 6}, want: []int{4, 6}},
		{in: []int{2, 3, 4}, shape: []int64{0, -1}, want: []int{2, 12}},
		{in: []int{2, 3, 4}, shape: []int64{-1}, want: []int{24}},
		{in: []int{2, 3, 4}, shape: []int64{0, 0, 2, -1}, want: []int{2, 3, 2, 2}},
		{in: []int{1, 1}, shape: []int64{}, want: []int{}},
		{in: []int{}, shape: []int64{1, -1}, want: []int{1, 1}},
		{in: []int{0, 3}, shape: []int64{3, 0}, allow: 1, want: []int{3, 0}},
		{in: []int{0, 3}, shape: []int64{0, -1}, want: []int{0, 3}},
		{in: []int{0, 3}, shape: []int64{-1, 3}, want: []int{0, 3}},
		{in: []int{2, 3}, shape: []int64{4, 2}, err: "cannot reshape float32[2 3] to [4 2]"},
		{in: []int{2, 3}, shape: []int64{4, -1}, err: "cannot reshape float32[2 3]"},
		{in: []int{2, 3}, shape: []int64{-1, -1}, err: "more than one -1"},
		{in: []int{2, 3}, shape: []int64{-2, 3}, err: "cannot reshape"},
		{in: []int{2, 3}, shape: []int64{2, 3, 0}, err: "copies axis 2 of float32[2 3]"},
		{in: []int{2, 3}, shape: []int64{1 << 40, 1 << 40}, err: "cannot reshape"},
	} {
		x := ramp(t, c.in...)
		at := attrs{}
		if c.allow == 1 {
			at["allowzero"] = 1
		}
		if c.err != "" {
			wantErr(t, c.err, "Reshape", 14, at, x, indices(t, c.shape...))
			continue
		}
		y := runOp(t, "Reshape", 14, at, x, indices(t, c.shape...))
		want, err := x.Reshape(c.want...)
		if err != nil {
			t.Fatal(err)
		}
		wantTensor(t, y, want)
	}
	wantTensor(t, runOp(t, "Reshape", 1, attrs{"shape": []int{3, 2}}, of(t, []string{"a", "b", "c", "d", "e", "f"}, 6)), of(t, []string{"a", "b", "c", "d", "e", "f"}, 3, 2))
}

func TestViews(t *testing.T) {
	for _, c := range []struct {
		op    string
		opset int
		at    attrs
		in    []int
		axes  []int64 // input 1, nil: none
		want  []int
		err   string
	}{
		{op: "Flatten", opset: 9, in: []int{2, 3, 4}, want: []int{2, 12}},
		{op: "Flatten", opset: 13, at: attrs{"axis": 0}, in: []int{2, 3}, want: []int{1, 6}},
		{op: "Flatten", opset: 13, at: attrs{"axis": 2}, in: []int{2, 3}, want: []int{6, 1}},
		{op: "Flatten", opset: 13, at: attrs{"axis": -1}, in: []int{2, 3, 4}, want: []int{6, 4}},
		{op: "Flatten", opset: 13, at: attrs{"axis": 0}, in: []int{}, want: []int{1, 1}},
		{op: "Flatten", opset: 13, at: attrs{"axis": 3}, in: []int{2, 3}, err: "axis 3 is out of range"},
		{op: "Squeeze", opset: 11, at: attrs{"axes": []int{0, -1}}, in: []int{1, 3, 1}, want: []int{3}},
		{op: "Squeeze", opset: 11, in: []int{1, 3, 1}, want: []int{3}},
		{op: "Squeeze", opset: 13, in: []int{1, 3, 1}, axes: []int64{2}, want: []int{1, 3}},
		{op: "Squeeze", opset: 13, in: []int{1, 3, 1}, axes: []int64{1}, err: "axis 1 of [1 3 1] is not of size 1"},
		{op: "Squeeze", opset: 13, in: []int{1, 3, 1}, axes: []int64{0, -3}, err: "name axis 0 twice"},
		{op: "Unsqueeze", opset: 11, at: attrs{"axes": []int{0, 3}}, in: []int{2, 3}, want: []int{1, 2, 3, 1}},
		{op: "Unsqueeze", opset: 13, in: []int{2, 3}, axes: []int64{-1, 1}, want: []int{2, 1, 3, 1}},
		{op: "Unsqueeze", opset: 13, in: []int{}, axes: []int64{0}, want: []int{1}},
		{op: "Unsqueeze", opset: 13, in: []int{2}, axes: []int64{3}, err: "out of range"},
		{op: "Identity", opset: 14, in: []int{0, 2}, want: []int{0, 2}},
	} {
		x := ramp(t, c.in...)
		in := []*tensor.Tensor{x}
		if c.axes != nil {
			in = append(in, indices(t, c.axes...))
		}
		if c.err != "" {
			wantErr(t, c.err, c.op, c.opset, c.at, in...)
			continue
		}
		want, err := x.Reshape(c.want...)
		if err != nil {
			t.Fatal(err)
		}
		wantTensor(t, runOp(t, c.op, c.opset, c.at, in...), want)
	}
}

func TestShapeAndSize(t *testing.T) {
	x := ramp(t, 2, 3, 0, 5)
	for _, c := range []struct {
		at   attrs
		want []int64
	}{
		{nil, []int64{2, 3, 0, 5}},
		{attrs{"start": 1}, []int64{3, 0, 5}},
		{attrs{"start": -2, "end": -1}, []int64{0}},
		{attrs{"start": -9, "end": 9}, []int64{2, 3, 0, 5}},
		{attrs{"start": 3, "end": 1}, []int64{}},
	} {
		wantTensor(t, runOp(t, "Shape", 15, c.at, x), indices(t, c.want...))
	}
	wantTensor(t, runOp(t, "Shape", 7, nil, of(t, []float32{1})), indices(t))
	wantTensor(t, runOp(t, "Size", 13, nil, x), of(t, []int64{0}))
	wantTensor(t, runOp(t, "Size", 13, nil, ramp(t, 2, 3)), of(t, []int64{6}))
}

// The way exporters write a reshape to heads: the batch and the sequence come from the input's own shape.
func TestShapeArithmetic(t *testing.T) {
	c := newChain(t, nil)
	c.input("x", tensor.Float32, "batch sequence 384")
	c.constant("i0", of(t, []int64{0}))
	c.constant("i1", indices(t, 1))
	c.constant("i2", indices(t, 2))
	c.constant("axes", indices(t, 0))
	c.constant("heads", indices(t, 12, 32))
	c.constant("rest", indices(t, -1))
	c.node("Shape", 17, nil, "x", "s", nil)
	c.node("Gather", 17, nil, "s i0", "b", nil)
	c.node("Unsqueeze", 17, nil, "b axes", "b1", nil)
	c.node("Slice", 17, nil, "s i1 i2 axes", "n1", nil)
	c.node("Concat", 17, attrs{"axis": 0}, "b1 n1 heads", "to", nil)
	c.node("Reshape", 17, nil, "x to", "y", nil)
	c.node("Transpose", 17, attrs{"perm": []int{0, 2, 1, 3}}, "y", "z", nil)
	c.node("Concat", 17, attrs{"axis": 0}, "b1 n1 rest", "back", nil)
	c.node("Reshape", 17, nil, "z back", "w", nil)
	c.node("Flatten", 17, attrs{"axis": 2}, "y", "f", nil)
	c.node("Expand", 17, nil, "b1 n1", "e", nil)
	c.node("ConstantOfShape", 17, nil, "n1", "k", nil)
	c.node("Squeeze", 17, nil, "n1 axes", "n", nil)
	c.constant("one", of(t, []int64{1}))
	c.node("Range", 17, nil, "i0 n one", "r", nil)
	c.node("Tile", 17, nil, "r n1", "tiles", nil)
	c.outputs("y z w f e k r tiles")
	c.infer()
	c.wantSpec("to", "int64[4]")
	c.wantSpec("y", "float32[batch sequence 12 32]")
	c.wantSpec("z", "float32[batch 12 sequence 32]")
	c.wantSpec("w", "float32[batch sequence 384]")
	c.wantSpec("f", "float32[? 384]")
	c.wantSpec("e", "int64[sequence]")
	c.wantSpec("k", "float32[sequence]")
	c.wantSpec("r", "int64[sequence]")
	c.wantSpec("tiles", "int64[?]")
	out := c.run(map[string]*tensor.Tensor{"x": ramp(t, 2, 3, 384)})
	for name, want := range map[string][]int{"y": {2, 3, 12, 32}, "z": {2, 12, 3, 32}, "w": {2, 3, 384}, "r": {3}, "tiles": {9}} {
		if got := out[name].Shape(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	wantTensor(t, out["tiles"], indices(t, 0, 1, 2, 0, 1, 2, 0, 1, 2))
}
