package ops

import (
	"github.com/qrun-onnx/qrun/graph"
)

type bitFunc uint8

const (
	bitAnd bitFunc = iota
	bitOr
	bitXor
	bitLeft
	bitRight
)

func bits(l lib) []graph.Def {
	def := func(name string, f bitFunc) graph.Def {
		return graph.Def{Op: name, Since: 18, Types: intTypes, New: func(*graph.Attrs) (graph.Op, error) { return bitwise{f, intTypes}, nil }}
	}
	return []graph.Def{
		def("BitwiseAnd", bitAnd), def("BitwiseOr", bitOr), def("BitwiseXor", bitXor),
		{Op: "BitwiseNot", Since: 18, Types: intTypes, New: func(*graph.Attrs) (graph.Op, error) {
			return unary{types: intTypes, ints: intFuncs{func(x int64) int64 { return ^x }, func(x uint64) uint64 { return ^x }}}, nil
		}},
		{Op: "BitShift", Since: 11, Types: uintTypes, New: func(a *graph.Attrs) (graph.Op, error) {
			a.Require("direction")
			f := bitLeft
			if a.OneOf("direction", "LEFT", "RIGHT") == "RIGHT" {
				f = bitRight
			}
			return bitwise{f, uintTypes}, nil
		}},
	}
}

// bitwise is an operator on the bits of two integers. A shift by the width or more gives 0.
type bitwise struct {
	f     bitFunc
	types dtypes
}

func (bitwise) InPlace() []int { return []int{0, 1} }

func (o bitwise) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 2, 2); err != nil {
		return err
	}
	d, err := sameType(c, 0, 1)
	if err != nil {
		return err
	}
	if err := checkType("input", d, o.types); err != nil {
		return err
	}
	s, err := broadcastSpecs(d, c.In(0), c.In(1))
	c.Out(0, s)
	return err
}

// Run works on unsigned integers: the bits of signed ones are the same.
func (o bitwise) Run(c *graph.RunCtx) error {
	switch c.In[0].DType().Size() {
	case 1:
		return runBits[uint8](c, o.f)
	case 2:
		return runBits[uint16](c, o.f)
	case 4:
		return runBits[uint32](c, o.f)
	default:
		return runBits[uint64](c, o.f)
	}
}

func runBits[T uint8 | uint16 | uint32 | uint64](c *graph.RunCtx, f bitFunc) error {
	return runBinary(c, c.Out[0], c.In[0], c.In[1], c.In[1].Shape(), grainCheap, func() (func(x, y T) T, func(dst, a, b []T)) {
		switch f {
		case bitAnd:
			return func(x, y T) T { return x & y }, nil
		case bitOr:
			return func(x, y T) T { return x | y }, nil
		case bitXor:
			return func(x, y T) T { return x ^ y }, nil
		case bitLeft:
			return func(x, y T) T { return x << y }, nil
		}
		return func(x, y T) T { return x >> y }, nil
	})
}
