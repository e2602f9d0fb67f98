package ops

import (
	"math"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

func TestSlice(t *testing.T) {
	for _, d := range widths {
		x := numbered(t, d, 5, 6, 7)
		for _, c := range []struct {
			starts, ends, axes, steps []int64
			shape, first, step        []int
		}{
			{[]int64{1, 0}, []int64{4, 3}, nil, nil, []int{3, 3, 7}, []int{1, 0, 0}, []int{1, 1, 1}},
			{[]int64{-3}, []int64{math.MaxInt64}, []int64{-1}, nil, []int{5, 6, 3}, []int{0, 0, 4}, []int{1, 1, 1}},
			{[]int64{0, 1}, []int64{100, -1}, []int64{2, 1}, []int64{3, 2}, []int{5, 2, 3}, []int{0, 1, 0}, []int{1, 2, 3}},
			{[]int64{-1}, []int64{math.MinInt64}, []int64{0}, []int64{-1}, []int{5, 6, 7}, []int{4, 0, 0}, []int{-1, 1, 1}},
			{[]int64{-1}, []int64{math.MaxInt64}, []int64{0}, []int64{-1}, []int{5, 6, 7}, []int{4, 0, 0}, []int{-1, 1, 1}},
			{[]int64{5}, []int64{0}, []int64{2}, []int64{-2}, []int{5, 6, 3}, []int{0, 0, 5}, []int{1, 1, -2}},
			{[]int64{4}, []int64{2}, []int64{1}, nil, []int{5, 0, 7}, []int{0, 0, 0}, []int{1, 1, 1}},
			{[]int64{2}, []int64{math.MaxInt64}, []int64{1}, []int64{math.MaxInt64}, []int{5, 1, 7}, []int{0, 2, 0}, []int{1, 1, 1}},
			{[]int64{2}, []int64{math.MinInt64}, []int64{1}, []int64{math.MinInt64}, []int{5, 1, 7}, []int{0, 2, 0}, []int{1, 1, 1}},
		} {
			in := []*tensor.Tensor{x, indices(t, c.starts...), indices(t, c.ends...), nil, nil}
			if c.axes != nil {
				in[3] = indices(t, c.axes...)
			}
			if c.steps != nil {
				in[4] = indices(t, c.steps...)
			}
			wantMoved(t, runOp(t, "Slice", 13, nil, in...), x, c.shape, func(pos []int) []int {
				p := make([]int, 3)
				for a := range p {
					p[a] = c.first[a] + pos[a]*c.step[a]
				}
				return p
			})
		}
	}
	x := ramp(t, 5, 6)
	y := runOp(t, "Slice", 7, attrs{"starts": []int{1}, "ends": []int{-1}, "axes": []int{1}}, x)
	wantMoved(t, y, x, []int{5, 4}, func(p []int) []int { return []int{p[0], p[1] + 1} })
	one := indices(t, 1)
	wantErr(t, "steps [0] have a 0", "Slice", 13, nil, x, one, one, one, indices(t, 0))
	wantErr(t, "name axis 1 twice", "Slice", 13, nil, x, indices(t, 0, 0), indices(t, 1, 1), indices(t, 1, -1))
	wantErr(t, "differ in length", "Slice", 13, nil, x, one, indices(t, 1, 2))
	wantErr(t, "out of range", "Slice", 13, nil, x, one, one, indices(t, 2))
	wantErr(t, "want [int64 int32]", "Slice", 13, nil, x, of(t, []float32{1}, 1), one)
}

func TestSliceInference(t *testing.T) {
	c := newChain(t, nil)
	c.input("x", tensor.Float32, "batch 512")
	c.input("y", tensor.Float32, "? sequence")
	c.constant("zero", indices(t, 0))
	c.constant("one", indices(t, 1))
	c.constant("two", indices(t, 2))
	c.constant("all", indices(t, math.MaxInt64))
	c.node("Shape", 17, nil, "y", "s", nil)
	c.node("Slice", 17, nil, "s one two zero", "n", nil)
	c.node("Slice", 17, nil, "x zero n one", "cut", nil)
	c.node("Slice", 17, nil, "y zero all one", "whole", nil)
	c.node("Slice", 17, nil, "y one all one", "less", nil)
	c.infer()
	c.wantSpec("cut", "float32[batch sequence]")
	c.wantSpec("whole", "float32[? sequence]")
	c.wantSpec("less", "float32[? ?]")
}
