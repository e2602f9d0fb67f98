package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func clips(l lib) []graph.Def {
	return []graph.Def{
		{Op: "Clip", Since: 1, Types: floatTypes, New: func(a *graph.Attrs) (graph.Op, error) {
			ignoreConsumed(a)
			lo, hi := a.Float("min", -math.MaxFloat32), a.Float("max", math.MaxFloat32)
			u := unary{lib: l, types: floatTypes, kern: backend.Clip, p0: lo, p1: hi, grain: grainCheap}
			u.f = func(x float64) float64 { return min(max(x, float64(lo)), float64(hi)) }
			return u, nil
		}},
		{Op: "Clip", Since: 11, Types: numberTypes, New: func(*graph.Attrs) (graph.Op, error) { return clip{l, math.MaxFloat32}, nil }},
	}
}

// clip is Clip with its limits as optional inputs, which are the type's finite limits when they are absent. With min
// above max every element becomes max.
type clip struct {
	lib
	max float32 // the limit of the type that is computed in float32
}

func (clip) InPlace() []int { return []int{0} }

func (o clip) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 1, 3); err != nil {
		return err
	}
	inputs := []int{0}
	for i := 1; i < 3; i++ {
		if !c.Has(i) {
			continue
		}
		inputs = append(inputs, i)
		if n := knownLen(c, i); n != -1 && n != 1 || c.In(i).Rank() > 1 {
			return fmt.Errorf("limit is %v, want a scalar", c.In(i))
		}
	}
	d, err := sameType(c, inputs...)
	if err != nil {
		return err
	}
	s := c.In(0)
	s.DType = d
	c.Out(0, s)
	return checkType("input", d, numberTypes)
}

func (o clip) Run(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d {
	case tensor.Float32:
		lo, hi := clipLimits(c, -o.max, o.max)
		return o.runUnary(c, backend.Clip, lo, hi, grainCheap)
	case tensor.Float64:
		return runClip(c, -math.MaxFloat64, math.MaxFloat64)
	case tensor.Float16:
		o.max = 65504
		return o.asFloat32(c, o.Run)
	case tensor.BFloat16:
		o.max = 0x1.fep127
		return o.asFloat32(c, o.Run)
	case tensor.Int8:
		return runClip[int8](c, math.MinInt8, math.MaxInt8)
	case tensor.Int16:
		return runClip[int16](c, math.MinInt16, math.MaxInt16)
	case tensor.Int32:
		return runClip[int32](c, math.MinInt32, math.MaxInt32)
	case tensor.Int64:
		return runClip[int64](c, math.MinInt64, math.MaxInt64)
	case tensor.Uint8:
		return runClip[uint8](c, 0, math.MaxUint8)
	case tensor.Uint16:
		return runClip[uint16](c, 0, math.MaxUint16)
	case tensor.Uint32:
		return runClip[uint32](c, 0, math.MaxUint32)
	case tensor.Uint64:
		return runClip[uint64](c, 0, math.MaxUint64)
	default:
		return graph.UnsupportedType("input", d)
	}
}

func clipLimits[T tensor.Element](c *graph.RunCtx, lo, hi T) (T, T) {
	if len(c.In) > 1 && c.In[1] != nil {
		lo = tensor.View[T](c.In[1])[0]
	}
	if len(c.In) > 2 && c.In[2] != nil {
		hi = tensor.View[T](c.In[2])[0]
	}
	return lo, hi
}

type clipJob[T number] struct {
	dst, src []T
	lo, hi   T
}

func (j *clipJob[T]) Do(lo, hi int) {
	dst := j.dst[lo:hi]
	for i, x := range j.src[lo:hi] {
		dst[i] = min(max(x, j.lo), j.hi)
	}
}

func runClip[T interface {
	number
	tensor.Element
}](c *graph.RunCtx, lo, hi T) error {
	j := graph.State[clipJob[T]](c)
	j.lo, j.hi = clipLimits(c, lo, hi)
	j.dst, j.src = tensor.View[T](c.Out[0]), tensor.View[T](c.In[0])
	err := c.For(len(j.dst), grainCheap, j)
	j.dst, j.src = nil, nil
	return err
}
