package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func unpools(l lib) []graph.Def {
	return []graph.Def{
		{Op: "MaxUnpool", Since: 9, New: l.newMaxUnpool, Types: floatTypes},
		{Op: "MaxRoiPool", Since: 1, New: l.newMaxRoiPool, Types: floatTypes},
	}
}

// maxUnpool puts elements back where MaxPool found them and zeros elsewhere. The indices of input 1 count elements of
// the shape that MaxPool's attributes imply; a given output shape only adds zeros at the ends of the dimensions.
type maxUnpool struct {
	l   lib
	win window
}

func (l lib) newMaxUnpool(a *graph.Attrs) (graph.Op, error) {
	a.Require("kernel_shape")
	w, err := newWindow(a)
	return &maxUnpool{l, w}, err
}

func (o *maxUnpool) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 2, 3); err != nil {
		return err
	}
	x, at := c.In(0), c.In(1)
	if err := checkType("unpooling", x.DType, floatTypes); err != nil {
		return err
	}
	if at.DType != tensor.Undefined && at.DType != tensor.Int64 {
		return fmt.Errorf("indices of type %v, want int64", at.DType)
	}
	if !x.Ranked {
		c.Out(0, tensor.Unranked(x.DType))
		return nil
	}
	if len(x.Dims) < 3 {
		return fmt.Errorf("input %v, want at least one spatial dimension", x)
	}
	if err := o.win.check(len(x.Dims) - 2); err != nil {
		return err
	}
	if err := wantDims("indices", at, x.Dims); err != nil {
		return err
	}
	dims := append([]tensor.Dim{}, x.Dims...)
	for i := range dims[2:] {
		if d := &dims[2+i]; d.Known() {
			*d = tensor.Fixed(o.unpooled(i, len(dims)-2, d.Size))
		} else {
			*d = tensor.AnyDim
		}
	}
	if c.Has(2) {
		shape, ok := c.Ints(2)
		if !ok {
			for i := range dims {
				dims[i] = tensor.AnyDim
			}
			c.Out(0, tensor.Ranked(x.DType, dims))
			return nil
		}
		if len(shape) != len(dims) {
			return fmt.Errorf("output_shape has %d sizes, want %d", len(shape), len(dims))
		}
		for i, d := range shape {
			if d.Known() && dims[i].Known() && (d.Size < dims[i].Size || i < 2 && d.Size != dims[i].Size) {
				return fmt.Errorf("output_shape %v, want at least %v", shape, dims)
			}
		}
		dims = shape
	}
	c.Out(0, tensor.Ranked(x.DType, dims))
	return nil
}

// unpooled is the size that spatial dimension i had.
func (o *maxUnpool) unpooled(i, rank, n int) int {
	return max(0, (n-1)*at(o.win.strides, i, 1)+o.win.kernel[i]-at(o.win.pads, i, 0)-at(o.win.pads, i+rank, 0))
}

func (o *maxUnpool) Run(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d.Size() {
	case 4:
		return unpool[float32](o, c)
	case 8:
		return unpool[float64](o, c)
	case 2:
		return unpool[uint16](o, c)
	default:
		return graph.UnsupportedType("unpooling", d)
	}
}

func unpool[T float32 | float64 | uint16](o *maxUnpool, c *graph.RunCtx) error {
	shape, out := c.In[0].Shape(), c.Out[0].Shape()
	x, y := tensor.View[T](c.In[0]), tensor.View[T](c.Out[0])
	clear(y)
	from := append([]int{}, shape...)
	for i := range from[2:] {
		from[2+i] = o.unpooled(i, len(from)-2, from[2+i])
	}
	n, err := tensor.Count(from)
	if err != nil {
		return err
	}
	pos := make([]int, len(from))
	for i, at := range tensor.View[int64](c.In[1]) {
		if at < 0 || at >= int64(n) {
			return fmt.Errorf("index %d is %d, want 0 to %d", i, at, n-1)
		}
		rest := int(at)
		for d := len(from) - 1; d >= 0; d-- {
			pos[d] = rest % from[d]
			rest /= from[d]
		}
		to := 0
		for d := range pos {
			to = to*out[d] + pos[d]
		}
		y[to] = x[i]
	}
	return nil
}

// maxRoiPool divides each region of input 1, rows of (batch entry, x1, y1, x2, y2), into a grid and takes the maximum of
// every cell.
type maxRoiPool struct {
	l             lib
	height, width int
	scale         float32
}

func (l lib) newMaxRoiPool(a *graph.Attrs) (graph.Op, error) {
	a.Require("pooled_shape")
	s := a.Ints("pooled_shape")
	if len(s) != 2 || s[0] < 1 || s[1] < 1 || s[0] > 1<<20 || s[1] > 1<<20 {
		return nil, fmt.Errorf("attribute pooled_shape is %v, want two sizes", s)
	}
	return &maxRoiPool{l, int(s[0]), int(s[1]), a.Float("spatial_scale", 1)}, nil
}

func (o *maxRoiPool) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 2, 2); err != nil {
		return err
	}
	d, err := sameType(c, 0, 1)
	if err != nil {
		return err
	}
	if err := checkType("pooling of regions", d, dtypes{tensor.Float32, tensor.Float16, tensor.BFloat16}); err != nil {
		return err
	}
	x, rois := c.In(0), c.In(1)
	if !x.Ranked || !rois.Ranked {
		c.Out(0, tensor.Unranked(d))
		return nil
	}
	if len(x.Dims) != 4 {
		return fmt.Errorf("input %v, want four dimensions", x)
	}
	if err := wantDims("rois", rois, []tensor.Dim{tensor.AnyDim, tensor.Fixed(5)}); err != nil {
		return err
	}
	c.Out(0, tensor.Ranked(d, []tensor.Dim{rois.Dims[0], x.Dims[1], tensor.Fixed(o.height), tensor.Fixed(o.width)}))
	return nil
}

func (o *maxRoiPool) Run(c *graph.RunCtx) error {
	if isHalf(c.In[0].DType()) {
		return o.l.asFloat32(c, o.runFloat32)
	}
	return o.runFloat32(c)
}

func (o *maxRoiPool) runFloat32(c *graph.RunCtx) error {
	s, x, rois, y := c.In[0].Shape(), tensor.View[float32](c.In[0]), tensor.View[float32](c.In[1]), tensor.View[float32](c.Out[0])
	scaled := func(v float32) int {
		return int(math.Round(float64(max(min(v*o.scale, 1<<30), -1<<30))))
	}
	for r := range len(rois) / 5 {
		roi := rois[5*r : 5*r+5]
		if !(roi[0] >= 0 && roi[0] < float32(s[0])) {
			return fmt.Errorf("region %d is of batch entry %v, want 0 to %d", r, roi[0], s[0]-1)
		}
		x1, y1, x2, y2 := scaled(roi[1]), scaled(roi[2]), scaled(roi[3]), scaled(roi[4])
		for ch := range s[1] {
			plane := x[(int(roi[0])*s[1]+ch)*s[2]*s[3]:][:s[2]*s[3]]
			for i := range o.height {
				for j := range o.width {
					h0, h1 := cell(i, o.height, y1, y2, s[2])
					w0, w1 := cell(j, o.width, x1, x2, s[3])
					best := float32(0) // of an empty cell
					if h0 < h1 && w0 < w1 {
						best = plane[h0*s[3]+w0]
					}
					for h := h0; h < h1; h++ {
						for w := w0; w < w1; w++ {
							best = max(best, plane[h*s[3]+w])
						}
					}
					y[((r*s[1]+ch)*o.height+i)*o.width+j] = best
				}
			}
		}
	}
	return nil
}

// cell is the range of cell i of n between first and last, both part of the region, inside a dimension of that size.
func cell(i, n, first, last, size int) (lo, hi int) {
	step := float32(max(last-first+1, 1)) / float32(n)
	lo = int(math.Floor(float64(float32(i)*step))) + first
	hi = int(math.Ceil(float64(float32(i+1)*step))) + first
	return min(max(lo, 0), size), min(max(hi, 0), size)
}
