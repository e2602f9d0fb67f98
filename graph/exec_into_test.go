package graph

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

// intoGraph has outputs of every kind of memory: an input, views of it, of an output and of a constant, a constant, values
// that operators write and make, and one twice.
func intoGraph() *gb {
	b := newGB(nil)
	x := b.input("x", vec)
	shape := constant("shape", int64(2), 2)
	w := constant("w", float32(1), 2, 3, 4)
	s := b.sum(x, w)
	b.output(x, b.node(testReshape{}, "Reshape", x, shape), b.node(testReshape{}, "Reshape", s, shape), s, w,
		b.node(testReshape{}, "Reshape", w, shape), b.sum(s, x), b.nodes(testPositive{}, "Positive", 2, s).Out[0],
		b.node(testReshape{}, "Reshape", b.sum(x, x), shape))
	return b
}

// fresh makes tensors like the given ones, full of ones that no result has.
func fresh(like values) values {
	out := values{}
	for name, t := range like {
		c := t.Clone()
		for i := range c.Bytes() {
			c.Bytes()[i] = 0xee
		}
		out[name] = c
	}
	return out
}

func TestRunInto(t *testing.T) {
	e := executable(t, intoGraph())
	ctx := context.Background()
	for round := range 3 {
		in := values{"x": floats(1, float32(round), 3, 4)}
		want := mustRun(t, e, in)
		if err := e.RunInto(ctx, in, nil, nil); err != nil {
			t.Fatal(err)
		}
		for name, w := range want { // each alone
			out := fresh(values{name: w})
			if err := e.RunInto(ctx, in, out, nil); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(out[name].Bytes(), w.Bytes()) {
				t.Errorf("%s alone: got %v, want %v", name, tensor.View[float32](out[name]), tensor.View[float32](w))
			}
		}
		out := fresh(want)
		if err := e.RunInto(ctx, in, out, nil); err != nil {
			t.Fatal(err)
		}
		again := mustRun(t, e, values{"x": floats(9, 9, 9, 9)}) // must not touch the tensors of the run before
		for name, w := range want {
			if !slices.Equal(out[name].Bytes(), w.Bytes()) {
				t.Errorf("%s: got %v, want %v", name, tensor.View[float32](out[name]), tensor.View[float32](w))
			}
			if again[name].Overlaps(out[name]) {
				t.Errorf("%s of a later run shares memory with a caller's tensor", name)
			}
		}
	}
}

func TestRunIntoWritesThere(t *testing.T) {
	b := newGB(nil)
	x := b.input("x", vec)
	var wrote []*tensor.Tensor
	y := b.node(funcOp{likeInput, func(c *RunCtx) error {
		wrote = append(wrote, c.Out[0])
		c.In[0].CopyTo(c.Out[0])
		return nil
	}}, "Copy", x)
	b.output(b.node(testReshape{}, "Reshape", y, constant("shape", int64(2), 1)))
	e := executable(t, b)
	out, _ := tensor.Of([]float32{0, 0}, 2, 1)
	for range 2 {
		if err := e.RunInto(context.Background(), values{"x": floats(1, 2)}, values{e.graph.Outputs[0].Name: out}, nil); err != nil {
			t.Fatal(err)
		}
	}
	mustRun(t, e, values{"x": floats(1, 2)})
	if wrote[0] != wrote[1] || wrote[2] == wrote[0] || wrote[0].Bytes() != nil || tensor.View[float32](out)[1] != 2 {
		t.Errorf("the operator wrote to %v, result %v", wrote, tensor.View[float32](out))
	}
}

func TestRunIntoErrors(t *testing.T) {
	b := newGB(nil)
	x := b.input("x", vec)
	s := b.sum(x, x)
	b.output(s, b.nodes(testPositive{}, "Positive", 2, s).Out[0])
	e := executable(t, b)
	sum, pos := e.graph.Outputs[0].Name, e.graph.Outputs[1].Name
	in := floats(1, -2, 3)
	ints, _ := tensor.Of([]int64{1, 2, 3})
	three := floats(0, 0, 0)
	for _, c := range []struct {
		out  values
		want string
	}{
		{values{"other": three}, `no output is named "other" (there are: "` + sum + `", "` + pos + `")`},
		{values{sum: three, "other": three}, `no output is named "other"`},
		{values{sum: nil}, `output "` + sum + `" is to be written into a tensor, got unset`},
		{values{sum: tensor.SequenceOf(nil)}, "is to be written into a tensor"},
		{values{sum: floats(0)}, `output "` + sum + `" is float32[3], the tensor given for it float32[1]`},
		{values{sum: ints}, `the tensor given for it int64[3]`},
		{values{pos: three}, `output "` + pos + `" is float32[2], the tensor given for it float32[3]`}, // known at its end
		{values{sum: in}, `shares memory with input "x"`},
		{values{sum: three, pos: three}, "share memory"},
		{values{sum: three, pos: floats(0, 0)}, ""},
	} {
		err := e.RunInto(context.Background(), values{"x": in}, c.out, nil)
		var oe *OutputError
		switch {
		case c.want == "":
			if err != nil {
				t.Error(err)
			}
		case err == nil || !errors.As(err, &oe) || !strings.Contains(err.Error(), c.want):
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	var ie *InputError
	if err := e.RunInto(context.Background(), nil, nil, nil); !errors.As(err, &ie) {
		t.Errorf("got %v", err)
	}
}

func TestRunIntoAllocatesNothing(t *testing.T) {
	b := newGB(nil)
	x := b.input("x", vec)
	s := b.sum(x, x)
	b.output(s, b.node(testReshape{}, "Reshape", s, constant("shape", int64(2), 1)), x)
	e := executable(t, b)
	ctx, in := context.Background(), values{"x": floats(1, 2)}
	out := fresh(mustRun(t, e, in))
	if n := testing.AllocsPerRun(20, func() {
		if err := e.RunInto(ctx, in, out, nil); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
