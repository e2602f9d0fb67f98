package ops

import (
	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// Elements per goroutine at least: cheap is for functions of a cycle or so an element, costly for exp and its like.
const (
	grainCheap  = 16 << 10
	grainCostly = 4 << 10
)

// binaryJob computes dst[i] = f(a[i], b[i]) with broadcasting. Where row is set it does a whole innermost run, in which
// an operand of length 1 is used for every element.
type binaryJob[T, O tensor.Element] struct {
	plan
	dst  []O
	a, b []T
	f    func(x, y T) O
	row  func(dst []O, a, b []T)
}

func (j *binaryJob[T, O]) Do(lo, hi int) {
	sa, sb := j.stride[0][0], j.stride[1][0]
	j.each(lo, hi, func(at, n int, off [maxOperands]int) {
		dst, a, b := j.dst[at:at+n], operand(j.a, off[0], n, sa), operand(j.b, off[1], n, sb)
		if j.row != nil {
			j.row(dst, a, b)
			return
		}
		f := j.f
		switch {
		case len(a) == n && len(b) == n:
			for i, x := range a {
				dst[i] = f(x, b[i])
			}
		case len(a) == n:
			y := b[0]
			for i, x := range a {
				dst[i] = f(x, y)
			}
		case len(b) == n:
			x := a[0]
			for i, y := range b {
				dst[i] = f(x, y)
			}
		default:
			v := f(a[0], b[0])
			for i := range dst {
				dst[i] = v
			}
		}
	})
}

// runBinary computes y = f(a, b) with broadcasting over the run's goroutines; shapeB is b's shape seen by the broadcast.
// mk returns the function or the row function; it is called once for each node.
func runBinary[T, O tensor.Element](c *graph.RunCtx, y, a, b *tensor.Tensor, shapeB []int, grain int, mk func() (func(x, y T) O, func(dst []O, a, b []T))) error {
	j := graph.State[binaryJob[T, O]](c)
	if j.f == nil && j.row == nil {
		j.f, j.row = mk()
	}
	j.init(y.Shape(), a.Shape(), shapeB)
	j.dst, j.a, j.b = tensor.View[O](y), tensor.View[T](a), tensor.View[T](b)
	err := c.For(len(j.dst), grain, j)
	j.dst, j.a, j.b = nil, nil, nil
	return err
}

// kernelJob is binaryJob for the functions that the backend has.
type kernelJob struct {
	plan
	k         *backend.Kernels
	f         backend.Binary
	dst, a, b []float32
}

func (j *kernelJob) Do(lo, hi int) {
	sa, sb := j.stride[0][0], j.stride[1][0]
	j.each(lo, hi, func(at, n int, off [maxOperands]int) {
		j.k.Binary(j.f, j.dst[at:at+n], operand(j.a, off[0], n, sa), operand(j.b, off[1], n, sb))
	})
}

// runKernel is runBinary for the functions that the backend has.
func (l lib) runKernel(c *graph.RunCtx, f backend.Binary, y, a, b *tensor.Tensor, shapeB []int) error {
	j := graph.State[kernelJob](c)
	j.init(y.Shape(), a.Shape(), shapeB)
	j.k, j.f = l.k, f
	j.dst, j.a, j.b = tensor.View[float32](y), tensor.View[float32](a), tensor.View[float32](b)
	err := c.For(len(j.dst), grainCheap, j)
	j.dst, j.a, j.b = nil, nil, nil
	return err
}

// mapJob computes dst[i] = f(src[i]).
type mapJob[T, O tensor.Element] struct {
	dst []O
	src []T
	f   func(T) O
}

func (j *mapJob[T, O]) Do(lo, hi int) {
	dst, f := j.dst[lo:hi], j.f
	for i, x := range j.src[lo:hi] {
		dst[i] = f(x)
	}
}

// runMap computes output 0 from input 0; mk is called once for each node.
func runMap[T, O tensor.Element](c *graph.RunCtx, grain int, mk func() func(T) O) error {
	j := graph.State[mapJob[T, O]](c)
	if j.f == nil {
		j.f = mk()
	}
	j.dst, j.src = tensor.View[O](c.Out[0]), tensor.View[T](c.In[0])
	err := c.For(len(j.dst), grain, j)
	j.dst, j.src = nil, nil
	return err
}

// unaryJob is mapJob for the functions that the backend has.
type unaryJob struct {
	k        *backend.Kernels
	f        backend.Unary
	p0, p1   float32
	dst, src []float32
}

func (j *unaryJob) Do(lo, hi int) { j.k.Unary(j.f, j.dst[lo:hi], j.src[lo:hi], j.p0, j.p1) }

// runUnary is runMap for the functions that the backend has.
func (l lib) runUnary(c *graph.RunCtx, f backend.Unary, p0, p1 float32, grain int) error {
	j := graph.State[unaryJob](c)
	*j = unaryJob{l.k, f, p0, p1, tensor.View[float32](c.Out[0]), tensor.View[float32](c.In[0])}
	err := c.For(len(j.dst), grain, j)
	*j = unaryJob{}
	return err
}
