package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

var maxPoolTypes = dtypes{tensor.Float32, tensor.Float64, tensor.Float16, tensor.BFloat16, tensor.Int8, tensor.Uint8}

func pools(l lib) []graph.Def {
	return []graph.Def{
		{Op: "MaxPool", Since: 1, New: l.newMaxPool, Types: maxPoolTypes},
		{Op: "AveragePool", Since: 1, New: l.newAveragePool, Types: floatTypes},
		{Op: "LpPool", Since: 1, New: l.newLpPool, Types: floatTypes},
	}
}

type poolKind uint8

const (
	poolMax poolKind = iota
	poolAverage
	poolLp
)

// pool reduces windows of one to three spatial dimensions: to their maximum (with, as output 1, the index of the first
// one in the whole input), their mean or their p-norm. Padding takes no part, except in the number by which an average
// with count_include_pad divides.
type pool struct {
	l           lib
	kind        poolKind
	win         window
	columnMajor bool // indices count columns first
	countPad    bool
	p           float64
	global      globalPool // for windows that are the whole input
}

func (l lib) newPool(a *graph.Attrs, kind poolKind) (*pool, error) {
	w, err := newWindow(a)
	if err != nil {
		return nil, err
	}
	a.Require("kernel_shape")
	w.ceil = a.Bool("ceil_mode", false)
	return &pool{l: l, kind: kind, win: w, global: globalPool{l: l, kind: kind}}, nil
}

func (l lib) newMaxPool(a *graph.Attrs) (graph.Op, error) {
	o, err := l.newPool(a, poolMax)
	if err != nil {
		return nil, err
	}
	o.columnMajor = a.Bool("storage_order", false)
	return o, nil
}

func (l lib) newAveragePool(a *graph.Attrs) (graph.Op, error) {
	o, err := l.newPool(a, poolAverage)
	if err != nil {
		return nil, err
	}
	o.countPad = a.Bool("count_include_pad", false)
	return o, nil
}

func (l lib) newLpPool(a *graph.Attrs) (graph.Op, error) {
	o, err := l.newPool(a, poolLp)
	if err != nil {
		return nil, err
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

func (o *pool) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 1, 1); err != nil {
		return err
	}
	x, types := c.In(0), dtypes(floatTypes)
	if o.kind == poolMax {
		types = maxPoolTypes
	}
	if err := checkType("pooling", x.DType, types); err != nil {
		return err
	}
	out := tensor.Unranked(x.DType)
	if x.Ranked {
		rank := len(x.Dims) - 2
		if rank < 1 || rank > 3 {
			return fmt.Errorf("%w: pooling of %v, want one to three spatial dimensions", graph.ErrUnsupported, x)
		}
		if err := o.win.check(rank); err != nil {
			return err
		}
		dims := make([]tensor.Dim, len(x.Dims))
		dims[0], dims[1] = x.Dims[0], x.Dims[1]
		if err := o.win.inferAxes(dims, x.Dims, fixedDims(o.win.kernel)); err != nil {
			return err
		}
		out = tensor.Ranked(x.DType, dims)
	}
	c.Out(0, out)
	if o.kind == poolMax {
		out.DType = tensor.Int64
		c.Out(1, out)
	}
	return nil
}

// poolAxes returns the movement over three spatial dimensions, missing ones in front of size 1.
func (o *pool) axes(shape []int) (axes [3]axis) {
	rank := len(shape) - 2
	for i := range axes {
		axes[i] = axis{in: 1, out: 1, kernel: 1, stride: 1, dilate: 1}
		if j := i - 3 + rank; j >= 0 {
			axes[i], _ = o.win.axis(j, rank, shape[2+j], o.win.kernel[j])
		}
	}
	return axes
}

func (o *pool) Run(c *graph.RunCtx) error {
	if o.kind == poolMax && len(c.Out) > 1 && c.Out[1] != nil || o.kind == poolLp {
		return o.runPlain(c)
	}
	switch c.In[0].DType() {
	case tensor.Float32:
		return o.runFloat32(c)
	case tensor.Float16, tensor.BFloat16:
		return o.l.asFloat32(c, o.runFloat32)
	case tensor.Int8, tensor.Uint8:
		return o.runBytes(c)
	}
	return o.runPlain(c)
}

// count is the number that an average divides by, for one dimension at output i.
func (o *pool) count(a *axis, i int) int {
	if !o.countPad {
		lo, hi := a.taps(i)
		return hi - lo
	}
	return min(a.kernel, (a.in+a.after-(i*a.stride-a.before)-1)/a.dilate+1)
}
