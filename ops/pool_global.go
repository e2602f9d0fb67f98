package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/internal/par"
	"github.com/qrun-onnx/qrun/tensor"
)

func globalPools(l lib) []graph.Def {
	return []graph.Def{
		{Op: "GlobalAveragePool", Since: 1, New: l.newGlobalPool(poolAverage), Types: floatTypes},
		{Op: "GlobalMaxPool", Since: 1, New: l.newGlobalPool(poolMax), Types: floatTypes},
		{Op: "GlobalLpPool", Since: 1, New: l.newGlobalPool(poolLp), Types: floatTypes},
	}
}

// globalPool reduces all spatial dimensions to size 1.
type globalPool struct {
	l    lib
	kind poolKind
	p    float64
}

func (l lib) newGlobalPool(kind poolKind) func(a *graph.Attrs) (graph.Op, error) {
	return func(a *graph.Attrs) (graph.Op, error) {
		o := &globalPool{l: l, kind: kind, p: 2}
		if kind != poolLp {
			return o, nil
		}
		if x, ok := a.Lookup("p"); ok && x.Type == graph.AttrFloat { // opset 1
			o.p = float64(a.Float("p", 2))
		} else {
			o.p = float64(a.Int("p", 2))
		}
		if o.p <= 0 {
			return nil, fmt.Errorf("attribute p is %v", o.p)
		}
		return o, nil
	}
}

func (o *globalPool) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 1, 1); err != nil {
		return err
	}
	x := c.In(0)
	if err := checkType("pooling", x.DType, floatTypes); err != nil {
		return err
	}
	if !x.Ranked {
		c.Out(0, tensor.Unranked(x.DType))
		return nil
	}
	if len(x.Dims) < 2 {
		return fmt.Errorf("input %v has no channels", x)
	}
	dims := make([]tensor.Dim, len(x.Dims))
	copy(dims, x.Dims[:2])
	for i := range dims[2:] {
		dims[2+i] = tensor.Fixed(1)
	}
	c.Out(0, tensor.Ranked(x.DType, dims))
	return nil
}

func (o *globalPool) Run(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d {
	case tensor.Float32:
		return o.runFloat32(c)
	case tensor.Float16, tensor.BFloat16:
		return o.l.asFloat32(c, o.runFloat32)
	case tensor.Float64:
		return o.runFloat64(c)
	default:
		return graph.UnsupportedType("pooling", d)
	}
}

// globalRows is the job of a globalPool of float32, by planes.
type globalRows struct {
	o        *globalPool
	src, dst []float32
}

func (o *globalPool) runFloat32(c *graph.RunCtx) error {
	j := graph.State[globalRows](c)
	*j = globalRows{o: o, src: tensor.View[float32](c.In[0]), dst: tensor.View[float32](c.Out[0])}
	grain := 1
	if n := len(j.dst); n > 0 {
		grain += 32768 * n / (n + len(j.src))
	}
	err := c.For(len(j.dst), grain, j)
	*j = globalRows{}
	return err
}

func (j *globalRows) Do(lo, hi int) {
	n := len(j.src) / len(j.dst)
	if y := j.dst[lo:hi]; j.o.kind == poolAverage {
		j.o.l.k.SumRows(y, j.src[lo*n:hi*n], n)
		j.o.l.k.Binary(backend.Div, y, y, []float32{float32(n)})
		return
	}
	for i := lo; i < hi; i++ {
		x := j.src[i*n : (i+1)*n]
		switch k := j.o.l.k; {
		case j.o.kind == poolMax:
			j.dst[i] = k.MaxOf(x)
		case j.o.p == 2:
			j.dst[i] = float32(math.Sqrt(float64(k.SumSquares(x))))
		default:
			var sum float64
			for _, v := range x {
				sum += math.Pow(math.Abs(float64(v)), j.o.p)
			}
			j.dst[i] = float32(math.Pow(sum, 1/j.o.p))
		}
	}
}

func (o *globalPool) runFloat64(c *graph.RunCtx) error {
	src, dst := tensor.View[float64](c.In[0]), tensor.View[float64](c.Out[0])
	return c.For(len(dst), 1, par.Func(func(lo, hi int) {
		n := len(src) / len(dst)
		for i := lo; i < hi; i++ {
			sum, most := 0.0, math.Inf(-1)
			for _, v := range src[i*n : (i+1)*n] {
				most = max(most, v)
				if o.kind == poolLp {
					v = math.Pow(math.Abs(v), o.p)
				}
				sum += v
			}
			switch o.kind {
			case poolMax:
				dst[i] = most
			case poolAverage:
				dst[i] = sum / float64(n)
			default:
				dst[i] = math.Pow(sum, 1/o.p)
			}
		}
	}))
}
