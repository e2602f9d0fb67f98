package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func roiAligns(l lib) []graph.Def {
	return []graph.Def{
		{Op: "RoiAlign", Since: 10, New: newRoiAlign10, Types: floatTypes},
		{Op: "RoiAlign", Since: 16, New: newRoiAlign, Types: floatTypes},
	}
}

// roiAlign pools regions [x1 y1 x2 y2] of feature maps [N C H W] to one size: the mean, or the maximum, of samples
// interpolated inside each cell. Input 2 says of which map a region is.
type roiAlign struct {
	height, width int
	samples       int
	scale         float64
	offset        float64
	max           bool
}

func newRoiAlign10(a *graph.Attrs) (graph.Op, error) { return makeRoiAlign(a, 0) }

func newRoiAlign(a *graph.Attrs) (graph.Op, error) {
	offset := 0.0
	if a.OneOf("coordinate_transformation_mode", "half_pixel", "output_half_pixel") == "half_pixel" {
		offset = 0.5
	}
	return makeRoiAlign(a, offset)
}

func makeRoiAlign(a *graph.Attrs, offset float64) (graph.Op, error) {
	o := roiAlign{height: int(a.Int("output_height", 1)), width: int(a.Int("output_width", 1)), samples: int(a.Int("sampling_ratio", 0)),
		scale: float64(a.Float("spatial_scale", 1)), offset: offset, max: a.OneOf("mode", "avg", "max") == "max"}
	if o.height < 1 || o.width < 1 || o.samples < 0 || max(o.height, o.width, o.samples) > 1<<15 {
		return nil, fmt.Errorf("output_height=%d, output_width=%d and sampling_ratio=%d, want sizes", o.height, o.width, o.samples)
	}
	return o, nil
}

func (o roiAlign) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 3, 3); err != nil {
		return err
	}
	x, rois := c.In(0), c.In(1)
	if _, err := sameType(c, 0, 1); err != nil {
		return err
	}
	if err := checkType("input", x.DType, floatTypes); err != nil {
		return err
	}
	if err := wantType(c, 2, "batch_indices", tensor.Int64); err != nil {
		return err
	}
	if x.Ranked && len(x.Dims) != 4 || rois.Ranked && (len(rois.Dims) != 2 || rois.Dims[1].Known() && rois.Dims[1].Size != 4) {
		return fmt.Errorf("input %v and regions %v, want [N C H W] and [regions 4]", x, rois)
	}
	dims := []tensor.Dim{tensor.AnyDim, tensor.AnyDim, tensor.Fixed(o.height), tensor.Fixed(o.width)}
	if rois.Ranked {
		dims[0] = rois.Dims[0]
	}
	if x.Ranked {
		dims[1] = x.Dims[1]
	}
	if err := checkSame("batch_indices", c.In(2), dims[:1], true); err != nil {
		return err
	}
	c.Out(0, tensor.Ranked(x.DType, dims))
	return checkDims(x.DType, dims)
}

func (o roiAlign) Run(c *graph.RunCtx) error {
	x, rois, maps := c.In[0], c.In[1], runInts(c.In[2])
	s := x.Shape()
	y, err := output(c, 0, x.DType(), len(maps), s[1], o.height, o.width)
	if err != nil || y.Len() == 0 {
		return err
	}
	src, err := toFloats(x)
	if err != nil {
		return err
	}
	boxes, err := toFloats(rois)
	if err != nil {
		return err
	}
	dst := make([]float64, y.Len())
	cells := o.height * o.width
	for r, m := range maps {
		if m < 0 || m >= int64(s[0]) {
			return fmt.Errorf("batch index %d, the input has %d maps", m, s[0])
		}
		taps, err := o.taps(boxes[4*r:4*r+4], s[2], s[3])
		if err != nil {
			return err
		}
		for ch := range s[1] {
			plane := src[(int(m)*s[1]+ch)*s[2]*s[3]:]
			for k, cell := range taps {
				dst[(r*s[1]+ch)*cells+k] = o.pool(plane, cell)
			}
		}
	}
	return fromFloats(y, dst)
}

// roiTap is a sample: four elements of a map and their weights.
type roiTap struct {
	at [4]int
	w  [4]float64
}

// taps lists the samples of every cell of a region.
func (o roiAlign) taps(box []float64, height, width int) ([][]roiTap, error) {
	x0, y0 := float64(box[0]*o.scale)-o.offset, float64(box[1]*o.scale)-o.offset
	w, h := float64(box[2]*o.scale)-o.offset-x0, float64(box[3]*o.scale)-o.offset-y0
	if o.offset == 0 {
		w, h = max(w, 1), max(h, 1)
	}
	cw, ch := w/float64(o.width), h/float64(o.height)
	nx, ny := o.samples, o.samples
	if o.samples == 0 {
		if !(math.Abs(cw) < 1<<15) || !(math.Abs(ch) < 1<<15) {
			return nil, fmt.Errorf("region %v is too large", box)
		}
		nx, ny = int(math.Ceil(cw)), int(math.Ceil(ch))
	}
	cells := make([][]roiTap, 0, o.height*o.width)
	for py := range o.height {
		for px := range o.width {
			var cell []roiTap
			for iy := range ny {
				y := y0 + float64(float64(py)*ch) + float64((float64(iy)+0.5)*ch)/float64(ny)
				for ix := range nx {
					x := x0 + float64(float64(px)*cw) + float64((float64(ix)+0.5)*cw)/float64(nx)
					cell = append(cell, bilinearTap(x, y, height, width))
				}
			}
			cells = append(cells, cell)
		}
	}
	return cells, nil
}

func bilinearTap(x, y float64, height, width int) (t roiTap) {
	if !(y >= -1 && y <= float64(height) && x >= -1 && x <= float64(width)) {
		return t
	}
	x, y = max(x, 0), max(y, 0)
	xl, yl := int(x), int(y)
	xh, yh := xl+1, yl+1
	if yl >= height-1 {
		yl, yh, y = height-1, height-1, float64(height-1)
	}
	if xl >= width-1 {
		xl, xh, x = width-1, width-1, float64(width-1)
	}
	dx, dy := x-float64(xl), y-float64(yl)
	t.at = [4]int{yl*width + xl, yl*width + xh, yh*width + xl, yh*width + xh}
	t.w = [4]float64{(1 - dy) * (1 - dx), (1 - dy) * dx, dy * (1 - dx), dy * dx}
	return t
}

// pool joins the samples of a cell. The maximum is over the weighted elements, as ONNX defines it.
func (o roiAlign) pool(plane []float64, cell []roiTap) float64 {
	sum, top := 0.0, math.Inf(-1)
	for _, t := range cell {
		for k, at := range t.at {
			v := t.w[k] * plane[at]
			sum += v
			top = max(top, v)
		}
	}
	switch {
	case len(cell) == 0:
		return 0
	case o.max:
		return top
	}
	return sum / float64(len(cell))
}
