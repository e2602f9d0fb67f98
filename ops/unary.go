package ops

import (
	"math"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// noKernel is the backend function of operators that it does not have.
const noKernel backend.Unary = 255

func unaryMath(l lib) []graph.Def {
	signed := append(floatTypes[:len(floatTypes):len(floatTypes)], signedTypes...)
	var defs []graph.Def
	for _, o := range []struct {
		name  string
		since int
		types dtypes
		kern  backend.Unary
		f     func(float64) float64
		ints  intFuncs
	}{
		{"Abs", 1, numberTypes, backend.Abs, math.Abs, intFuncs{func(x int64) int64 { return max(x, -x) }, func(x uint64) uint64 { return x }}},
		{"Neg", 1, signed, backend.Neg, func(x float64) float64 { return -x }, intFuncs{func(x int64) int64 { return -x }, nil}},
		{"Sign", 9, numberTypes, noKernel, sign, intFuncs{func(x int64) int64 { return min(max(x, -1), 1) }, func(x uint64) uint64 { return min(x, 1) }}},
		{"Ceil", 1, floatTypes, backend.Ceil, math.Ceil, intFuncs{}},
		{"Floor", 1, floatTypes, backend.Floor, math.Floor, intFuncs{}},
		{"Round", 11, floatTypes, backend.Round, math.RoundToEven, intFuncs{}},
		{"Sqrt", 1, floatTypes, backend.Sqrt, math.Sqrt, intFuncs{}},
		{"Reciprocal", 1, floatTypes, backend.Reciprocal, func(x float64) float64 { return 1 / x }, intFuncs{}},
		{"Exp", 1, floatTypes, backend.Exp, math.Exp, intFuncs{}},
		{"Log", 1, floatTypes, backend.Log, math.Log, intFuncs{}},
		{"Erf", 9, floatTypes, backend.Erf, math.Erf, intFuncs{}},
		{"Sin", 7, floatTypes, noKernel, math.Sin, intFuncs{}},
		{"Cos", 7, floatTypes, noKernel, math.Cos, intFuncs{}},
		{"Tan", 7, floatTypes, noKernel, math.Tan, intFuncs{}},
		{"Asin", 7, floatTypes, noKernel, math.Asin, intFuncs{}},
		{"Acos", 7, floatTypes, noKernel, math.Acos, intFuncs{}},
		{"Atan", 7, floatTypes, noKernel, math.Atan, intFuncs{}},
		{"Sinh", 9, floatTypes, noKernel, math.Sinh, intFuncs{}},
		{"Cosh", 9, floatTypes, noKernel, math.Cosh, intFuncs{}},
		{"Asinh", 9, floatTypes, noKernel, math.Asinh, intFuncs{}},
		{"Acosh", 9, floatTypes, noKernel, math.Acosh, intFuncs{}},
		{"Atanh", 9, floatTypes, noKernel, math.Atanh, intFuncs{}},
	} {
		u := unary{lib: l, types: o.types, kern: o.kern, f: o.f, ints: o.ints, grain: grainCheap}
		switch o.kern {
		case noKernel, backend.Exp, backend.Log, backend.Erf:
			u.grain = grainCostly
		}
		switch o.name {
		case "Sin":
			u.narrow = sin32
		case "Cos":
			u.narrow = cos32
		}
		defs = append(defs, graph.Def{Op: o.name, Since: o.since, Types: o.types, New: func(a *graph.Attrs) (graph.Op, error) {
			ignoreConsumed(a)
			return u, nil
		}})
	}
	return append(defs,
		graph.Def{Op: "IsNaN", Since: 9, New: l.newIsNaN, Types: inspectTypes},
		graph.Def{Op: "IsInf", Since: 10, New: l.newIsInf, Types: inspectTypes},
	)
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x // zero of either sign, NaN
}

// intFuncs compute an elementwise function for integers of any width; nil where there are none.
type intFuncs struct {
	signed   func(int64) int64
	unsigned func(uint64) uint64
}

// unary is an elementwise operator of one input: f for float64, and for float32 where the backend has no kernel.
type unary struct {
	lib
	types  dtypes
	kern   backend.Unary
	p0, p1 float32
	f      func(float64) float64
	narrow func(float32) float32 // f for float32; nil: f rounded
	ints   intFuncs
	grain  int
}

func (o unary) InPlace() []int { return []int{0} }

func (o unary) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 1, 1); err != nil {
		return err
	}
	return o.inferSame(c)
}

// inferSame gives output 0 the spec of input 0, whose type must be one of the operator's.
func (o unary) inferSame(c *graph.InferCtx) error {
	d, err := sameType(c, 0)
	if err != nil {
		return err
	}
	c.Out(0, c.In(0))
	return checkType("input", d, o.types)
}

func (o unary) Run(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d {
	case tensor.Float32:
		if o.kern != noKernel {
			return o.runUnary(c, o.kern, o.p0, o.p1, o.grain)
		}
		return runMap(c, o.grain, func() func(float32) float32 {
			if o.narrow != nil {
				return o.narrow
			}
			return func(x float32) float32 { return float32(o.f(float64(x))) }
		})
	case tensor.Float64:
		return runMap(c, o.grain, func() func(float64) float64 { return o.f })
	case tensor.Float16, tensor.BFloat16:
		return o.asFloat32(c, o.Run)
	case tensor.Int8:
		return runSigned[int8](c, o.ints)
	case tensor.Int16:
		return runSigned[int16](c, o.ints)
	case tensor.Int32:
		return runSigned[int32](c, o.ints)
	case tensor.Int64:
		return runSigned[int64](c, o.ints)
	case tensor.Uint8:
		return runUnsigned[uint8](c, o.ints)
	case tensor.Uint16:
		return runUnsigned[uint16](c, o.ints)
	case tensor.Uint32:
		return runUnsigned[uint32](c, o.ints)
	case tensor.Uint64:
		return runUnsigned[uint64](c, o.ints)
	default:
		return graph.UnsupportedType("input", d)
	}
}

func runSigned[T int8 | int16 | int32 | int64](c *graph.RunCtx, i intFuncs) error {
	return runMap(c, grainCheap, func() func(T) T {
		return func(x T) T { return T(i.signed(int64(x))) }
	})
}

func runUnsigned[T uint8 | uint16 | uint32 | uint64](c *graph.RunCtx, i intFuncs) error {
	return runMap(c, grainCheap, func() func(T) T {
		return func(x T) T { return T(i.unsigned(uint64(x))) }
	})
}

var inspectTypes = append(floatTypes[:len(floatTypes):len(floatTypes)], tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ, tensor.Float8E5M2, tensor.Float8E5M2FNUZ)

// inspect is IsNaN or IsInf.
type inspect struct{ is func(float64) bool }

func (l lib) newIsNaN(*graph.Attrs) (graph.Op, error) { return inspect{math.IsNaN}, nil }

func (l lib) newIsInf(a *graph.Attrs) (graph.Op, error) {
	neg, pos := a.Bool("detect_negative", true), a.Bool("detect_positive", true)
	return inspect{func(x float64) bool { return neg && math.IsInf(x, -1) || pos && math.IsInf(x, 1) }}, nil
}

func (o inspect) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 1, 1); err != nil {
		return err
	}
	d, err := sameType(c, 0)
	if err != nil {
		return err
	}
	s := c.In(0)
	s.DType = tensor.Bool
	c.Out(0, s)
	return checkType("input", d, inspectTypes)
}

func (o inspect) Run(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d {
	case tensor.Float32:
		return runMap(c, grainCheap, func() func(float32) bool {
			return func(x float32) bool { return o.is(float64(x)) }
		})
	case tensor.Float64:
		return runMap(c, grainCheap, func() func(float64) bool { return o.is })
	case tensor.Float16, tensor.BFloat16:
		return runMap(c, grainCheap, func() func(uint16) bool {
			return func(x uint16) bool { return o.is(float64(tensor.DecodeFloat(d, x))) }
		})
	default:
		return runMap(c, grainCheap, func() func(uint8) bool {
			return func(x uint8) bool { return o.is(float64(tensor.DecodeFloat(d, uint16(x)))) }
		})
	}
}
