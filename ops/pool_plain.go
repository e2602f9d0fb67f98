package ops

import (
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

type poolNumber interface {
	float32 | float64 | int8 | uint8
}

// runPlain visits every window element by element: indices, norms and the types other than float32.
func (o *pool) runPlain(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d {
	case tensor.Float32:
		return poolPlain[float32](o, c)
	case tensor.Float16, tensor.BFloat16:
		return o.l.asFloat32(c, o.runPlain)
	case tensor.Float64:
		return poolPlain[float64](o, c)
	case tensor.Int8:
		return poolPlain[int8](o, c)
	case tensor.Uint8:
		return poolPlain[uint8](o, c)
	default:
		return graph.UnsupportedType("pooling", d)
	}
}

func poolPlain[T poolNumber](o *pool, c *graph.RunCtx) error {
	j := graph.State[poolPlainJob[T]](c)
	*j = poolPlainJob[T]{o: o, axes: o.axes(c.In[0].Shape()), src: tensor.View[T](c.In[0]), dst: tensor.View[T](c.Out[0])}
	defer func() { *j = poolPlainJob[T]{} }()
	if len(c.Out) > 1 && c.Out[1] != nil {
		j.indices = tensor.View[int64](c.Out[1])
	}
	width := j.axes[2].out
	if width == 0 {
		return nil
	}
	return c.For(len(j.dst)/width, 1, j)
}

// poolPlainJob computes rows of the output.
type poolPlainJob[T poolNumber] struct {
	o        *pool
	axes     [3]axis
	src, dst []T
	indices  []int64
}

// Do computes the rows lo <= r < hi.
func (j *poolPlainJob[T]) Do(lo, hi int) {
	o, axes := j.o, &j.axes
	in, rows, width := axes[0].in*axes[1].in*axes[2].in, axes[0].out*axes[1].out, axes[2].out
	var taps [3][2]int
	for r := lo; r < hi; r++ {
		p := r / rows * in
		z, y := r%rows/axes[1].out, r%axes[1].out
		taps[0][0], taps[0][1] = axes[0].taps(z)
		taps[1][0], taps[1][1] = axes[1].taps(y)
		for x := range width {
			taps[2][0], taps[2][1] = axes[2].taps(x)
			w := poolWindow[T]{src: j.src[p : p+in], axes: axes, taps: &taps, origin: [3]int{z, y, x}}
			at := r*width + x
			if o.kind != poolMax {
				n := o.count(&axes[0], z) * o.count(&axes[1], y) * o.count(&axes[2], x)
				j.dst[at] = w.norm(o, n)
				continue
			}
			var best [3]int
			j.dst[at], best = w.max()
			if j.indices == nil {
				continue
			}
			i := (best[0]*axes[1].in+best[1])*axes[2].in + best[2]
			if o.columnMajor {
				i = best[0] + axes[0].in*(best[1]+axes[1].in*best[2])
			}
			j.indices[at] = int64(p + i)
		}
	}
}

// poolWindow is one window of a plane.
type poolWindow[T poolNumber] struct {
	src    []T
	axes   *[3]axis
	taps   *[3][2]int
	origin [3]int
}

// each calls f for the window's positions inside the input, in row-major order.
func (w *poolWindow[T]) each(f func(v T, pos [3]int)) {
	var pos [3]int
	for kz := w.taps[0][0]; kz < w.taps[0][1]; kz++ {
		pos[0] = w.position(0, kz)
		for ky := w.taps[1][0]; ky < w.taps[1][1]; ky++ {
			pos[1] = w.position(1, ky)
			for kx := w.taps[2][0]; kx < w.taps[2][1]; kx++ {
				pos[2] = w.position(2, kx)
				f(w.src[(pos[0]*w.axes[1].in+pos[1])*w.axes[2].in+pos[2]], pos)
			}
		}
	}
}

func (w *poolWindow[T]) position(i, k int) int {
	a := &w.axes[i]
	return w.origin[i]*a.stride + k*a.dilate - a.before
}

// max returns the largest element and the position of the first of its kind; of an empty window the lowest value.
func (w *poolWindow[T]) max() (m T, best [3]int) {
	first := true
	w.each(func(v T, pos [3]int) {
		if first || v > m || v != v && m == m {
			m, best, first = v, pos, false
		}
	})
	if first {
		return lowest[T](), best
	}
	return m, best
}

func lowest[T poolNumber]() T {
	var m T
	switch p := any(&m).(type) {
	case *float32:
		*p = float32(math.Inf(-1))
	case *float64:
		*p = math.Inf(-1)
	case *int8:
		*p = math.MinInt8
	}
	return m
}

// norm is the mean over n elements, or the p-norm.
func (w *poolWindow[T]) norm(o *pool, n int) T {
	var sum float64
	w.each(func(v T, _ [3]int) {
		switch x := float64(v); {
		case o.kind == poolAverage:
			sum += x
		case o.p == 1:
			sum += math.Abs(x)
		case o.p == 2:
			sum += float64(x * x)
		default:
			sum += math.Pow(math.Abs(x), o.p)
		}
	})
	switch {
	case o.kind == poolAverage && n == 0:
		return 0
	case o.kind == poolAverage:
		return T(sum / float64(n))
	case o.p == 1:
		return T(sum)
	case o.p == 2:
		return T(math.Sqrt(sum))
	}
	return T(math.Pow(sum, 1/o.p))
}
