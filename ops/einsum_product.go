package ops

import (
	"slices"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// einsumState is what a run of an einsum keeps.
type einsumState struct {
	box        boxJob
	product    product
	offA, offB []int
}

// asProduct computes an equation of two float32 operands as a batched matrix product, when it is one: no label twice in
// an operand, none summed over in one operand alone, and no broadcasting.
func (o einsum) asProduct(c *graph.RunCtx, in [][]rune, out []rune, size map[rune]int) (done bool, err error) {
	if len(in) != 2 || c.In[0].DType() != tensor.Float32 {
		return false, nil
	}
	var batch, rows, cols, sum []rune
	for i, t := range in {
		for k, r := range t {
			kept, both := slices.Contains(out, r), slices.Contains(in[1-i], r)
			if slices.Contains(t[:k], r) || c.In[i].Shape()[k] != size[r] || !kept && !both {
				return false, nil
			}
			switch {
			case i == 1 && both: // seen with the first operand
			case kept && both:
				batch = append(batch, r)
			case kept && i == 0:
				rows = append(rows, r)
			case kept:
				cols = append(cols, r)
			default:
				sum = append(sum, r)
			}
		}
	}
	s := graph.State[einsumState](c)
	a, err := s.arrange(c, c.In[0], in[0], slices.Concat(batch, rows, sum))
	if err != nil {
		return false, err
	}
	p := &s.product
	m, k, n := count(rows, size), count(sum, size), count(cols, size)
	var b []float32
	if p.transB = slices.Equal(in[1], slices.Concat(batch, cols, sum)); p.transB {
		b, p.ldb = tensor.View[float32](c.In[1]), k
	} else if b, err = s.arrange(c, c.In[1], in[1], slices.Concat(batch, sum, cols)); err != nil {
		return false, err
	} else {
		p.ldb = n
	}
	order := slices.Concat(batch, rows, cols)
	y := c.Out[0]
	if !slices.Equal(order, out) {
		if y, err = float32Scratch(c, shapeOf(order, size)); err != nil {
			return false, err
		}
	}
	s.offA, s.offB = s.offA[:0], s.offB[:0]
	for i := range count(batch, size) {
		s.offA, s.offB = append(s.offA, i*m*k), append(s.offB, i*k*n)
	}
	p.k, p.batches, p.m, p.kk, p.n = o.k, len(s.offA), m, k, n
	p.a, p.lda, p.offA, p.b, p.offB = a, k, s.offA, b, s.offB
	p.c, p.ldc, p.sizeC, p.alpha = tensor.View[float32](y), n, m*n, 1
	if err := p.run(c); err != nil {
		return false, err
	}
	if y != c.Out[0] {
		return true, s.permute(c, c.Out[0], y, order, out)
	}
	return true, nil
}

func count(labels []rune, size map[rune]int) int { return elemCount(shapeOf(labels, size)) }

func shapeOf(labels []rune, size map[rune]int) []int {
	shape := make([]int, len(labels))
	for i, r := range labels {
		shape[i] = size[r]
	}
	return shape
}

// arrange returns the elements of x with its axes in another order.
func (s *einsumState) arrange(c *graph.RunCtx, x *tensor.Tensor, from, to []rune) ([]float32, error) {
	if slices.Equal(from, to) {
		return tensor.View[float32](x), nil
	}
	shape := make([]int, len(to))
	for i, r := range to {
		shape[i] = x.Shape()[slices.Index(from, r)]
	}
	y, err := float32Scratch(c, shape)
	if err != nil {
		return nil, err
	}
	return tensor.View[float32](y), s.permute(c, y, x, from, to)
}

// permute copies x, whose axes have the labels from, to y, whose axes have the labels to.
func (s *einsumState) permute(c *graph.RunCtx, y, x *tensor.Tensor, from, to []rune) error {
	s.box.reset()
	step := y.Len()
	for i, r := range to {
		k := slices.Index(from, r)
		n := y.Shape()[i]
		if n == 0 {
			return nil
		}
		step /= n
		s.box.axis(n, step, elemCount(x.Shape()[k+1:]))
	}
	return s.box.copy(c, y, x)
}
