package ops

import (
	"fmt"
	"slices"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func cumulatives(l lib) []graph.Def {
	types := slices.Concat(floatTypes, dtypes{tensor.Int32, tensor.Int64, tensor.Uint32, tensor.Uint64})
	def := func(name string, since int, product bool) graph.Def {
		return graph.Def{Op: name, Since: since, Types: types, New: func(a *graph.Attrs) (graph.Op, error) {
			return cumulative{l, product, a.Bool("exclusive", false), a.Bool("reverse", false), types}, nil
		}}
	}
	return []graph.Def{def("CumSum", 11, false), def("CumProd", 26, true)}
}

// cumulative is CumSum or CumProd along the axis in input 1: each element becomes the fold of those up to it, without
// itself when exclusive; from the end with reverse.
type cumulative struct {
	lib
	product   bool
	exclusive bool
	reverse   bool
	types     dtypes
}

func (o cumulative) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 2, 2); err != nil {
		return err
	}
	d, err := sameType(c, 0)
	if err != nil {
		return err
	}
	if err := checkType("input", d, o.types); err != nil {
		return err
	}
	if err := wantIndex(c, 1, "axis"); err != nil {
		return err
	}
	x := c.In(0)
	c.Out(0, x)
	if n := knownLen(c, 1); n != -1 && n != 1 || c.In(1).Rank() > 1 {
		return fmt.Errorf("axis is %v, want a scalar", c.In(1))
	}
	if axis, ok := constInts(c, 1); ok && x.Ranked {
		_, err = axisOf(axis[0], max(1, len(x.Dims)))
	}
	return err
}

func (o cumulative) Run(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d {
	case tensor.Float32:
		return runCumulative[float32](c, o)
	case tensor.Float64:
		return runCumulative[float64](c, o)
	case tensor.Float16, tensor.BFloat16:
		return o.asFloat32(c, o.Run)
	case tensor.Int32:
		return runCumulative[int32](c, o)
	case tensor.Int64:
		return runCumulative[int64](c, o)
	case tensor.Uint32:
		return runCumulative[uint32](c, o)
	case tensor.Uint64:
		return runCumulative[uint64](c, o)
	default:
		return graph.UnsupportedType("input", d)
	}
}

type cumulativeJob[T number] struct {
	product, exclusive, reverse bool
	x, y                        []T
	n, inner                    int
}

func runCumulative[T interface {
	number
	tensor.Element
}](c *graph.RunCtx, o cumulative) error {
	axis, err := axisOf(runInts(c.In[1])[0], max(1, c.In[0].Rank()))
	if err != nil {
		return err
	}
	outer, n, inner := splitAt(c.In[0].Shape(), int64(axis))
	j := graph.State[cumulativeJob[T]](c)
	*j = cumulativeJob[T]{o.product, o.exclusive, o.reverse, tensor.View[T](c.In[0]), tensor.View[T](c.Out[0]), n, inner}
	err = c.For(outer*inner, max(1, grainCheap/max(1, n)), j)
	*j = cumulativeJob[T]{}
	return err
}

func (j *cumulativeJob[T]) Do(lo, hi int) {
	for i := lo; i < hi; i++ {
		at, step := i/j.inner*j.n*j.inner+i%j.inner, j.inner
		if j.reverse {
			at, step = at+(j.n-1)*step, -step
		}
		var acc T
		if j.product {
			acc = 1
		}
		for range j.n {
			before := acc
			if j.product {
				acc *= j.x[at]
			} else {
				acc += j.x[at]
			}
			if j.exclusive {
				j.y[at] = before
			} else {
				j.y[at] = acc
			}
			at += step
		}
	}
}
