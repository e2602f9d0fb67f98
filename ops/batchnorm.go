package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func batchNorms(l lib) []graph.Def {
	var defs []graph.Def
	for _, since := range []int{1, 7, 9, 14} {
		defs = append(defs, graph.Def{Op: "BatchNormalization", Since: since, Types: floatTypes, New: l.newBatchNorm})
	}
	return defs
}

// batchNorm is (x-mean)/sqrt(var+eps)*scale+bias for each channel, dimension 1. When training, mean and var are those
// of x, and outputs 1 and 2 are the running ones: before*momentum + now*(1-momentum).
type batchNorm struct {
	lib
	eps, momentum float32
	training      bool
	spatial       bool // else parameters have the shape of x without the batch
}

func (l lib) newBatchNorm(a *graph.Attrs) (graph.Op, error) {
	o := batchNorm{lib: l, eps: a.Float("epsilon", 1e-5), momentum: a.Float("momentum", 0.9), spatial: true}
	if a.Opset < 9 {
		o.spatial = a.Bool("spatial", true)
	}
	switch {
	case a.Opset >= 14:
		o.training = a.Bool("training_mode", false)
	case a.Opset < 7:
		ignoreConsumed(a)
		a.Ignore("is_test") // a node with one output is in test mode
		fallthrough
	default:
		if a.NumOut > 1 {
			return nil, fmt.Errorf("%w: training, which more than one output asks for", graph.ErrUnsupported)
		}
	}
	return o, nil
}

func (batchNorm) InPlace() []int { return []int{0} }

func (o batchNorm) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 5, 5); err != nil {
		return err
	}
	for _, pair := range [][]int{{0}, {1, 2}, {3, 4}} {
		d, err := sameType(c, pair...)
		if err != nil {
			return err
		}
		if err := checkType(fmt.Sprintf("input %d", pair[0]), d, floatTypes); err != nil {
			return err
		}
	}
	x := c.In(0)
	c.Out(0, x)
	if o.training {
		c.Out(1, c.In(3))
		c.Out(2, c.In(4))
	}
	if !x.Ranked {
		return nil
	}
	if len(x.Dims) == 0 || !o.spatial && len(x.Dims) == 1 {
		return fmt.Errorf("input is %v, want at least two dimensions", x)
	}
	channels := tensor.Fixed(1) // an input of one dimension has one
	if len(x.Dims) > 1 {
		channels = x.Dims[1]
	}
	for i := 1; i < 5; i++ {
		p := c.In(i)
		switch {
		case !p.Ranked:
		case o.spatial && (len(p.Dims) != 1 || !agree(p.Dims[0], channels)):
			return fmt.Errorf("input %d is %v, want one dimension, the channels of %v", i, p, x)
		case !o.spatial:
			if want := tensor.Ranked(x.DType, x.Dims[1:]); len(p.Dims) != len(want.Dims) || broadcastsInto("", want, p) != nil {
				return fmt.Errorf("input %d is %v, want %v", i, p, want)
			}
		}
	}
	return nil
}

func (o batchNorm) Run(c *graph.RunCtx) error {
	x := c.In[0]
	for _, in := range c.In {
		if isHalf(in.DType()) {
			return o.asFloat32(c, o.Run)
		}
	}
	if x.Len() == 0 {
		return nil
	}
	j := graph.State[batchNormJob](c)
	j.k = o.k
	j.channels, j.n = 1, 1
	for i, d := range x.Shape() {
		switch {
		case i == 1 || i > 1 && !o.spatial:
			j.channels *= d
		case i > 1:
			j.n *= d
		}
	}
	if x.DType() == tensor.Float64 {
		mul, add := make([]float64, j.channels), make([]float64, j.channels)
		o.fold(c, j.channels, j.n, func(ch int, a, b float64) { mul[ch], add[ch] = a, b })
		y := tensor.View[float64](c.Out[0])
		for i, v := range tensor.View[float64](x) {
			ch := i / j.n % j.channels
			y[i] = float64(v*mul[ch]) + add[ch]
		}
		return nil
	}
	param := floatScratch(c, 2*j.channels)
	j.mul, j.add = param[:j.channels], param[j.channels:]
	o.fold(c, j.channels, j.n, func(ch int, a, b float64) { j.mul[ch], j.add[ch] = float32(a), float32(b) })
	j.x, j.y = tensor.View[float32](x), tensor.View[float32](c.Out[0])
	err := c.For(len(j.x)/j.n, max(1, grainCheap/j.n), j)
	*j = batchNormJob{}
	return err
}

// fold calls set with the parameters of each channel in the form y = x*mul + add.
func (o batchNorm) fold(c *graph.RunCtx, channels, n int, set func(ch int, mul, add float64)) {
	mean, variance := paramOf(c.In[3]), paramOf(c.In[4])
	scale, bias := paramOf(c.In[1]), paramOf(c.In[2])
	for ch := range channels {
		m, v := mean.at(ch), variance.at(ch)
		if o.training {
			x := paramOf(c.In[0])
			bm, bv := channelStats(x, c.In[0].Len(), ch, channels, n)
			for i, r := range []float64{float64(m*float64(o.momentum)) + float64(bm*float64(1-o.momentum)), float64(v*float64(o.momentum)) + float64(bv*float64(1-o.momentum))} {
				if i+1 < len(c.Out) && c.Out[i+1] != nil {
					paramOf(c.Out[i+1]).set(ch, r)
				}
			}
			m, v = bm, bv
		}
		a := scale.at(ch) / math.Sqrt(v+float64(o.eps))
		set(ch, a, bias.at(ch)-float64(m*a))
	}
}

// channelStats are the mean and the variance of a channel over batch and positions.
func channelStats(x param, total, ch, channels, n int) (mean, variance float64) {
	count := 0
	each := func(f func(v float64)) {
		for at := ch * n; at < total; at += channels * n {
			for i := range n {
				f(x.at(at + i))
			}
		}
	}
	each(func(v float64) { mean += v; count++ })
	mean /= float64(count)
	each(func(v float64) { variance += float64((v - mean) * (v - mean)) })
	return mean, variance / float64(count)
}

// param reads a float32 or float64 parameter.
type param struct {
	f []float32
	d []float64
}

func paramOf(x *tensor.Tensor) param {
	if x.DType() == tensor.Float64 {
		return param{d: tensor.View[float64](x)}
	}
	return param{f: tensor.View[float32](x)}
}

func (p param) at(i int) float64 {
	if p.d != nil {
		return p.d[i]
	}
	return float64(p.f[i])
}

func (p param) set(i int, v float64) {
	if p.d != nil {
		p.d[i] = v
	} else {
		p.f[i] = float32(v)
	}
}

// batchNormJob's tasks are the rows of n elements of one channel; with n of 1 a row of channels at once.
type batchNormJob struct {
	k           *backend.Kernels
	channels, n int
	mul, add    []float32
	x, y        []float32
}

func (j *batchNormJob) Do(lo, hi int) {
	if j.n == 1 {
		for at := lo; at < hi; {
			ch := at % j.channels
			w := min(j.channels-ch, hi-at)
			y := j.y[at : at+w]
			j.k.Binary(backend.Mul, y, j.x[at:at+w], j.mul[ch:ch+w])
			j.k.Binary(backend.Add, y, y, j.add[ch:ch+w])
			at += w
		}
		return
	}
	for r := lo; r < hi; r++ {
		ch := r % j.channels
		j.k.Unary(backend.MulAdd, j.y[r*j.n:(r+1)*j.n], j.x[r*j.n:(r+1)*j.n], j.mul[ch], j.add[ch])
	}
}
