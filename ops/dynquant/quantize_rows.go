package dynquant

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) quantizeRows() []graph.Def {
	return []graph.Def{{Domain: "qrun", Op: "QuantizeRows", Since: 1, New: l.newQuantizeRows, Types: []tensor.DType{tensor.Float32}}}
}

// quantizeRows quantizes the activation of linear layers to uint8, once for all layers that read it. Input: X float32
// [..., K] (rank 1 is one row). Outputs: Q uint8 [..., S]: K elements, then those of the channels in attribute repeat
// once more, zeros up to the row stride S of the kernels; scale float32 and zero int32, [rows] in profile row, [1] in profile onnx; sum int32 [rows], the sum of each row of Q.
//
// Profile row gives each row the grid of its own range, 0 included. Profile onnx is DynamicQuantizeLinear over the whole
// tensor. Both: scale = (max-min)/255, 1 when that is 0; zero = rne(clip(-min/scale, 0, 255)); q = clip(rne(x/scale) +
// zero, 0, 255). In profile row a row with a NaN or an infinity gets the scale NaN: all that is computed from it is NaN,
// and nothing else is.
type quantizeRows struct {
	k      *backend.Kernels
	tensor bool  // one grid for the tensor: profile onnx
	repeat []int // channels that follow the K others once more, for split weights
}

func (l lib) newQuantizeRows(a *graph.Attrs) (graph.Op, error) {
	p := a.OneOf("profile", "row", "onnx")
	o := &quantizeRows{k: l.k, tensor: p == "onnx"}
	for _, i := range a.Ints("repeat") {
		if i < 0 {
			return nil, fmt.Errorf("repeat has channel %d", i)
		}
		o.repeat = append(o.repeat, int(i))
	}
	return o, nil
}

func (o *quantizeRows) Infer(c *graph.InferCtx) error {
	x := c.In(0)
	if c.NumIn() != 1 || x.DType != tensor.Float32 {
		return fmt.Errorf("want one input of type float32, got %v", x)
	}
	return o.infer(c)
}

// infer sets the outputs from input 0, which is float32.
func (o *quantizeRows) infer(c *graph.InferCtx) error {
	x := c.In(0)
	c.Out(0, tensor.Unranked(tensor.Uint8))
	rows := tensor.AnyDim
	if x.Ranked {
		if len(x.Dims) == 0 {
			return fmt.Errorf("want at least one dimension, got a scalar")
		}
		dims := append([]tensor.Dim{}, x.Dims...)
		k := dims[len(dims)-1]
		if k.Known() {
			for _, i := range o.repeat {
				if i >= k.Size {
					return fmt.Errorf("channel %d is repeated and %v has %d", i, x, k.Size)
				}
			}
			k = tensor.Fixed(o.k.StrideU8(k.Size + len(o.repeat)))
		} else {
			k = tensor.AnyDim
		}
		dims[len(dims)-1] = k
		c.Out(0, tensor.Ranked(tensor.Uint8, dims))
		rows = product(dims[:len(dims)-1])
	}
	per := rows
	if o.tensor {
		per = tensor.Fixed(1)
	}
	c.Out(1, tensor.Ranked(tensor.Float32, []tensor.Dim{per}))
	c.Out(2, tensor.Ranked(tensor.Int32, []tensor.Dim{per}))
	c.Out(3, tensor.Ranked(tensor.Int32, []tensor.Dim{rows}))
	return nil
}

// product multiplies sizes; one unknown makes it unknown.
func product(dims []tensor.Dim) tensor.Dim {
	n := 1
	for _, d := range dims {
		if !d.Known() {
			return tensor.AnyDim
		}
		n *= d.Size
	}
	return tensor.Fixed(n)
}

func (o *quantizeRows) Run(c *graph.RunCtx) error {
	j := graph.State[rowsJob](c)
	defer j.reset()
	parts := j.parts
	*j = o.job(c)
	j.parts = parts
	if !o.tensor {
		return c.For(len(j.sum), j.grain(), j)
	}
	return j.quantizeWhole(c)
}

// job is the quantization of input 0 to outputs 0 to 3.
func (o *quantizeRows) job(c *graph.RunCtx) rowsJob {
	k := c.In[0].Shape()[c.In[0].Rank()-1]
	return rowsJob{k: o.k, x: tensor.View[float32](c.In[0]), width: k, q: tensor.View[uint8](c.Out[0]), stride: o.k.StrideU8(k + len(o.repeat)), repeat: o.repeat,
		scale: tensor.View[float32](c.Out[1]), zero: tensor.View[int32](c.Out[2]), sum: tensor.View[int32](c.Out[3])}
}

// grain is how many rows are worth a call.
func (j *rowsJob) grain() int { return max(1, 16384/max(1, j.width)) }

// quantizeWhole quantizes all rows on the grid of the tensor.
func (j *rowsJob) quantizeWhole(c *graph.RunCtx) error {
	if err := j.measure(c); err != nil {
		return err
	}
	j.scale[0], j.zero[0] = j.wholeScale, int32(j.wholeZero)
	return c.For(len(j.sum), j.grain(), j)
}

// measure sets the grid of DynamicQuantizeLinear for all elements, whose range it takes in parts.
func (j *rowsJob) measure(c *graph.RunCtx) error {
	n := (len(j.x) + rangePart - 1) / rangePart
	if cap(j.parts) < n {
		j.parts = make([]extrema, n)
	}
	j.parts = j.parts[:n]
	if err := c.For(n, 1, (*rangeJob)(j)); err != nil {
		return err
	}
	var mn, mx float32
	for _, p := range j.parts {
		mn, mx = min(mn, p.mn), max(mx, p.mx)
	}
	j.whole = true
	j.wholeScale, j.wholeZero = backend.QuantizationU8(mn, mx)
	return nil
}

const rangePart = 1 << 14 // elements whose extrema one call finds

type extrema struct{ mn, mx float32 }

// rowsJob quantizes rows.
type rowsJob struct {
	k             *backend.Kernels
	x             []float32
	width, stride int
	q             []uint8
	scale         []float32
	zero, sum     []int32
	parts         []extrema
	whole         bool
	wholeScale    float32
	wholeZero     uint8
	repeat        []int
}

func (j *rowsJob) reset() { *j = rowsJob{parts: j.parts[:0]} }

func (j *rowsJob) Do(lo, hi int) { j.quantize(j.x[lo*j.width:hi*j.width], lo, hi) }

// quantize quantizes rows lo to hi, whose elements are x.
func (j *rowsJob) quantize(x []float32, lo, hi int) {
	if !j.whole {
		j.k.QuantizeRows(j.q[lo*j.stride:hi*j.stride], j.stride, x, j.width, j.width, hi-lo, j.scale[lo:hi], j.zero[lo:hi], j.sum[lo:hi])
	}
	for r := lo; r < hi && (j.whole || len(j.repeat) > 0); r++ {
		dst := j.q[r*j.stride : (r+1)*j.stride]
		if j.whole {
			clear(dst[j.width:])
			j.sum[r] = j.k.QuantizeU8(dst[:j.width], x[(r-lo)*j.width:(r-lo+1)*j.width], j.wholeScale, j.wholeZero)
		}
		for i, c := range j.repeat {
			dst[j.width+i] = dst[c]
			j.sum[r] += int32(dst[c])
		}
	}
}

// rangeJob finds the extrema of parts of the tensor.
type rangeJob rowsJob

func (j *rangeJob) Do(lo, hi int) {
	for p := lo; p < hi; p++ {
		j.parts[p] = rangeOf(j.k, j.x[p*rangePart:min((p+1)*rangePart, len(j.x))])
	}
}

// rangeOf is the range of elements: NaN takes no part; an infinity widens it without end, as DynamicQuantizeLinear has it.
func rangeOf(k *backend.Kernels, x []float32) extrema {
	mn, mx, finite := k.MinMax(x)
	if !finite {
		mn, mx = infiniteRange(x, mn, mx)
	}
	return extrema{mn, mx}
}

func infiniteRange(x []float32, mn, mx float32) (float32, float32) {
	for _, v := range x {
		if math.IsInf(float64(v), 1) {
			mx = v
		} else if math.IsInf(float64(v), -1) {
			mn = v
		}
	}
	return mn, mx
}
