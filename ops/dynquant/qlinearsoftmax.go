package dynquant

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) qLinearSoftmaxes() []graph.Def {
	return []graph.Def{{Domain: microsoft, Op: "QLinearSoftmax", Since: 1, New: newQLinearSoftmax, Types: byteTypes}}
}

// qLinearSoftmax is the softmax of dequantized numbers, quantized again. Inputs as those of qLinearUnary. Like Softmax
// before opset 13 it runs over all dimensions from axis on, or like the later one along axis alone. A unit of the result
// has floor(1/scale) steps, as in ONNX Runtime: one less than exact for a scale of 1/255 that is rounded up.
type qLinearSoftmax struct {
	axis    int
	flatten bool
}

func newQLinearSoftmax(a *graph.Attrs) (graph.Op, error) {
	a.Require("opset")
	opset := a.Int("opset", 13)
	if opset < 1 {
		return nil, fmt.Errorf("attribute opset is %d", opset)
	}
	return &qLinearSoftmax{axis: int(a.Int("axis", -1)), flatten: opset < 13}, nil
}

func (o *qLinearSoftmax) Infer(c *graph.InferCtx) error {
	if x := c.In(0); x.Ranked {
		if _, err := axisIn(o.axis, len(x.Dims)); err != nil {
			return err
		}
	}
	return inferQLinear(c)
}

// softmaxJob computes columns of n numbers that lie step apart.
type softmaxJob struct {
	x, y    []uint8
	n, step int
	flip    uint8        // makes bits whose order is that of the numbers
	exp     [256]float64 // of minus the distance from the largest
	steps   float64
	grid    byteGrid
}

func (o *qLinearSoftmax) Run(c *graph.RunCtx) error {
	x := c.In[0]
	if x.Len() == 0 {
		return nil
	}
	axis, err := axisIn(o.axis, x.Rank())
	if err != nil {
		return err
	}
	j := graph.State[softmaxJob](c)
	defer func() { j.x, j.y = nil, nil }()
	p := scaledOf(c, 3, 4)
	j.x, j.y, j.grid, j.flip = x.Bytes(), c.Out[0].Bytes(), byteGridOf(x.DType(), p.zero), 0
	j.steps = math.Floor(float64(1 / p.scale))
	if x.DType() == tensor.Int8 {
		j.flip = 0x80
	}
	s := float64(scalar(c.In[1]))
	for d := range j.exp {
		j.exp[d] = math.Exp(-float64(d) * s)
	}
	j.n, j.step = x.Shape()[axis], count(x.Shape()[axis+1:])
	if o.flatten {
		j.n, j.step = count(x.Shape()[axis:]), 1
	}
	return c.For(x.Len()/j.n, 1+4096/j.n, j)
}

func (j *softmaxJob) Do(lo, hi int) {
	for r := lo; r < hi; r++ {
		start := r/j.step*j.step*j.n + r%j.step
		end := start + j.n*j.step
		most := uint8(0)
		for i := start; i < end; i += j.step {
			most = max(most, j.x[i]^j.flip)
		}
		sum := 0.0
		for i := start; i < end; i += j.step {
			sum += j.exp[most-(j.x[i]^j.flip)]
		}
		for i := start; i < end; i += j.step {
			j.y[i] = j.grid.byte(float32(math.Floor(j.exp[most-(j.x[i]^j.flip)]*j.steps/sum + 0.5)))
		}
	}
}
