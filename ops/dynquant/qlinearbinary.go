package dynquant

import (
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) qLinearBinaries() []graph.Def {
	return []graph.Def{
		{Domain: microsoft, Op: "QLinearAdd", Since: 1, Types: byteTypes, New: func(*graph.Attrs) (graph.Op, error) { return &qLinearBinary{}, nil }},
		{Domain: microsoft, Op: "QLinearMul", Since: 1, Types: byteTypes, New: func(*graph.Attrs) (graph.Op, error) { return &qLinearBinary{mul: true}, nil }},
	}
}

// qLinearBinary adds or multiplies dequantized numbers with broadcasting, and quantizes the result. Inputs: a, a_scale,
// a_zero, b, b_scale, b_zero, c_scale, c_zero; zero points may be absent.
type qLinearBinary struct{ mul bool }

func (o *qLinearBinary) Infer(c *graph.InferCtx) error {
	if err := wantInputs(c, 2, 8); err != nil {
		return err
	}
	for _, i := range []int{0, 3} {
		if err := wantScaled(c, i, i+1, i+2); err != nil {
			return err
		}
	}
	if err := wantScaled(c, -1, 6, 7); err != nil {
		return err
	}
	for _, i := range []int{3, 7} {
		if err := wantSameType(c, 0, i, "operands and result"); err != nil {
			return err
		}
	}
	a, b := c.In(0), c.In(3)
	dims, err := broadcastDims(a, b)
	if err != nil {
		return err
	}
	c.Out(0, tensor.Spec{DType: a.DType, Dims: dims, Ranked: a.Ranked && b.Ranked})
	return nil
}

// binaryJob computes elements of the result, a row of its last dimension at a time.
type binaryJob struct {
	mul          bool
	ta, tb       floatTable
	a, b, y      []uint8
	out          []int
	shapeA       []int
	shapeB       []int
	stepA, stepB int // within a row
	scale        float32
	grid         byteGrid
}

func (o *qLinearBinary) Run(c *graph.RunCtx) error {
	y, a, b := c.Out[0], c.In[0], c.In[3]
	j := graph.State[binaryJob](c)
	defer func() { *j = binaryJob{} }()
	p := scaledOf(c, 6, 7)
	*j = binaryJob{mul: o.mul, a: a.Bytes(), b: b.Bytes(), y: y.Bytes(), out: y.Shape(), shapeA: a.Shape(), shapeB: b.Shape(),
		stepA: lastStep(a.Shape()), stepB: lastStep(b.Shape()), scale: p.scale, grid: byteGridOf(y.DType(), p.zero)}
	j.ta.set(a.DType(), scaledOf(c, 1, 2))
	j.tb.set(b.DType(), scaledOf(c, 4, 5))
	if y.Len() == 0 {
		return nil
	}
	if a.Len() == y.Len() && b.Len() == y.Len() { // nothing is repeated
		j.stepA, j.stepB = 1, 1
		return c.For(y.Len(), 1<<13, (*flatBinary)(j))
	}
	width := y.Shape()[max(0, y.Rank()-1):]
	return c.For(y.Len()/count(width), 1+4096/count(width), j)
}

func lastStep(shape []int) int {
	if len(shape) == 0 || shape[len(shape)-1] == 1 {
		return 0
	}
	return 1
}

func (j *binaryJob) Do(lo, hi int) {
	var buf [8]int
	width, lead := 1, j.out[:max(0, len(j.out)-1)]
	if len(j.out) > 0 {
		width = j.out[len(j.out)-1]
	}
	for r := lo; r < hi; r++ {
		index := append(buf[:0], lead...)
		for d, rest := len(lead)-1, r; d >= 0; d-- {
			index[d], rest = rest%lead[d], rest/lead[d]
		}
		a, b := j.a[rowStart(index, j.shapeA):], j.b[rowStart(index, j.shapeB):]
		j.row(j.y[r*width:(r+1)*width], a, b)
	}
}

// row computes one row from the operands that start there.
func (j *binaryJob) row(y, a, b []uint8) {
	for i := range y {
		u, v := j.ta[a[i*j.stepA]], j.tb[b[i*j.stepB]]
		if j.mul {
			u *= v
		} else {
			u += v
		}
		y[i] = j.grid.byte(u / j.scale)
	}
}

// flatBinary computes elements of operands of the result's shape.
type flatBinary binaryJob

func (f *flatBinary) Do(lo, hi int) {
	j := (*binaryJob)(f)
	j.row(j.y[lo:hi], j.a[lo:hi], j.b[lo:hi])
}

// rowStart is where the row that belongs to index of the result's leading dimensions starts in an operand.
func rowStart(index, shape []int) int {
	if len(shape) == 0 {
		return 0
	}
	last := len(shape) - 1
	return broadcastIndex(index, shape[:last]) * shape[last]
}
