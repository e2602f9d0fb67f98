package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/backend"
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
	l           lib
	swap        bool
	size        int
	interleaved bool
}

func (l lib) newFusedRotary(a *graph.Attrs) (graph.Op, error) {
	a.Require("size")
	o := &fusedRotary{l: l, swap: a.OneOf("layout", "bhsd", "bshd") == "bshd", size: int(a.Int("size", 0)), interleaved: a.Bool("interleaved", false)}
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
	*j = rotaryRows{k: o.l.k, units: [3]int(s), rows: 1, n: s[3], size: o.size, interleaved: o.interleaved, dst: tensor.View[float32](y)}
	j.step[3] = [3]int{s[1] * s[2] * s[3], s[2] * s[3], s[3]}
	for i, t := range c.In {
		j.src[i], j.step[i] = tensor.View[float32](t), rowSteps(t.Shape(), i == 0 && o.swap)
	}
	for axis := 1; axis < 3 && j.rows == 1; axis++ {
		if j.step[1][axis] == 0 && j.step[2][axis] == 0 {
			j.rows, j.units[axis] = s[axis], 1
			j.rowStep, j.dstStep = j.step[0][axis], j.step[3][axis]
		}
	}
	err := c.For(j.units[0]*j.units[1]*j.units[2], 1+8192/(j.rows*s[3]), j)
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

// rotaryRows is the job of a fusedRotary, by units of rows that have the same angles.
type rotaryRows struct {
	k           *backend.Kernels
	dst         []float32
	src         [3][]float32 // X, cos, sin
	step        [4][3]int    // of these and of dst
	units       [3]int
	rows        int // of a unit
	rowStep     int // between them in X
	dstStep     int
	n, size     int
	interleaved bool
}

func (j *rotaryRows) Do(lo, hi int) {
	for u := lo; u < hi; u++ {
		a, b, c := u/(j.units[1]*j.units[2]), u/j.units[2]%j.units[1], u%j.units[2]
		var at [4]int
		for i, s := range &j.step {
			at[i] = a*s[0] + b*s[1] + c*s[2]
		}
		dst, x, cos, sin := j.dst[at[3]:], j.src[0][at[0]:], j.src[1][at[1]:][:j.size], j.src[2][at[2]:][:j.size]
		if !j.interleaved {
			j.k.TurnHalves(&backend.Turns{Dst: dst, DstStep: j.dstStep, X: x, XStep: j.rowStep, Rows: j.rows, Half: j.size / 2, Cos: cos, Sin: sin})
		}
		for r := range j.rows {
			to, from := dst[r*j.dstStep:][:j.n], x[r*j.rowStep:][:j.n]
			if j.interleaved {
				turnPairs(to[:j.size], from, cos, sin)
			}
			copy(to[j.size:], from[j.size:])
		}
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
