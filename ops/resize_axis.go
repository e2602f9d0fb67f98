package ops

import (
	"cmp"
	"math"
	"slices"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// nearestAt rounds a position to an element of the axis, not clamped.
func (o resize) nearestAt(pos float32, s sampling) int {
	x := float64(pos)
	low := math.Floor(x)
	up := x != low
	switch o.nearest {
	case "round_prefer_floor":
		up = x-low > 0.5
	case "round_prefer_ceil":
		up = x-low >= 0.5
	case "floor":
		up = false
	case "simple":
		up = up && s.scale < 1
	}
	if up {
		low++
	}
	return int(low)
}

// outside reports whether a position gets the extrapolation value.
func (o resize) outside(x float32, s sampling) bool {
	return o.coords == "tf_crop_and_resize" && (x < 0 || x > float32(s.in-1))
}

func (o resize) runNearest(c *graph.RunCtx, j *resizeState) error {
	m, list := &j.remap, j.list
	m.reset()
	rank, inner := len(list), 1
	for rank > 0 && list[rank-1].identity(o.coords) {
		rank--
		inner *= list[rank].in
	}
	for _, s := range list[:rank] {
		from := m.axis(s.in, s.out)
		for i := range from {
			x := s.position(o.coords, i)
			if from[i] = min(max(o.nearestAt(x, s), 0), s.in-1); o.outside(x, s) {
				from[i] = -1
			}
		}
	}
	if inner > 1 || rank == 0 {
		m.whole(inner)
	} else if s := list[rank-1]; s.out == 2*s.in {
		m.k, m.doubled = o.k, true
		for i, k := range m.from[rank-1] {
			m.doubled = m.doubled && k == i/2
		}
	}
	var value *tensor.Tensor
	if o.extra != 0 {
		var err error
		if value, err = floatTensor(c.In[0].DType(), []float64{o.extra}); err != nil {
			return err
		}
	}
	return m.run(c, c.Out[0], c.In[0], value)
}

// resizeState is the memory of a Resize between runs.
type resizeState struct {
	list   []sampling // per axis
	axes   []int      // those sampled
	shape  []int
	remap  remap
	single blend[float32]
	double blend[float64]
}

// taps are the elements that make one position of an axis, and their weights. Without any it is the extrapolation value.
func (o resize) taps(s sampling, i int, from []int, weights []float64) ([]int, []float64) {
	from, weights = from[:0], weights[:0]
	pos := s.position(o.coords, i)
	if o.outside(pos, s) {
		return from, weights
	}
	x := float64(pos)
	scale, reach := 1.0, 1.0
	if o.mode == "cubic" {
		reach = 2
	}
	if o.antialias {
		scale = min(float64(s.scale), 1)
	}
	base := math.Ceil(x) - 1
	ratio := x - base
	first := int(math.Floor(-reach/scale)) + 1
	sum := 0.0
	for k := first; k < 2-first; k++ {
		d := math.Abs(float64(k)-ratio) * scale
		w := max(0, 1-d)
		if o.mode == "cubic" {
			w = o.cubic(d)
		}
		at := int(base) + k
		if o.exclude && (at < 0 || at >= s.in) {
			w = 0
		}
		sum += w
		from = append(from, min(max(at, 0), s.in-1))
		weights = append(weights, w)
	}
	for k := range weights {
		weights[k] /= sum
	}
	return from, weights
}

// cubic is the convolution kernel of Keys with the parameter a, at distance d.
func (o resize) cubic(d float64) float64 {
	switch {
	case d <= 1:
		return ((o.a+2)*d-(o.a+3))*d*d + 1
	case d < 2:
		return ((o.a*d-5*o.a)*d+8*o.a)*d - 4*o.a
	}
	return 0
}

// runWeighted samples one axis after the other, those that shrink first.
func (o resize) runWeighted(c *graph.RunCtx, j *resizeState) error {
	list, axes := j.list, j.axes[:0]
	for a, s := range list {
		if !s.identity(o.coords) {
			axes = append(axes, a)
		}
	}
	j.axes = axes
	slices.SortStableFunc(axes, func(a, b int) int { return cmp.Compare(list[a].scale, list[b].scale) })
	x, y := c.In[0], c.Out[0]
	if len(axes) == 0 {
		copyAll(y, x)
		return nil
	}
	j.shape = append(j.shape[:0], x.Shape()...)
	shape := j.shape
	if x.DType() == tensor.Float32 {
		src := tensor.View[float32](x)
		for i, a := range axes {
			shape[a] = list[a].out
			dst := tensor.View[float32](y)
			if i < len(axes)-1 {
				dst = floatScratch(c, elemCount(shape))
			}
			if err := j.single.run(c, o, list[a], dst, src, elemCount(shape[a+1:])); err != nil {
				return err
			}
			src = dst
		}
		return nil
	}
	src, err := toFloats(x)
	if err != nil {
		return err
	}
	for _, a := range axes {
		shape[a] = list[a].out
		dst := make([]float64, elemCount(shape))
		if err := j.double.run(c, o, list[a], dst, src, elemCount(shape[a+1:])); err != nil {
			return err
		}
		src = dst
	}
	if y.DType().IsInteger() {
		for i, v := range src {
			src[i] = math.RoundToEven(v)
		}
	}
	return fromFloats(y, saturate(y.DType(), src))
}

// saturate clamps numbers to the range of an integer type.
func saturate(d tensor.DType, f []float64) []float64 {
	if !d.IsInteger() {
		return f
	}
	lo, hi := 0.0, math.Exp2(float64(d.Bits()))-1
	if slices.Contains(signedTypes, d) {
		lo, hi = -math.Exp2(float64(d.Bits()-1)), math.Exp2(float64(d.Bits()-1))-1
	}
	for i, v := range f {
		f[i] = min(max(v, lo), hi)
	}
	return f
}

// blend samples one axis: [outer n inner] becomes [outer m inner].
type blend[T float32 | float64] struct {
	dst, src    []T
	n, m, inner int
	first       []int // per position, where its taps begin in from and weight; one more at the end
	from        []int
	weight      []T
	pairs       bool // every position has two taps
	extra       T
	posFrom     []int
	posWeight   []float64
}

func (b *blend[T]) run(c *graph.RunCtx, o resize, s sampling, dst, src []T, inner int) error {
	b.n, b.m, b.inner, b.extra, b.pairs = s.in, s.out, inner, T(o.extra), true
	b.first, b.from, b.weight = b.first[:0], b.from[:0], b.weight[:0]
	for i := range s.out {
		b.posFrom, b.posWeight = o.taps(s, i, b.posFrom, b.posWeight)
		b.first = append(b.first, len(b.from))
		b.pairs = b.pairs && len(b.posFrom) == 2
		for k, at := range b.posFrom {
			b.from, b.weight = append(b.from, at), append(b.weight, T(b.posWeight[k]))
		}
	}
	b.first = append(b.first, len(b.from))
	b.dst, b.src = dst, src
	defer func() { b.dst, b.src = nil, nil }()
	rows, row := len(dst)/inner, inner
	if inner == 1 {
		rows, row = len(dst)/s.out, s.out
	}
	return c.For(rows, max(1, boxGrain/4/row), b)
}

// Do makes rows: of the inner axes, or of the axis itself when it is the innermost.
func (b *blend[T]) Do(lo, hi int) {
	for ; b.inner == 1 && b.pairs && lo+4 <= hi; lo += 4 {
		b.along4(b.dst[lo*b.m:(lo+4)*b.m], b.src[lo*b.n:(lo+4)*b.n])
	}
	for r := lo; r < hi; r++ {
		if b.inner == 1 {
			b.along(b.dst[r*b.m:(r+1)*b.m], b.src[r*b.n:(r+1)*b.n])
			continue
		}
		o, i := r/b.m, r%b.m
		b.across(b.dst[r*b.inner:(r+1)*b.inner], b.src[o*b.n*b.inner:(o+1)*b.n*b.inner], i)
	}
}

// along4 is along for four rows, which share the taps.
func (b *blend[T]) along4(dst, src []T) {
	n, m := b.n, b.m
	d0, d1, d2, d3 := dst[:m:m], dst[m:2*m:2*m], dst[2*m:3*m:3*m], dst[3*m:4*m:4*m]
	s0, s1, s2, s3 := src[:n:n], src[n:2*n:2*n], src[2*n:3*n:3*n], src[3*n:4*n:4*n]
	from, weight := b.from[:2*m:2*m], b.weight[:2*m:2*m]
	for i := range m {
		f, g, w, v := from[2*i], from[2*i+1], weight[2*i], weight[2*i+1]
		d0[i] = T(w*s0[f]) + T(v*s0[g])
		d1[i] = T(w*s1[f]) + T(v*s1[g])
		d2[i] = T(w*s2[f]) + T(v*s2[g])
		d3[i] = T(w*s3[f]) + T(v*s3[g])
	}
}

func (b *blend[T]) along(dst, src []T) {
	if b.pairs {
		for i := range dst {
			f, w := b.from[2*i:2*i+2], b.weight[2*i:2*i+2]
			dst[i] = T(w[0]*src[f[0]]) + T(w[1]*src[f[1]])
		}
		return
	}
	for i := range dst {
		lo, hi := b.first[i], b.first[i+1]
		if lo == hi {
			dst[i] = b.extra
			continue
		}
		var sum T
		for k, at := range b.from[lo:hi] {
			sum += T(b.weight[lo+k] * src[at])
		}
		dst[i] = sum
	}
}

func (b *blend[T]) across(dst, src []T, i int) {
	lo, hi := b.first[i], b.first[i+1]
	if lo == hi {
		for k := range dst {
			dst[k] = b.extra
		}
		return
	}
	if hi-lo == 2 {
		w0, w1 := b.weight[lo], b.weight[lo+1]
		s0 := src[b.from[lo]*b.inner:][:len(dst)]
		s1 := src[b.from[lo+1]*b.inner:][:len(dst)]
		for k := range dst {
			dst[k] = T(w0*s0[k]) + T(w1*s1[k])
		}
		return
	}
	for t := lo; t < hi; t++ {
		w, s := b.weight[t], src[b.from[t]*b.inner:][:len(dst)]
		if t == lo {
			for k := range dst {
				dst[k] = w * s[k]
			}
			continue
		}
		for k := range dst {
			dst[k] += T(w * s[k])
		}
	}
}
