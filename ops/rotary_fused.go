package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// fusedRotary is rotary embedding as fusion passes emit it, qrun.Rotary: y = x*cos + turned(x)*sin of the first size
// elements of the last dimension, each product rounded, and the other elements as they are.
//
//	inputs     X, cos, sin
//	attributes layout: of X, [d0, d1, d2, n] with "bhsd" (default), [d0, d2, d1, n] with "bshd"; size; interleaved
//
// turned(x) is [-second half, first half], or [-x1, x0, -x3, x2, ...] when interleaved. Y is [d0, d1, d2, n]; cos and sin
// have a last dimension of size and broadcast over the others.
type fusedRotary struct {
	swap        bool
	size        int
	interleaved bool
}

func newFusedRotary(a *graph.Attrs) (graph.Op, error) {
	a.Require("size")
	o := &fusedRotary{swap: a.OneOf("layout", "bhsd", "bshd") == "bshd", size: int(a.Int("size", 0)), interleaved: a.Bool("interleaved", false)}
	if o.size < 2 || o.size%2 != 0 {
		return nil, fmt.Errorf("attribute size=%d, want an even number", o.size)
	}
	return o, nil
}

func (o *fusedRotary) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 3, 3); err != nil {
		return err
	}
	for i := range 3 {
		if err := checkType("rotary embedding", c.In(i).DType, dtypes{tensor.Float32}); err != nil {
			return err
		}
	}
	x := c.In(0)
	if !x.Ranked || !c.In(1).Ranked || !c.In(2).Ranked {
		c.Out(0, tensor.Unranked(tensor.Float32))
		return nil
	}
	if len(x.Dims) != 4 || x.Dims[3].Known() && x.Dims[3].Size < o.size {
		return fmt.Errorf("input %v, want four dimensions and %d elements to turn", x, o.size)
	}
	dims := append([]tensor.Dim{}, x.Dims...)
	if o.swap {
		dims[1], dims[2] = dims[2], dims[1]
	}
	specs := []tensor.Spec{tensor.Ranked(tensor.Float32, dims[:3])}
	for i := 1; i < 3; i++ {
		t := c.In(i).Dims
		if len(t) < 1 || len(t) > 4 || t[len(t)-1].Known() && t[len(t)-1].Size != o.size {
			return fmt.Errorf("table %v does not fit %d elements", c.In(i), o.size)
		}
		specs = append(specs, tensor.Ranked(tensor.Float32, t[:len(t)-1]))
	}
	y, err := broadcastSpecs(tensor.Float32, specs...)
	if err != nil {
		return err
	}
	c.Out(0, tensor.Ranked(tensor.Float32, append(y.Dims, dims[3])))
	return nil
}

func (o *fusedRotary) Run(c *graph.RunCtx) error {
	y := c.Out[0]
	if y.Len() == 0 {
		return nil
	}
	j := graph.State[rotaryRows](c)
	s := y.Shape()
	*j = rotaryRows{dims: [3]int(s), n: s[3], size: o.size, interleaved: o.interleaved, dst: tensor.View[float32](y)}
	for i, t := range c.In {
		j.src[i], j.step[i] = tensor.View[float32](t), rowSteps(t.Shape(), i == 0 && o.swap)
	}
	err := c.For(s[0]*s[1]*s[2], 1+4096/s[3], j)
	*j = rotaryRows{}
	return err
}

// rowSteps are the distances of the rows of a tensor along the first three of four dimensions, 0 where it is repeated.
func rowSteps(shape []int, swap bool) (steps [3]int) {
	size := shape[len(shape)-1]
	for k := len(shape) - 2; k >= 0; k-- {
		if at := k + 4 - len(shape); shape[k] != 1 {
			steps[at] = size
		}
		size *= shape[k]
	}
	if swap {
		steps[1], steps[2] = steps[2], steps[1]
	}
	return steps
}

// rotaryRows is the job of a fusedRotary, by rows of the result.
type rotaryRows struct {
	dst         []float32
	src         [3][]float32 // X, cos, sin
	step        [3][3]int
	dims        [3]int
	n, size     int
	interleaved bool
}

func (j *rotaryRows) Do(lo, hi int) {
	for r := lo; r < hi; r++ {
		a, b, c := r/(j.dims[1]*j.dims[2]), r/j.dims[2]%j.dims[1], r%j.dims[2]
		var row [3][]float32
		for i, s := range &j.step {
			row[i] = j.src[i][a*s[0]+b*s[1]+c*s[2]:]
		}
		dst, x := j.dst[r*j.n:(r+1)*j.n], row[0][:j.n]
		if j.interleaved {
			turnPairs(dst[:j.size], x, row[1], row[2])
		} else {
			turnHalves(dst[:j.size], x, row[1], row[2])
		}
		copy(dst[j.size:], x[j.size:])
	}
}

// turnHalves turns elements whose partner is half their number away, by an angle for each.
func turnHalves(dst, x, cos, sin []float32) {
	h := len(dst) / 2
	d0, d1, x0, x1 := dst[:h], dst[h:][:h], x[:h], x[h:][:h]
	c0, c1, s0, s1 := cos[:h], cos[h:][:h], sin[:h], sin[h:][:h]
	for i, a := range x0 {
		b := x1[i]
		d0[i] = float32(a*c0[i]) - float32(b*s0[i])
		d1[i] = float32(b*c1[i]) + float32(a*s1[i])
	}
}

// turnPairs turns neighbours, by an angle for each.
func turnPairs(dst, x, cos, sin []float32) {
	x, cos, sin = x[:len(dst)], cos[:len(dst)], sin[:len(dst)]
	for i := 0; i+1 < len(dst); i += 2 {
		a, b := x[i], x[i+1]
		dst[i] = float32(a*cos[i]) - float32(b*sin[i])
		dst[i+1] = float32(b*cos[i+1]) + float32(a*sin[i+1])
	}
}
