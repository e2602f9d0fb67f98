package graph

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

func TestInputErrors(t *testing.T) {
	b := newGB(nil)
	ids := b.input("input_ids", tensor.Ranked(tensor.Int64, []tensor.Dim{{Name: "batch", Size: -1}, {Name: "batch", Size: -1}}))
	mask := b.input("mask", tensor.SpecOf(tensor.Float32, 2))
	b.output(b.node(testPass{}, "Pass", ids), b.node(testScale{}, "Scale", mask, constant("weights", float32(1))))
	e := executable(t, b)
	good, _ := tensor.Of(make([]int64, 6), 2, 3)
	bad, _ := tensor.New(tensor.Float32, 1, 128)
	two := floats(0, 0)
	for _, c := range []struct {
		in   values
		want string
	}{
		{values{"input_ids": good, "mask": two}, ""},
		{values{"input_ids": bad, "mask": two}, `input "input_ids" wants int64[batch batch], got float32[1 128]`},
		{values{"input_ids": floats(1), "mask": two}, `input "input_ids" wants int64[batch batch], got float32[1]`},
		{values{"input_ids": good}, `input "mask" is missing, it wants float32[2]`},
		{values{"input_ids": nil, "mask": two}, `input "input_ids" is missing, it wants int64[batch batch]`},
		{nil, `input "input_ids" is missing, it wants int64[batch batch]; input "mask" is missing, it wants float32[2]`},
		{values{"input_ids": good, "mask": two, "weights": two}, `input "weights" is a constant of the model`},
		{values{"ids": good, "mask": two}, `no input is named "ids" (there are: "input_ids", "mask")`},
		{values{"input_ids": good, "mask": floats(1)}, `input "mask" wants float32[2], got float32[1]`},
		{values{"input_ids": tensor.SequenceOf(nil), "mask": two}, `input "input_ids" wants int64[batch batch], got sequence(?)`},
		{values{"input_ids": good, "mask": two, "ids": good}, `no input is named "ids" (there are: "input_ids", "mask")`},
	} {
		_, err := e.Run(context.Background(), c.in, nil)
		switch {
		case c.want == "":
			if err != nil {
				t.Error(err)
			}
		case err == nil || err.Error() != c.want:
			t.Errorf("got %v, want %s", err, c.want)
		default:
			var ie *InputError
			if !errors.As(err, &ie) {
				t.Errorf("%v is no *InputError", err)
			}
		}
	}
}

func TestNodeErrors(t *testing.T) {
	failing := errors.New("out of luck")
	for _, c := range []struct {
		name string
		op   Op
		want string
	}{
		{"run", funcOp{likeInput, func(*RunCtx) error { return failing }}, "Bad \"Bad_1\": out of luck\n      inputs: Sum_0:0 float32[2], x float32[2]"},
		{"infer", funcOp{func(c *InferCtx) error {
			if c.In(0).Complete() {
				return failing
			}
			return nil
		}, nil}, "Bad \"Bad_1\": out of luck\n      inputs: Sum_0:0 float32[2], x float32[2]"},
		{"panic", funcOp{likeInput, func(c *RunCtx) error { _ = c.In[9]; return nil }}, "index out of range"},
		{"panic in a loop", funcOp{likeInput, func(c *RunCtx) error {
			return c.For(1000, 1, parFunc(func(lo, hi int) { panic("in the loop") }))
		}}, "in the loop"},
		{"unset", funcOp{func(*InferCtx) error { return nil }, func(*RunCtx) error { return nil }}, "left output 0 unset"},
		{"another shape", funcOp{likeInput, func(c *RunCtx) error { c.Set(0, floats(1, 2, 3)); return nil }}, "output 0 is float32[3], and was inferred as float32[2]"},
	} {
		b := newGB(nil)
		x := b.input("x", vec)
		b.output(b.node(c.op, "Bad", b.sum(x, x), x))
		e := executable(t, b)
		_, err := e.Run(context.Background(), values{"x": floats(1, 2)}, nil)
		var ne *NodeError
		if err == nil || !errors.As(err, &ne) || !strings.Contains(err.Error(), c.want) || ne.Node != "Bad_1" {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
			continue
		}
		if strings.HasPrefix(c.name, "panic") && !strings.Contains(string(ne.Stack), "TestNodeErrors") {
			t.Errorf("%s: stack %q", c.name, ne.Stack)
		}
	}
}

type parFunc func(lo, hi int)

func (f parFunc) Do(lo, hi int) { f(lo, hi) }

func TestCancel(t *testing.T) {
	b := newGB(nil)
	x := b.input("x", vec)
	ctx, cancel := context.WithCancel(context.Background())
	y := b.node(funcOp{likeInput, func(c *RunCtx) error { cancel(); return nil }}, "Cancel", x)
	b.output(b.node(funcOp{likeInput, func(c *RunCtx) error { t.Error("a node ran after the cancellation"); return nil }}, "Never", y))
	e := executable(t, b)
	for range 2 {
		if _, err := e.Run(ctx, values{"x": floats(1)}, nil); err != context.Canceled {
			t.Errorf("got %v", err)
		}
	}
}

func TestHugeValueIsAnError(t *testing.T) {
	b := newGB(nil)
	b.output(b.node(testFill{1}, "Fill", b.input("shape", tensor.SpecOf(tensor.Int64, 2))))
	e := executable(t, b)
	for _, n := range []int64{math.MaxInt32, math.MaxInt} {
		shape, _ := tensor.Of([]int64{n, n})
		if _, err := e.Run(context.Background(), values{"shape": shape}, nil); err == nil || !strings.Contains(err.Error(), "too ") {
			t.Errorf("got %v", err)
		}
	}
}
