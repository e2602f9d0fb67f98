package ops

import (
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func logic(l lib) []graph.Def {
	var defs []graph.Def
	for _, o := range []struct {
		name  string
		f     comparison
		since []int // the second is the first version that broadcasts as numpy does
		types dtypes
	}{
		{"Equal", cmpEqual, []int{1, 7}, equalTypes},
		{"Greater", cmpGreater, []int{1, 7}, numberTypes},
		{"Less", cmpLess, []int{1, 7}, numberTypes},
		{"GreaterOrEqual", cmpGreaterOrEqual, []int{12}, numberTypes},
		{"LessOrEqual", cmpLessOrEqual, []int{12}, numberTypes},
		{"And", cmpAnd, []int{1, 7}, dtypes{tensor.Bool}},
		{"Or", cmpOr, []int{1, 7}, dtypes{tensor.Bool}},
		{"Xor", cmpXor, []int{1, 7}, dtypes{tensor.Bool}},
	} {
		for _, since := range o.since {
			defs = append(defs, graph.Def{Op: o.name, Since: since, Types: o.types, New: func(a *graph.Attrs) (graph.Op, error) {
				return compare{l, o.f, o.types, readLegacyBroadcast(a)}, nil
			}})
		}
	}
	return append(defs, graph.Def{Op: "Not", Since: 1, Types: dtypes{tensor.Bool}, New: func(*graph.Attrs) (graph.Op, error) { return not{}, nil }})
}

var equalTypes = append(numberTypes[:len(numberTypes):len(numberTypes)], tensor.Bool, tensor.String)

type comparison uint8

const (
	cmpEqual comparison = iota
	cmpGreater
	cmpLess
	cmpGreaterOrEqual
	cmpLessOrEqual
	cmpAnd
	cmpOr
	cmpXor
)

// compare is an operator of two inputs of one type with a bool result.
type compare struct {
	lib
	f      comparison
	types  dtypes
	legacy legacyBroadcast
}

func (o compare) InPlace() []int { return []int{0, 1} } // the executor finds the same type for bool inputs only

func (o compare) Infer(c *graph.InferCtx) error {
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
	b, err := o.legacy.spec(c.In(0), c.In(1))
	if err != nil {
		return err
	}
	s, err := broadcastSpecs(tensor.Bool, c.In(0), b)
	c.Out(0, s)
	return err
}

func (o compare) Run(c *graph.RunCtx) error {
	shapeB := o.legacy.shape(c.In[0], c.In[1])
	switch d := c.In[0].DType(); d {
	case tensor.Float32:
		return runOrdered[float32](c, shapeB, o.f)
	case tensor.Float64:
		return runOrdered[float64](c, shapeB, o.f)
	case tensor.Float16, tensor.BFloat16:
		return o.asFloat32(c, o.Run)
	case tensor.Int8:
		return runOrdered[int8](c, shapeB, o.f)
	case tensor.Int16:
		return runOrdered[int16](c, shapeB, o.f)
	case tensor.Int32:
		return runOrdered[int32](c, shapeB, o.f)
	case tensor.Int64:
		return runOrdered[int64](c, shapeB, o.f)
	case tensor.Uint8:
		return runOrdered[uint8](c, shapeB, o.f)
	case tensor.Uint16:
		return runOrdered[uint16](c, shapeB, o.f)
	case tensor.Uint32:
		return runOrdered[uint32](c, shapeB, o.f)
	case tensor.Uint64:
		return runOrdered[uint64](c, shapeB, o.f)
	case tensor.String:
		return runBinary(c, c.Out[0], c.In[0], c.In[1], shapeB, grainCheap,
			func() (func(x, y string) bool, func(dst []bool, a, b []string)) { return nil, equalRow[string] })
	case tensor.Bool:
		return runBinary(c, c.Out[0], c.In[0], c.In[1], shapeB, grainCheap,
			func() (func(x, y bool) bool, func(dst, a, b []bool)) { return nil, boolRow(o.f) })
	default:
		return graph.UnsupportedType("input", d)
	}
}

func runOrdered[T interface {
	number
	tensor.Element
}](c *graph.RunCtx, shapeB []int, f comparison) error {
	return runBinary(c, c.Out[0], c.In[0], c.In[1], shapeB, grainCheap,
		func() (func(x, y T) bool, func(dst []bool, a, b []T)) { return nil, orderedRow[T](f) })
}

func orderedRow[T number](f comparison) func(dst []bool, a, b []T) {
	switch f {
	case cmpEqual:
		return equalRow[T]
	case cmpGreater:
		return greaterRow[T]
	case cmpLess:
		return func(dst []bool, a, b []T) { greaterRow(dst, b, a) }
	case cmpGreaterOrEqual:
		return greaterOrEqualRow[T]
	}
	return func(dst []bool, a, b []T) { greaterOrEqualRow(dst, b, a) }
}

func boolRow(f comparison) func(dst []bool, a, b []bool) {
	if f == cmpEqual {
		return equalRow[bool]
	}
	return func(dst, a, b []bool) {
		if len(a) == 1 {
			a, b = b, a
		}
		if len(b) == 1 {
			boolWith(f, dst, a, b[0])
			return
		}
		a, b = a[:len(dst)], b[:len(dst)]
		switch f {
		case cmpAnd:
			for i, x := range a {
				dst[i] = b2i(x)&b2i(b[i]) != 0
			}
		case cmpOr:
			for i, x := range a {
				dst[i] = b2i(x)|b2i(b[i]) != 0
			}
		default:
			for i, x := range a {
				dst[i] = x != b[i]
			}
		}
	}
}

// boolWith is And, Or or Xor of each of a, which may be one for all, and y.
func boolWith(f comparison, dst, a []bool, y bool) {
	if f == cmpAnd && !y || f == cmpOr && y {
		for i := range dst {
			dst[i] = y
		}
		return
	}
	flip := f == cmpXor && y
	if len(a) == 1 {
		for i := range dst {
			dst[i] = a[0] != flip
		}
		return
	}
	for i, x := range a[:len(dst)] {
		dst[i] = x != flip
	}
}

// step is how far an operand of a row function moves from one element to the next.
func step[T any](s []T) int {
	if len(s) == 1 {
		return 0
	}
	return 1
}

func equalRow[T comparable](dst []bool, a, b []T) {
	if len(b) == 1 {
		y := b[0]
		sa := step(a)
		for i := range dst {
			dst[i] = a[i*sa] == y
		}
		return
	}
	sa := step(a)
	for i, y := range b {
		dst[i] = a[i*sa] == y
	}
}

func greaterRow[T number](dst []bool, a, b []T) {
	sa, sb := step(a), step(b)
	for i := range dst {
		dst[i] = a[i*sa] > b[i*sb]
	}
}

func greaterOrEqualRow[T number](dst []bool, a, b []T) {
	sa, sb := step(a), step(b)
	for i := range dst {
		dst[i] = a[i*sa] >= b[i*sb]
	}
}

type not struct{}

func (not) InPlace() []int { return []int{0} }

func (not) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 1, 1); err != nil {
		return err
	}
	d, err := sameType(c, 0)
	if err != nil {
		return err
	}
	c.Out(0, c.In(0))
	return checkType("input", d, dtypes{tensor.Bool})
}

func (not) Run(c *graph.RunCtx) error {
	return runMap(c, grainCheap, func() func(bool) bool { return func(x bool) bool { return !x } })
}
