package ops

import (
	"errors"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func argExtremes(l lib) []graph.Def {
	def := func(name string, since int, low bool) graph.Def {
		return graph.Def{Op: name, Since: since, Types: numberTypes, New: func(a *graph.Attrs) (graph.Op, error) {
			o := argExtreme{lib: l, low: low, axis: a.Int("axis", 0), keep: a.Bool("keepdims", true)}
			if a.Opset >= 12 {
				o.last = a.Bool("select_last_index", false)
			}
			return o, nil
		}}
	}
	return []graph.Def{def("ArgMax", 1, false), def("ArgMin", 1, true)}
}

// argExtreme is ArgMax or, with low, ArgMin: the first (or last) index of an extreme along an axis. NaN never counts.
type argExtreme struct {
	lib
	low  bool
	axis int64
	keep bool
	last bool
}

func (o argExtreme) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 1, 1); err != nil {
		return err
	}
	d, err := sameType(c, 0)
	if err != nil {
		return err
	}
	if err := checkType("input", d, numberTypes); err != nil {
		return err
	}
	x := c.In(0)
	if !x.Ranked {
		c.Out(0, tensor.Unranked(tensor.Int64))
		return nil
	}
	if len(x.Dims) == 0 {
		x.Dims = []tensor.Dim{tensor.Fixed(1)}
		o.keep = false
	}
	axis, err := axisOf(o.axis, len(x.Dims))
	if err != nil {
		return err
	}
	if x.Dims[axis].Size == 0 {
		return errors.New("the axis has no elements")
	}
	var dims []tensor.Dim
	dims = append(dims, x.Dims[:axis]...)
	if o.keep {
		dims = append(dims, tensor.Fixed(1))
	}
	c.Out(0, tensor.Ranked(tensor.Int64, append(dims, x.Dims[axis+1:]...)))
	return nil
}

func (o argExtreme) Run(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d {
	case tensor.Float32:
		return runArgExtreme[float32](c, o)
	case tensor.Float64:
		return runArgExtreme[float64](c, o)
	case tensor.Float16, tensor.BFloat16:
		return o.asFloat32(c, o.Run)
	case tensor.Int8:
		return runArgExtreme[int8](c, o)
	case tensor.Int16:
		return runArgExtreme[int16](c, o)
	case tensor.Int32:
		return runArgExtreme[int32](c, o)
	case tensor.Int64:
		return runArgExtreme[int64](c, o)
	case tensor.Uint8:
		return runArgExtreme[uint8](c, o)
	case tensor.Uint16:
		return runArgExtreme[uint16](c, o)
	case tensor.Uint32:
		return runArgExtreme[uint32](c, o)
	case tensor.Uint64:
		return runArgExtreme[uint64](c, o)
	default:
		return graph.UnsupportedType("input", d)
	}
}

type argJob[T number] struct {
	low, last bool
	x         []T
	y         []int64
	n, inner  int
}

func runArgExtreme[T interface {
	number
	tensor.Element
}](c *graph.RunCtx, o argExtreme) error {
	j := graph.State[argJob[T]](c)
	_, n, inner := splitAt(c.In[0].Shape(), o.axis)
	*j = argJob[T]{o.low, o.last, tensor.View[T](c.In[0]), tensor.View[int64](c.Out[0]), n, inner}
	err := c.For(len(j.y), max(1, grainCheap/max(1, n)), j)
	*j = argJob[T]{}
	return err
}

func (j *argJob[T]) Do(lo, hi int) {
	for i := lo; i < hi; i++ {
		at := i/j.inner*j.n*j.inner + i%j.inner
		best, idx := j.x[at], 0
		for k := 1; k < j.n; k++ {
			at += j.inner
			v := j.x[at]
			better := v > best
			if j.low {
				better = v < best
			}
			if better || best != best || j.last && v == best {
				best, idx = v, k
			}
		}
		j.y[i] = int64(idx)
	}
}

// splitAt returns the number of elements before, along and after an axis; all 1 for a scalar.
func splitAt(shape []int, axis int64) (outer, n, inner int) {
	a := int(axis)
	if a < 0 {
		a += len(shape)
	}
	outer, n, inner = 1, 1, 1
	for i, d := range shape {
		switch {
		case i < a:
			outer *= d
		case i == a:
			n = d
		default:
			inner *= d
		}
	}
	return outer, n, inner
}
