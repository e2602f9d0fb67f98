package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// normRows normalizes rows of n elements: y = (v-mean)/sqrt(var+eps)*gamma+beta, or y = v/sqrt(mean(v*v)+eps)*gamma
// with rms, where v = x+add+bias. Slices that are nil take no part.
type normRows struct {
	k         *backend.Kernels
	rms       bool
	eps       float32
	n         int
	y, x      []float32
	add       []float32 // repeated from its start when it has fewer rows than x
	bias      []float32
	sum       []float32 // v
	gamma     []float32
	beta      []float32
	mean, inv []float32 // one per row
}

func (j *normRows) Do(lo, hi int) {
	n := j.n
	part := func(s []float32, lo, hi int) []float32 {
		if s == nil {
			return nil
		}
		return s[lo:hi]
	}
	for lo < hi {
		rows, from := hi-lo, lo
		if j.add != nil { // up to where add starts again
			from = lo % (len(j.add) / n)
			rows = min(rows, len(j.add)/n-from)
		}
		end := lo + rows
		r := backend.Rows{
			N: n, Rows: rows, Dst: j.y[lo*n : end*n], Src: j.x[lo*n : end*n], DstStep: n, SrcStep: n, AddStep: n,
			Add: part(j.add, from*n, (from+rows)*n), Bias: j.bias, Sum: part(j.sum, lo*n, end*n), Gamma: j.gamma, Beta: j.beta,
			Mean: part(j.mean, lo, end), Inv: part(j.inv, lo, end), Eps: j.eps,
		}
		if j.rms {
			j.k.RMSNormRows(&r)
		} else {
			j.k.LayerNormRows(&r)
		}
		lo = end
	}
}

// run normalizes all of x; the job is the node's state, so that a warm run allocates nothing.
func (j *normRows) run(c *graph.RunCtx) error {
	defer func() { *j = normRows{} }()
	if len(j.x) == 0 {
		return nil
	}
	return c.For(len(j.x)/j.n, max(1, grainCostly/j.n), j)
}

// normRow64 is the same of one float64 row without add, gamma and beta; it returns the mean and the inverse deviation.
func normRow64(y, x []float64, eps float64, rms bool) (mean, inv float64) {
	n := float64(len(x))
	if !rms {
		for _, v := range x {
			mean += v
		}
		mean /= n
	}
	sq := 0.0
	for _, v := range x {
		sq += float64((v - mean) * (v - mean))
	}
	inv = 1 / math.Sqrt(sq/n+eps)
	for i, v := range x {
		y[i] = (v - mean) * inv
	}
	return mean, inv
}

// vec is the elements of an optional float32 input, nil when it is absent.
func vec(c *graph.RunCtx, i int) []float32 {
	if i >= len(c.In) || c.In[i] == nil {
		return nil
	}
	return tensor.View[float32](c.In[i])
}

// vecOut is the elements of an optional float32 output, nil when it is not wanted.
func vecOut(c *graph.RunCtx, i int) []float32 {
	if i >= len(c.Out) || c.Out[i] == nil || !c.Wants(i) {
		return nil
	}
	return tensor.View[float32](c.Out[i])
}

// broadcastsInto fails unless parameter p broadcasts to x without changing x's shape.
func broadcastsInto(what string, p, x tensor.Spec) error {
	if !p.Ranked || !x.Ranked {
		return nil
	}
	off := len(x.Dims) - len(p.Dims)
	for i, d := range p.Dims {
		if off+i >= 0 && (d.Size == 1 || !d.Known() || !x.Dims[off+i].Known() || d.Size == x.Dims[off+i].Size) {
			continue
		}
		return fmt.Errorf("%s is %v, which does not broadcast to %v", what, p, x)
	}
	return nil
}
