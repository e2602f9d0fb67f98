package ops

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func topKs(l lib) []graph.Def {
	return []graph.Def{
		{Op: "TopK", Since: 1, Types: floatTypes, New: func(a *graph.Attrs) (graph.Op, error) {
			a.Require("k")
			return topK{lib: l, axis: a.Int("axis", -1), k: a.Int("k", 1), largest: true}, nil
		}},
		{Op: "TopK", Since: 10, Types: floatTypes, New: func(a *graph.Attrs) (graph.Op, error) {
			return topK{lib: l, axis: a.Int("axis", -1), k: -1, largest: true}, nil
		}},
		{Op: "TopK", Since: 11, Types: numberTypes, New: func(a *graph.Attrs) (graph.Op, error) {
			a.Only("sorted", 1, 0) // sorted is one of the orders that sorted=0 allows
			return topK{lib: l, axis: a.Int("axis", -1), k: -1, largest: a.Bool("largest", true)}, nil
		}},
	}
}

// topK returns the k largest (or smallest) elements along an axis, in order, and their indices. Of equal elements the
// one with the lower index comes first; NaN is larger than every number.
type topK struct {
	lib
	axis    int64
	k       int64 // -1: input 1
	largest bool
}

func (o topK) Infer(c *graph.InferCtx) error {
	n := 1 + b2i(o.k < 0)
	if err := needInputs(c, n, n); err != nil {
		return err
	}
	d, err := sameType(c, 0)
	if err != nil {
		return err
	}
	if err := checkType("input", d, numberTypes); err != nil {
		return err
	}
	x, k := c.In(0), tensor.AnyDim
	if n == 2 {
		if err := wantType(c, 1, "k", tensor.Int64); err != nil {
			return err
		}
		if n := knownLen(c, 1); n != -1 && n != 1 || c.In(1).Rank() > 1 {
			return fmt.Errorf("k is %v, want one element", c.In(1))
		}
		if list, ok := constInts(c, 1); ok {
			o.k = list[0]
			k = tensor.Fixed(int(o.k))
		} else if dims, ok := c.Ints(1); ok && !dims[0].Known() {
			k = dims[0]
		}
	} else {
		k = tensor.Fixed(int(o.k))
	}
	if !x.Ranked {
		c.Out(0, tensor.Unranked(d))
		c.Out(1, tensor.Unranked(tensor.Int64))
		return nil
	}
	axis, err := axisOf(o.axis, len(x.Dims))
	if err != nil {
		return err
	}
	if size := x.Dims[axis].Size; k.Known() && size >= 0 && k.Size > size || n == 1 && o.k < 0 || k.Known() && (o.k < 0 || o.k > math.MaxInt32) {
		return fmt.Errorf("k is %d, want 0 to %v", o.k, x.Dims[axis])
	}
	dims := append([]tensor.Dim{}, x.Dims...)
	dims[axis] = k
	c.Out(0, tensor.Ranked(d, dims))
	c.Out(1, tensor.Ranked(tensor.Int64, dims))
	return nil
}

func (o topK) Run(c *graph.RunCtx) error {
	x := c.In[0]
	missing := func(i int) bool { return c.Wants(i) && c.Out[i] == nil }
	if missing(0) || missing(1) {
		k := runInts(c.In[1])[0]
		axis, err := axisOf(o.axis, x.Rank())
		if err != nil {
			return err
		}
		if k < 0 || k > int64(x.Shape()[axis]) {
			return fmt.Errorf("k is %d, want 0 to %d", k, x.Shape()[axis])
		}
		shape := slices.Clone(x.Shape())
		shape[axis] = int(k)
		for i, d := range []tensor.DType{x.DType(), tensor.Int64} {
			if !missing(i) {
				continue
			}
			if _, err := c.Alloc(i, d, shape...); err != nil {
				return err
			}
		}
	}
	switch d := x.DType(); d {
	case tensor.Float32:
		return runTopK[float32](c, o)
	case tensor.Float64:
		return runTopK[float64](c, o)
	case tensor.Float16, tensor.BFloat16:
		return o.asFloat32(c, o.Run)
	case tensor.Int8:
		return runTopK[int8](c, o)
	case tensor.Int16:
		return runTopK[int16](c, o)
	case tensor.Int32:
		return runTopK[int32](c, o)
	case tensor.Int64:
		return runTopK[int64](c, o)
	case tensor.Uint8:
		return runTopK[uint8](c, o)
	case tensor.Uint16:
		return runTopK[uint16](c, o)
	case tensor.Uint32:
		return runTopK[uint32](c, o)
	case tensor.Uint64:
		return runTopK[uint64](c, o)
	default:
		return graph.UnsupportedType("input", d)
	}
}

type topKJob[T number] struct {
	largest     bool
	x, y        []T
	idx         []int64
	n, k, inner int
}

func runTopK[T interface {
	number
	tensor.Element
}](c *graph.RunCtx, o topK) error {
	j := graph.State[topKJob[T]](c)
	outer, n, inner := splitAt(c.In[0].Shape(), o.axis)
	*j = topKJob[T]{largest: o.largest, x: tensor.View[T](c.In[0]), n: n, inner: inner}
	rows := outer * inner
	var out *tensor.Tensor
	if len(c.Out) > 1 && c.Out[1] != nil {
		out, j.idx = c.Out[1], tensor.View[int64](c.Out[1])
	}
	if c.Out[0] != nil {
		out, j.y = c.Out[0], tensor.View[T](c.Out[0])
	}
	var err error
	if out != nil && out.Len() > 0 {
		j.k = out.Len() / rows
		err = c.For(rows, max(1, grainCostly/n), j)
	}
	*j = topKJob[T]{}
	return err
}

type topKItem[T number] struct {
	v T
	i int
}

// order is negative when a comes before b.
func (j *topKJob[T]) order(a, b topKItem[T]) int {
	d := cmp.Compare(a.v, b.v) // which has NaN as the smallest
	if (a.v != a.v || b.v != b.v) != j.largest {
		d = -d
	}
	if d == 0 {
		return a.i - b.i
	}
	return d
}

func (j *topKJob[T]) Do(lo, hi int) {
	heap := make([]topKItem[T], 0, j.k)
	for r := lo; r < hi; r++ {
		at := r/j.inner*j.n*j.inner + r%j.inner
		heap = heap[:0]
		for i := range j.n {
			heap = j.push(heap, topKItem[T]{j.x[at+i*j.inner], i})
		}
		slices.SortFunc(heap, j.order)
		at = r/j.inner*j.k*j.inner + r%j.inner
		for i, it := range heap {
			if j.y != nil {
				j.y[at+i*j.inner] = it.v
			}
			if j.idx != nil {
				j.idx[at+i*j.inner] = int64(it.i)
			}
		}
	}
}

// push keeps the first k items in order; the last of them is at the root of the heap.
func (j *topKJob[T]) push(h []topKItem[T], it topKItem[T]) []topKItem[T] {
	if len(h) < j.k {
		h = append(h, it)
		for c := len(h) - 1; c > 0 && j.order(h[c], h[(c-1)/2]) > 0; c = (c - 1) / 2 {
			h[c], h[(c-1)/2] = h[(c-1)/2], h[c]
		}
		return h
	}
	if j.order(it, h[0]) > 0 {
		return h
	}
	p := 0
	for {
		c := 2*p + 1
		if c >= len(h) {
			break
		}
		if c+1 < len(h) && j.order(h[c+1], h[c]) > 0 {
			c++
		}
		if j.order(h[c], it) <= 0 {
			break
		}
		h[p] = h[c]
		p = c
	}
	h[p] = it
	return h
}
