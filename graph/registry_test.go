package graph

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/qrun-onnx/qrun/internal/par"
	"github.com/qrun-onnx/qrun/tensor"
)

// testOp is an operator of the tests' registry.
type testOp struct {
	infer func(c *InferCtx) error
	run   func(c *RunCtx) error
}

func (o testOp) Infer(c *InferCtx) error { return o.infer(c) }
func (o testOp) Run(c *RunCtx) error     { return o.run(c) }

type impureOp struct{ testOp }

func (impureOp) Impure() {}

func def(op string, since int, mk func(a *Attrs) Op) Def {
	return Def{Op: op, Since: since, New: func(a *Attrs) (Op, error) { return mk(a), nil }}
}

// testDefs are enough operators, on float32 and int64, to build the graphs of the tests.
func testDefs() []Def {
	defs := []Def{
		def("Identity", 1, func(*Attrs) Op { return testOp{inferSame, runCopy} }),
		def("Dropout", 13, func(a *Attrs) Op { a.Ignore("seed"); return testOp{inferSame, runCopy} }),
		def("Shape", 1, func(*Attrs) Op { return testOp{inferShape, runShape} }),
		def("Gather", 1, func(a *Attrs) Op { a.Int("axis", 0); return testOp{inferGather, runGather} }),
		def("Unsqueeze", 13, func(*Attrs) Op { return testOp{inferUnsqueeze, runCopy} }),
		def("Concat", 4, func(a *Attrs) Op { a.Int("axis", 0); return testOp{inferConcat, runConcat} }),
		def("Reshape", 5, func(*Attrs) Op { return testOp{inferReshape, runCopy} }),
		def("Transpose", 1, newTestTranspose),
		def("Cast", 6, newTestCast),
		def("MatMul", 1, func(*Attrs) Op { return testOp{inferMatMul, runMatMul} }),
		def("NonZero", 9, func(*Attrs) Op { return testOp{inferNonZero, runNonZero} }),
		def("If", 1, newTestIf),
		def("Expand", 8, func(*Attrs) Op { return testOp{inferExpand, runFill} }),
		def("DequantizeLinear", 10, func(a *Attrs) Op { a.Int("axis", 1); return testOp{inferDequantize, runDequantize} }),
		def("LeakyRelu", 6, func(a *Attrs) Op {
			alpha := a.Float("alpha", 0.01)
			return unary(func(x float32) float32 { return max(x, 0) + float32(alpha*min(x, 0)) })
		}),
		{Op: "RandomNormalLike", Since: 1, New: func(*Attrs) (Op, error) { return impureOp{testOp{inferSame, runCopy}}, nil }},
	}
	for name, f := range map[string]func(a, b float32) float32{
		"Add": func(a, b float32) float32 { return a + b }, "Sub": func(a, b float32) float32 { return a - b },
		"Mul": func(a, b float32) float32 { return a * b }, "Div": func(a, b float32) float32 { return a / b },
		"Pow": func(a, b float32) float32 { return float32(math.Pow(float64(a), float64(b))) },
	} {
		defs = append(defs, def(name, 7, func(*Attrs) Op { return binary(f) }))
	}
	for name, f := range map[string]func(x float64) float64{
		"Relu": func(x float64) float64 { return max(x, 0) }, "Sqrt": math.Sqrt, "Erf": math.Erf, "Tanh": math.Tanh,
		"Sigmoid": func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, "Neg": func(x float64) float64 { return -x },
		"Reciprocal": func(x float64) float64 { return 1 / x },
	} {
		defs = append(defs, def(name, 6, func(*Attrs) Op { return unary(func(x float32) float32 { return float32(f(float64(x))) }) }))
	}
	return defs
}

func testRegistry(t testing.TB, more ...Def) *Registry {
	t.Helper()
	r, err := NewRegistry(append(testDefs(), more...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func inferSame(c *InferCtx) error { c.Out(0, c.In(0)); return nil }

func runCopy(c *RunCtx) error { copy(c.Out[0].Bytes(), c.In[0].Bytes()); return nil }

func unary(f func(float32) float32) Op {
	return testOp{inferSame, func(c *RunCtx) error {
		x, y := tensor.View[float32](c.In[0]), tensor.View[float32](c.Out[0])
		return c.For(len(x), 1, par.Func(func(lo, hi int) {
			for i := lo; i < hi; i++ {
				y[i] = f(x[i])
			}
		}))
	}}
}

// binary broadcasts scalars and trailing dimensions, which is all that the tests need.
func binary(f func(a, b float32) float32) Op {
	return testOp{func(c *InferCtx) error {
		a, b := c.In(0), c.In(1)
		if a.DType != b.DType {
			return fmt.Errorf("types %v and %v", a.DType, b.DType)
		}
		if !a.Ranked || !b.Ranked {
			c.Out(0, tensor.Unranked(a.DType))
			return nil
		}
		if len(a.Dims) < len(b.Dims) {
			a, b = b, a
		}
		dims := append([]tensor.Dim{}, a.Dims...)
		for i := range b.Dims {
			k := len(dims) - len(b.Dims) + i
			switch x, y := dims[k], b.Dims[i]; {
			case x == tensor.Fixed(1):
				dims[k] = y
			case y == tensor.Fixed(1) || x == y || y.Size < 0:
			case x.Size >= 0:
				return fmt.Errorf("dimensions %v and %v", x, y)
			}
		}
		c.Out(0, tensor.Ranked(a.DType, dims))
		return nil
	}, func(c *RunCtx) error {
		a, b, y := c.In[0], c.In[1], c.Out[0]
		out := tensor.View[float32](y)
		for i := range out {
			out[i] = f(tensor.View[float32](a)[broadcastAt(a.Shape(), y.Shape(), i)], tensor.View[float32](b)[broadcastAt(b.Shape(), y.Shape(), i)])
		}
		return nil
	}}
}

func broadcastAt(shape, out []int, i int) int {
	at, stride := 0, 1
	for k := len(out) - 1; k >= 0; k-- {
		x := i % out[k]
		i /= out[k]
		if j := k - len(out) + len(shape); j >= 0 {
			if shape[j] > 1 {
				at += x * stride
			}
			stride *= shape[j]
		}
	}
	return at
}

func inferShape(c *InferCtx) error {
	if s := c.In(0); s.Ranked {
		c.Out(0, tensor.SpecOf(tensor.Int64, len(s.Dims)))
		c.OutInts(0, s.Dims)
		return nil
	}
	c.Out(0, tensor.Ranked(tensor.Int64, []tensor.Dim{tensor.AnyDim}))
	return nil
}

func runShape(c *RunCtx) error {
	for i, d := range c.In[0].Shape() {
		tensor.View[int64](c.Out[0])[i] = int64(d)
	}
	return nil
}

// inferGather knows a scalar or one-dimensional index on axis 0.
func inferGather(c *InferCtx) error {
	x, i := c.In(0), c.In(1)
	if !x.Ranked || !i.Ranked {
		c.Out(0, tensor.Unranked(x.DType))
		return nil
	}
	c.Out(0, tensor.Ranked(x.DType, append(append([]tensor.Dim{}, i.Dims...), x.Dims[1:]...)))
	ints, ok := c.Ints(0)
	if idx := c.Const(1); ok && idx != nil {
		var dims []tensor.Dim
		for _, k := range tensor.View[int64](idx) {
			if k < 0 {
				k += int64(len(ints))
			}
			dims = append(dims, ints[k])
		}
		c.OutInts(0, dims)
	}
	return nil
}

func runGather(c *RunCtx) error {
	row := len(c.In[0].Bytes()) / max(c.In[0].Shape()[0], 1)
	for i, k := range tensor.View[int64](c.In[1]) {
		if k < 0 {
			k += int64(c.In[0].Shape()[0])
		}
		copy(c.Out[0].Bytes()[i*row:(i+1)*row], c.In[0].Bytes()[int(k)*row:])
	}
	return nil
}

func inferUnsqueeze(c *InferCtx) error {
	c.Out(0, tensor.Ranked(c.In(0).DType, append([]tensor.Dim{tensor.Fixed(1)}, c.In(0).Dims...)))
	if ints, ok := c.Ints(0); ok {
		c.OutInts(0, ints)
	}
	return nil
}

func inferConcat(c *InferCtx) error {
	n, all := 0, []tensor.Dim{}
	for i := range c.NumIn() {
		n += c.In(i).Dims[0].Size
		if ints, ok := c.Ints(i); ok {
			all = append(all, ints...)
		}
	}
	dims := append([]tensor.Dim{tensor.Fixed(n)}, c.In(0).Dims[1:]...)
	c.Out(0, tensor.Ranked(c.In(0).DType, dims))
	if len(all) == n {
		c.OutInts(0, all)
	}
	return nil
}

func runConcat(c *RunCtx) error {
	at := 0
	for _, t := range c.In {
		at += copy(c.Out[0].Bytes()[at:], t.Bytes())
	}
	return nil
}

func inferReshape(c *InferCtx) error {
	if dims, ok := c.Ints(1); ok {
		c.Out(0, tensor.Ranked(c.In(0).DType, append([]tensor.Dim{}, dims...)))
		return nil
	}
	c.Out(0, tensor.Unranked(c.In(0).DType))
	return nil
}

func inferExpand(c *InferCtx) error { return inferReshape(c) }

func runFill(c *RunCtx) error {
	for i := range c.Out[0].Bytes() {
		c.Out[0].Bytes()[i] = c.In[0].Bytes()[i%len(c.In[0].Bytes())]
	}
	return nil
}

func newTestTranspose(a *Attrs) Op {
	perm := a.Ints("perm")
	return testOp{func(c *InferCtx) error {
		x := c.In(0)
		if !x.Ranked {
			c.Out(0, x)
			return nil
		}
		dims := make([]tensor.Dim, len(x.Dims))
		for i := range dims {
			dims[i] = x.Dims[permAt(perm, i, len(dims))]
		}
		c.Out(0, tensor.Ranked(x.DType, dims))
		return nil
	}, func(c *RunCtx) error {
		in, out := c.In[0], c.Out[0]
		stride := make([]int, in.Rank())
		for i, n := in.Rank()-1, 1; i >= 0; i-- {
			stride[i], n = n, n*in.Shape()[i]
		}
		for i := range out.Len() {
			at := 0
			for k, r := out.Rank()-1, i; k >= 0; k-- {
				at += r % out.Shape()[k] * stride[permAt(perm, k, out.Rank())]
				r /= out.Shape()[k]
			}
			tensor.View[float32](out)[i] = tensor.View[float32](in)[at]
		}
		return nil
	}}
}

func permAt(perm []int64, i, rank int) int {
	if perm == nil {
		return rank - 1 - i
	}
	return int(perm[i])
}

func newTestCast(a *Attrs) Op {
	to := tensor.DType(a.Int("to", 1))
	return testOp{func(c *InferCtx) error { s := c.In(0); s.DType = to; c.Out(0, s); return nil }, func(c *RunCtx) error {
		switch {
		case c.In[0].DType() == to:
			return runCopy(c)
		case to == tensor.Float32:
			ints, ok := ConstInts(c.In[0])
			if !ok {
				return errors.New("no integers")
			}
			for i, v := range ints {
				tensor.View[float32](c.Out[0])[i] = float32(v)
			}
			return nil
		}
		return UnsupportedType("Cast", to)
	}}
}

func inferMatMul(c *InferCtx) error {
	a, b := c.In(0), c.In(1)
	if !a.Ranked || !b.Ranked {
		c.Out(0, tensor.Unranked(a.DType))
		return nil
	}
	if k, l := a.Dims[len(a.Dims)-1], b.Dims[0]; k.Size >= 0 && l.Size >= 0 && k != l {
		return fmt.Errorf("inner dimensions %v and %v differ", k, l)
	}
	c.Out(0, tensor.Ranked(a.DType, append(append([]tensor.Dim{}, a.Dims[:len(a.Dims)-1]...), b.Dims[1])))
	return nil
}

func runMatMul(c *RunCtx) error {
	a, b, y := tensor.View[float32](c.In[0]), tensor.View[float32](c.In[1]), tensor.View[float32](c.Out[0])
	k, n := c.In[1].Shape()[0], c.In[1].Shape()[1]
	for i := range y {
		for j := range k {
			y[i] += float32(a[i/n*k+j] * b[j*n+i%n])
		}
	}
	return nil
}

func inferNonZero(c *InferCtx) error {
	c.Out(0, tensor.Ranked(tensor.Int64, []tensor.Dim{tensor.Fixed(c.In(0).Rank()), tensor.AnyDim}))
	return nil
}

func runNonZero(c *RunCtx) error {
	var at []int64
	for i, v := range tensor.View[float32](c.In[0]) {
		if v != 0 {
			at = append(at, int64(i))
		}
	}
	t, err := c.Alloc(0, tensor.Int64, 1, len(at))
	if err == nil {
		copy(tensor.View[int64](t), at)
	}
	return err
}

func newTestIf(a *Attrs) Op {
	a.Graph("then_branch")
	a.Graph("else_branch")
	return testOp{func(c *InferCtx) error {
		x, err := c.InferBody("then_branch", nil, nil)
		if err != nil {
			return err
		}
		if _, err := c.InferBody("else_branch", nil, nil); err != nil {
			return err
		}
		for i, s := range x {
			c.Out(i, s)
		}
		return nil
	}, func(c *RunCtx) error {
		name := "else_branch"
		if tensor.View[bool](c.In[0])[0] {
			name = "then_branch"
		}
		out, err := c.RunBody(name, nil)
		for i, t := range out {
			c.Set(i, t)
		}
		return err
	}}
}

func inferDequantize(c *InferCtx) error {
	s := c.In(0)
	s.DType = tensor.Float32
	c.Out(0, s)
	return nil
}

func runDequantize(c *RunCtx) error {
	for i, v := range tensor.View[int8](c.In[0]) {
		tensor.View[float32](c.Out[0])[i] = float32(v) * tensor.View[float32](c.In[1])[0]
	}
	return nil
}
