package ops

import (
	"errors"
	"math"
	"slices"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func powers(l lib) []graph.Def {
	types := slices.Concat(floatTypes, dtypes{tensor.Int32, tensor.Int64})
	mk := func(a *graph.Attrs) (graph.Op, error) { return pow{l, types, readLegacyBroadcast(a)}, nil }
	return []graph.Def{
		{Op: "Pow", Since: 1, Types: types, New: mk},
		{Op: "Pow", Since: 7, Types: types, New: mk},
		{Op: "Mod", Since: 10, Types: numberTypes, New: func(a *graph.Attrs) (graph.Op, error) { return mod{l, a.Bool("fmod", false)}, nil }},
	}
}

// pow is x to the power e, of x's type. Two integers give an exact integer (but for overflow), else the power is
// computed in float64.
type pow struct {
	lib
	types  dtypes
	legacy legacyBroadcast
}

func (pow) InPlace() []int { return []int{0} }

func (o pow) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 2, 2); err != nil {
		return err
	}
	d, err := sameType(c, 0)
	if err != nil {
		return err
	}
	e, err := sameType(c, 1)
	if err != nil {
		return err
	}
	if err := checkType("base", d, o.types); err != nil {
		return err
	}
	if err := checkType("exponent", e, numberTypes); err != nil {
		return err
	}
	b, err := o.legacy.spec(c.In(0), c.In(1))
	if err != nil {
		return err
	}
	s, err := broadcastSpecs(d, c.In(0), b)
	c.Out(0, s)
	return err
}

func (o pow) Run(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d {
	case tensor.Float16, tensor.BFloat16:
		return o.asFloat32(c, o.Run)
	case tensor.Float32:
		return runPow[float32](c, o)
	case tensor.Float64:
		return runPow[float64](c, o)
	case tensor.Int32:
		return runPow[int32](c, o)
	case tensor.Int64:
		return runPow[int64](c, o)
	default:
		return graph.UnsupportedType("base", d)
	}
}

// powJob has the exponents as floats or as integers; square is for the exponent 2 alone.
type powJob[T number] struct {
	plan
	k       *backend.Kernels
	square  bool
	x, y    []T
	float   []float64
	integer []int64
}

func runPow[T interface {
	number
	tensor.Element
}](c *graph.RunCtx, o pow) error {
	x, e := c.In[0], c.In[1]
	j := graph.State[powJob[T]](c)
	j.init(c.Out[0].Shape(), x.Shape(), o.legacy.shape(x, e))
	j.k, j.x, j.y = o.k, tensor.View[T](x), tensor.View[T](c.Out[0])
	one, err := o.exponents(c, e, x.DType().IsInteger() && e.DType().IsInteger(), &j.float, &j.integer)
	if err != nil {
		return err
	}
	j.square = one && x.DType() == tensor.Float32 && j.float[0] == 2
	grain := grainCostly
	if j.square {
		grain = grainCheap
	}
	err = c.For(len(j.y), grain, j)
	j.x, j.y, j.integer = nil, nil, nil
	return err
}

// exponents brings the exponents to one of two types, and says whether there is just one.
func (o pow) exponents(c *graph.RunCtx, e *tensor.Tensor, ints bool, float *[]float64, integer *[]int64) (one bool, err error) {
	if ints {
		list, ok := graph.ConstInts(e)
		if !ok {
			return false, graph.UnsupportedType("exponent", e.DType())
		}
		*integer = list
		return len(list) == 1, nil
	}
	*float = castFrom(*float, e)
	return len(*float) == 1, nil
}

func (j *powJob[T]) Do(lo, hi int) {
	sx, se := j.stride[0][0], j.stride[1][0]
	j.each(lo, hi, func(at, n int, off [maxOperands]int) {
		y, x := j.y[at:at+n], operand(j.x, off[0], n, sx)
		if v, ok := any(y).([]float32); ok && j.square {
			w := any(x).([]float32)
			j.k.Binary(backend.Mul, v, w, w)
			return
		}
		for i := range y {
			base, k := x[min(i, len(x)-1)], off[1]+i*se
			if j.integer == nil {
				y[i] = floatPow(base, j.float[k])
			} else {
				y[i] = intPow(base, j.integer[k])
			}
		}
	})
}

func floatPow[T number](x T, e float64) T {
	p := math.Pow(float64(x), e)
	switch v := any(&x).(type) {
	case *int32:
		*v = truncate[int32](p)
		return x
	case *int64:
		*v = truncate[int64](p)
		return x
	}
	return T(p)
}

// intPow is x to the power e by squaring; a negative power is that of the real number, truncated.
func intPow[T number](x T, e int64) T {
	if e < 0 {
		switch x {
		case 1:
			return 1
		case 0:
			return 0
		}
		if x+1 == 0 && e&1 == 0 {
			return 1
		} else if x+1 == 0 {
			return x
		}
		return 0
	}
	y := T(1)
	for ; e > 0; e >>= 1 {
		if e&1 != 0 {
			y *= x
		}
		x *= x
	}
	return y
}

// mod is the remainder: with fmod of truncated division, with the sign of the dividend, else of floored division, with
// the sign of the divisor (integers only).
type mod struct {
	lib
	fmod bool
}

func (mod) InPlace() []int { return []int{0, 1} }

func (o mod) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 2, 2); err != nil {
		return err
	}
	d, err := sameType(c, 0, 1)
	if err != nil {
		return err
	}
	if err := checkType("input", d, numberTypes); err != nil {
		return err
	}
	if d.IsFloat() && !o.fmod {
		return errors.New("floating-point inputs want fmod=1")
	}
	s, err := broadcastSpecs(d, c.In(0), c.In(1))
	c.Out(0, s)
	return err
}

func (o mod) Run(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d {
	case tensor.Float32:
		return runFmod[float32](c)
	case tensor.Float64:
		return runFmod[float64](c)
	case tensor.Float16, tensor.BFloat16:
		return o.asFloat32(c, o.Run)
	case tensor.Int8:
		return runMod[int8](c, o.fmod)
	case tensor.Int16:
		return runMod[int16](c, o.fmod)
	case tensor.Int32:
		return runMod[int32](c, o.fmod)
	case tensor.Int64:
		return runMod[int64](c, o.fmod)
	case tensor.Uint8:
		return runMod[uint8](c, o.fmod)
	case tensor.Uint16:
		return runMod[uint16](c, o.fmod)
	case tensor.Uint32:
		return runMod[uint32](c, o.fmod)
	case tensor.Uint64:
		return runMod[uint64](c, o.fmod)
	default:
		return graph.UnsupportedType("input", d)
	}
}

func runFmod[T interface {
	float32 | float64
	tensor.Element
}](c *graph.RunCtx) error {
	return runBinary(c, c.Out[0], c.In[0], c.In[1], c.In[1].Shape(), grainCostly, func() (func(x, y T) T, func(dst, a, b []T)) {
		return func(x, y T) T { return T(math.Mod(float64(x), float64(y))) }, nil
	})
}

func runMod[T interface {
	integer
	tensor.Element
}](c *graph.RunCtx, fmod bool) error {
	for _, v := range tensor.View[T](c.In[1]) {
		if v == 0 {
			return errDivZero
		}
	}
	return runBinary(c, c.Out[0], c.In[0], c.In[1], c.In[1].Shape(), grainCheap, func() (func(x, y T) T, func(dst, a, b []T)) {
		return func(x, y T) T {
			r := x % y
			if !fmod && r != 0 && (r < 0) != (y < 0) {
				r += y
			}
			return r
		}, nil
	})
}
