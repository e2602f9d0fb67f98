package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func axisNorms(l lib) []graph.Def {
	return []graph.Def{
		{Op: "LpNormalization", Since: 1, Types: floatTypes, New: func(a *graph.Attrs) (graph.Op, error) {
			a.Only("p", 2, 1)
			return lpNorm{l, a.Int("axis", -1), a.Int("p", 2) == 1}, nil
		}},
		{Op: "MeanVarianceNormalization", Since: 9, Types: floatTypes, New: func(a *graph.Attrs) (graph.Op, error) {
			axes := a.Ints("axes")
			if !a.Has("axes") {
				axes = []int64{0, 2, 3}
			}
			return meanVariance{l, axes}, nil
		}},
		{Op: "LRN", Since: 1, Types: floatTypes, New: l.newLRN},
	}
}

// lpNorm divides by the norm along an axis: the sum of absolute values (one) or the root of the sum of squares. A norm
// of 0 gives 0.
type lpNorm struct {
	lib
	axis int64
	one  bool
}

func (lpNorm) InPlace() []int { return []int{0} }

func (o lpNorm) Infer(c *graph.InferCtx) error {
	if err := (unary{types: floatTypes}).Infer(c); err != nil {
		return err
	}
	if x := c.In(0); x.Ranked {
		_, err := axisOf(o.axis, len(x.Dims))
		return err
	}
	return nil
}

func (o lpNorm) Run(c *graph.RunCtx) error {
	x := c.In[0]
	outer, n, inner := splitAt(x.Shape(), o.axis)
	switch {
	case isHalf(x.DType()):
		return o.asFloat32(c, o.Run)
	case x.DType() == tensor.Float64:
		lpNormalize(o.one, tensor.View[float64](c.Out[0]), tensor.View[float64](x), outer, n, inner)
	default:
		lpNormalize(o.one, tensor.View[float32](c.Out[0]), tensor.View[float32](x), outer, n, inner)
	}
	return nil
}

func lpNormalize[T float32 | float64](one bool, y, x []T, outer, n, inner int) {
	for r := range outer * inner {
		at := r/inner*n*inner + r%inner
		norm := 0.0
		for i := range n {
			v := float64(x[at+i*inner])
			if one {
				norm += math.Abs(v)
			} else {
				norm += float64(v * v)
			}
		}
		if !one {
			norm = math.Sqrt(norm)
		}
		for i := range n {
			v := float64(x[at+i*inner])
			if norm != 0 {
				v /= norm
			}
			y[at+i*inner] = T(v)
		}
	}
}

// meanVariance is (x-mean)/(deviation+1e-9) over axes.
type meanVariance struct {
	lib
	axes []int64
}

func (o meanVariance) Infer(c *graph.InferCtx) error {
	if err := (unary{types: floatTypes}).Infer(c); err != nil {
		return err
	}
	if x := c.In(0); x.Ranked {
		_, err := axesOf(o.axes, len(x.Dims))
		return err
	}
	return nil
}

func (o meanVariance) Run(c *graph.RunCtx) error {
	x := c.In[0]
	if isHalf(x.DType()) {
		return o.asFloat32(c, o.Run)
	}
	axes, err := axesOf(o.axes, x.Rank())
	if err != nil {
		return err
	}
	var p reducePlan
	p.init(x.Shape(), func(dim int) bool {
		for _, a := range axes {
			if a == dim {
				return true
			}
		}
		return false
	})
	results := 1
	for _, n := range p.kept {
		results *= n
	}
	src, dst := paramOf(x), paramOf(c.Out[0])
	for r := range results {
		base := p.base(r)
		mean, sq := 0.0, 0.0
		p.folds(0, func(off int) { mean += src.at(base + off) })
		mean /= float64(p.count)
		p.folds(0, func(off int) { d := src.at(base+off) - mean; sq += float64(d * d) })
		dev := math.Sqrt(sq/float64(p.count)) + 1e-9
		p.folds(0, func(off int) { dst.set(base+off, (src.at(base+off)-mean)/dev) })
	}
	return nil
}

// lrn is x / (bias + alpha/size * sum of squares over size neighbouring channels)^beta.
type lrn struct {
	lib
	size              int
	alpha, beta, bias float64
}

func (l lib) newLRN(a *graph.Attrs) (graph.Op, error) {
	a.Require("size")
	size := a.Int("size", 1)
	if size < 1 || size > math.MaxInt32 {
		return nil, fmt.Errorf("attribute size=%d, want at least 1", size)
	}
	return lrn{l, int(size), float64(a.Float("alpha", 0.0001)), float64(a.Float("beta", 0.75)), float64(a.Float("bias", 1))}, nil
}

func (o lrn) Infer(c *graph.InferCtx) error {
	if x := c.In(0); x.Ranked && len(x.Dims) < 2 {
		return fmt.Errorf("input is %v, want at least two dimensions", x)
	}
	return unary{types: floatTypes}.Infer(c)
}

func (o lrn) Run(c *graph.RunCtx) error {
	x := c.In[0]
	if isHalf(x.DType()) {
		return o.asFloat32(c, o.Run)
	}
	j := graph.State[lrnJob](c)
	*j = lrnJob{o, paramOf(x), paramOf(c.Out[0]), x.Shape()[1], 1}
	for _, d := range x.Shape()[2:] {
		j.inner *= d
	}
	var err error
	if x.Len() > 0 {
		err = c.For(x.Shape()[0]*j.inner, max(1, grainCostly/j.channels), j)
	}
	*j = lrnJob{}
	return err
}

// lrnJob's tasks are positions, each through all channels.
type lrnJob struct {
	lrn
	x, y            param
	channels, inner int
}

func (j *lrnJob) Do(lo, hi int) {
	before, after := (j.size-1)/2, j.size/2
	for r := lo; r < hi; r++ {
		at := r/j.inner*j.channels*j.inner + r%j.inner
		for ch := range j.channels {
			sum := 0.0
			for k := max(0, ch-before); k <= min(j.channels-1, ch+after); k++ {
				v := j.x.at(at + k*j.inner)
				sum += float64(v * v)
			}
			p := at + ch*j.inner
			j.y.set(p, j.x.at(p)/math.Pow(j.bias+float64(j.alpha/float64(j.size)*sum), j.beta))
		}
	}
}
