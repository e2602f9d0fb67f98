package ops

import (
	"fmt"
	"slices"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

type reduceKind uint8

const (
	reduceSum reduceKind = iota
	reduceMean
	reduceMax
	reduceMin
	reduceProd
	reduceL1
	reduceL2
	reduceLogSum
	reduceLogSumExp
	reduceSumSquare
)

func reductions(l lib) []graph.Def {
	types := slices.Concat(floatTypes, dtypes{tensor.Int32, tensor.Int64, tensor.Uint32, tensor.Uint64})
	ordered := slices.Concat(types, dtypes{tensor.Int8, tensor.Uint8, tensor.Bool})
	var defs []graph.Def
	for _, o := range []struct {
		name  string
		kind  reduceKind
		input int // first version with axes as an input
		types dtypes
	}{
		{"ReduceSum", reduceSum, 13, types},
		{"ReduceMean", reduceMean, 18, types},
		{"ReduceMax", reduceMax, 18, ordered},
		{"ReduceMin", reduceMin, 18, ordered},
		{"ReduceProd", reduceProd, 18, types},
		{"ReduceL1", reduceL1, 18, types},
		{"ReduceL2", reduceL2, 18, types},
		{"ReduceLogSum", reduceLogSum, 18, types},
		{"ReduceLogSumExp", reduceLogSumExp, 18, types},
		{"ReduceSumSquare", reduceSumSquare, 18, types},
	} {
		defs = append(defs,
			graph.Def{Op: o.name, Since: 1, Types: o.types, New: func(a *graph.Attrs) (graph.Op, error) {
				r := l.newReduce(o.kind, o.types, a)
				r.axes = a.Ints("axes")
				return r, nil
			}},
			graph.Def{Op: o.name, Since: o.input, Types: o.types, New: func(a *graph.Attrs) (graph.Op, error) {
				r := l.newReduce(o.kind, o.types, a)
				r.input, r.noop = true, a.Bool("noop_with_empty_axes", false)
				return r, nil
			}})
	}
	return defs
}

// reduce folds the elements along axes into one. No axes mean all, or none with noop: then sums and extremes are the
// elements themselves, but a square, root or logarithm is still taken.
type reduce struct {
	lib
	kind  reduceKind
	types dtypes
	axes  []int64
	input bool // axes are input 1
	keep  bool
	noop  bool
	row32 func([]float32) float32
	row64 func([]float64) float64
}

func (l lib) newReduce(kind reduceKind, types dtypes, a *graph.Attrs) reduce {
	return reduce{lib: l, kind: kind, types: types, keep: a.Bool("keepdims", true), row32: l.float32Row(kind), row64: floatRow[float64](kind)}
}

func (o reduce) Infer(c *graph.InferCtx) error {
	most := 1
	if o.input {
		most = 2
	}
	if err := needInputs(c, 1, most); err != nil {
		return err
	}
	d, err := sameType(c, 0)
	if err != nil {
		return err
	}
	if err := checkType("input", d, o.types); err != nil {
		return err
	}
	axes := o.axes
	if c.Has(1) {
		if err := wantIndex(c, 1, "axes"); err != nil {
			return err
		}
		list, ok := constInts(c, 1)
		if !ok {
			c.Out(0, o.unknownAxes(c, d))
			return nil
		}
		axes = list
	}
	x := c.In(0)
	if !x.Ranked {
		c.Out(0, tensor.Unranked(d))
		return nil
	}
	reduced, err := o.reduced(axes, len(x.Dims))
	if err != nil {
		return err
	}
	dims := []tensor.Dim{}
	for i, n := range x.Dims {
		switch {
		case !reduced[i]:
			dims = append(dims, n)
		case o.keep:
			dims = append(dims, tensor.Fixed(1))
		}
	}
	c.Out(0, tensor.Ranked(d, dims))
	return nil
}

// unknownAxes is what is known of the output when the axes are not.
func (o reduce) unknownAxes(c *graph.InferCtx, d tensor.DType) tensor.Spec {
	x, n := c.In(0), knownLen(c, 1)
	switch {
	case !x.Ranked:
		return tensor.Unranked(d)
	case n == 0 && o.noop:
		x.DType = d
		return x
	case o.keep:
		return tensor.Ranked(d, anyDims(len(x.Dims)))
	case n > 0 && n <= len(x.Dims):
		return tensor.Ranked(d, anyDims(len(x.Dims)-n))
	}
	return tensor.Unranked(d)
}

// reduced says for each dimension whether it is folded.
func (o reduce) reduced(axes []int64, rank int) ([]bool, error) {
	r := make([]bool, rank)
	for _, a := range axes {
		i, err := axisOf(a, rank)
		if err != nil {
			return nil, err
		}
		r[i] = true
	}
	for i := range r {
		r[i] = r[i] || len(axes) == 0 && !o.noop
	}
	return r, nil
}

func (o reduce) Run(c *graph.RunCtx) error {
	axes := o.axes
	if len(c.In) > 1 && c.In[1] != nil {
		axes = runInts(c.In[1])
	}
	x := c.In[0]
	if c.Out[0] == nil {
		if err := o.alloc(c, axes); err != nil {
			return err
		}
	}
	switch d := x.DType(); d {
	case tensor.Float32:
		return runReduce(c, &o, axes, o.row32, true)
	case tensor.Float64:
		return runReduce(c, &o, axes, o.row64, false)
	case tensor.Float16, tensor.BFloat16:
		return o.asFloat32(c, o.Run)
	case tensor.Int8:
		return runReduce(c, &o, axes, intRow[int8](o.kind), false)
	case tensor.Bool:
		row := intRow[uint8](o.kind)
		return runReduce(c, &o, axes, func(v []uint8) uint8 { return min(row(v), 1) }, false)
	case tensor.Uint8:
		return runReduce(c, &o, axes, intRow[uint8](o.kind), false)
	case tensor.Int32:
		return runReduce(c, &o, axes, intRow[int32](o.kind), false)
	case tensor.Int64:
		return runReduce(c, &o, axes, intRow[int64](o.kind), false)
	case tensor.Uint32:
		return runReduce(c, &o, axes, intRow[uint32](o.kind), false)
	case tensor.Uint64:
		return runReduce(c, &o, axes, intRow[uint64](o.kind), false)
	default:
		return graph.UnsupportedType("input", d)
	}
}

// alloc makes the output when the axes were not known before.
func (o reduce) alloc(c *graph.RunCtx, axes []int64) error {
	x := c.In[0]
	reduced, err := o.reduced(axes, x.Rank())
	if err != nil {
		return fmt.Errorf("axes: %w", err)
	}
	shape := []int{}
	for i, n := range x.Shape() {
		switch {
		case !reduced[i]:
			shape = append(shape, n)
		case o.keep:
			shape = append(shape, 1)
		}
	}
	_, err = c.Alloc(0, x.DType(), shape...)
	return err
}
