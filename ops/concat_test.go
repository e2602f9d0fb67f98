package ops

import (
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

func TestConcat(t *testing.T) {
	for _, d := range widths {
		for axis := -3; axis < 3; axis++ {
			a := (axis + 3) % 3
			one, two := []int{3, 4, 5}, []int{3, 4, 5}
			two[a] = 2
			x, y := numbered(t, d, one...), numbered(t, d, two...)
			empty := []int{3, 4, 5}
			empty[a] = 0
			z := runOp(t, "Concat", 13, attrs{"axis": axis}, x, numbered(t, d, empty...), y)
			shape := []int{3, 4, 5}
			shape[a] += 2
			// every part is a slice of the result
			cut := func(from, to int64) *tensor.Tensor {
				return runOp(t, "Slice", 13, nil, z, indices(t, from), indices(t, to), indices(t, int64(a)))
			}
			if got := z.Shape(); got[a] != shape[a] {
				t.Fatalf("got %v, want %v", got, shape)
			}
			same := func(p []int) []int { return p }
			wantMoved(t, cut(0, int64(one[a])), x, one, same)
			wantMoved(t, cut(int64(one[a]), 100), y, two, same)
		}
	}
	x := ramp(t, 2, 3)
	wantTensor(t, runOp(t, "Concat", 4, attrs{"axis": 1}, x), x)
	wantErr(t, "input 1 is float32[3 3], want size 2 on axis 0", "Concat", 13, attrs{"axis": 1}, x, ramp(t, 3, 3))
	wantErr(t, "want 2 dimensions", "Concat", 13, attrs{"axis": 1}, x, ramp(t, 2))
	wantErr(t, "input 1 is of type int64", "Concat", 13, attrs{"axis": 0}, x, indices(t, 1))
	wantErr(t, "out of range", "Concat", 13, attrs{"axis": 2}, x, x)
	wantErr(t, `attribute "axis" is missing`, "Concat", 13, nil, x, x)
}

func TestSplit(t *testing.T) {
	for _, d := range widths {
		x := numbered(t, d, 3, 7, 2)
		for _, c := range []struct {
			opset int
			at    attrs
			split []int64
			want  []int
		}{
			{7, attrs{"axis": 1, "split": []int{2, 5}}, nil, []int{2, 5}},
			{13, attrs{"axis": -2}, []int64{0, 3, 4}, []int{0, 3, 4}},
			{11, attrs{"axis": 0}, nil, []int{1, 1, 1}},
			{18, attrs{"axis": 1, "num_outputs": 3}, nil, []int{3, 3, 1}},
			{18, attrs{"axis": 1, "num_outputs": 4}, nil, []int{2, 2, 2, 1}},
		} {
			in := []*tensor.Tensor{x}
			if c.split != nil {
				in = append(in, indices(t, c.split...))
			}
			out, err := tryOp(t, "Split", c.opset, c.at, len(c.want), in...)
			if err != nil {
				t.Fatal(err)
			}
			a, at := 1, 0
			if c.at["axis"] == 0 {
				a = 0
			}
			for i, n := range c.want {
				shape := []int{3, 7, 2}
				shape[a] = n
				wantMoved(t, out[i], x, shape, func(pos []int) []int {
					p := []int{pos[0], pos[1], pos[2]}
					p[a] += at
					return p
				})
				at += n
			}
		}
	}
	x := ramp(t, 7)
	for _, c := range []struct {
		opset int
		at    attrs
		in    []*tensor.Tensor
		text  string
	}{
		{13, nil, nil, "does not split into 2 equal parts"},
		{13, nil, []*tensor.Tensor{indices(t, 3, 3)}, "adds up to 6, the axis has size 7"},
		{13, nil, []*tensor.Tensor{indices(t, 7)}, "has 1 sizes for 2 outputs"},
		{13, nil, []*tensor.Tensor{indices(t, -1, 8)}, "out of range"},
		{18, attrs{"num_outputs": 3}, nil, "num_outputs=3, but the node has 2 outputs"},
	} {
		_, err := tryOp(t, "Split", c.opset, c.at, 2, append([]*tensor.Tensor{x}, c.in...)...)
		wantErrText(t, err, c.text)
	}
}
