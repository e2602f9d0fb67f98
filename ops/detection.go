package ops

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) detections() []graph.Def {
	return []graph.Def{
		{Op: "RoiAlign", Since: 10, New: newRoiAlign10, Types: floatTypes},
		{Op: "RoiAlign", Since: 16, New: newRoiAlign, Types: floatTypes},
		{Op: "NonMaxSuppression", Since: 10, New: newNonMaxSuppression, Types: dtypes{tensor.Float32}},
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

// nonMaxSuppression lists [batch class box] of the boxes with the highest scores, at most so many per class, that do not
// overlap a better one of their class by more than a threshold.
type nonMaxSuppression struct{ center bool }

func newNonMaxSuppression(a *graph.Attrs) (graph.Op, error) {
	return nonMaxSuppression{a.Bool("center_point_box", false)}, nil
}

func (o nonMaxSuppression) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 2, 5); err != nil {
		return err
	}
	boxes, scores := c.In(0), c.In(1)
	for i, name := range []string{"boxes", "scores"} {
		if err := wantType(c, i, name, tensor.Float32); err != nil {
			return err
		}
	}
	if boxes.Ranked && (len(boxes.Dims) != 3 || boxes.Dims[2].Known() && boxes.Dims[2].Size != 4) || scores.Ranked && len(scores.Dims) != 3 {
		return fmt.Errorf("boxes %v and scores %v, want [batch boxes 4] and [batch classes boxes]", boxes, scores)
	}
	if boxes.Ranked && scores.Ranked {
		if err := checkSame("scores", scores, []tensor.Dim{boxes.Dims[0], tensor.AnyDim, boxes.Dims[1]}, true); err != nil {
			return err
		}
	}
	c.Out(0, tensor.Ranked(tensor.Int64, []tensor.Dim{tensor.AnyDim, tensor.Fixed(3)}))
	return nil
}

// scalarInput reads an optional scalar input.
func scalarInput(c *graph.RunCtx, i int, def float64) (float64, error) {
	if i >= len(c.In) || c.In[i] == nil || c.In[i].Len() == 0 {
		return def, nil
	}
	f, err := toFloats(c.In[i])
	if err != nil {
		return 0, err
	}
	return f[0], nil
}

func (o nonMaxSuppression) Run(c *graph.RunCtx) error {
	boxes, scores := tensor.View[float32](c.In[0]), tensor.View[float32](c.In[1])
	s := c.In[1].Shape()
	limit, err := scalarInput(c, 2, 0)
	if err != nil {
		return err
	}
	overlap, err := scalarInput(c, 3, 0)
	if err != nil {
		return err
	}
	floor, err := scalarInput(c, 4, math.Inf(-1))
	if err != nil {
		return err
	}
	var found []int64
	for b := range s[0] {
		corners := make([][4]float64, s[2])
		for i := range corners {
			corners[i] = o.corners(boxes[(b*s[2]+i)*4:][:4])
		}
		for class := range s[1] {
			for _, i := range suppress(corners, scores[(b*s[1]+class)*s[2]:][:s[2]], limit, overlap, floor) {
				found = append(found, int64(b), int64(class), int64(i))
			}
		}
	}
	y, err := output(c, 0, tensor.Int64, len(found)/3, 3)
	if err == nil {
		copy(tensor.View[int64](y), found)
	}
	return err
}

// corners brings a box to [x1 y1 x2 y2] with rising numbers.
func (o nonMaxSuppression) corners(b []float32) [4]float64 {
	if o.center {
		x, y, w, h := float64(b[0]), float64(b[1]), float64(b[2])/2, float64(b[3])/2
		return [4]float64{x - w, y - h, x + w, y + h}
	}
	x1, y1, x2, y2 := float64(b[1]), float64(b[0]), float64(b[3]), float64(b[2])
	return [4]float64{min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)}
}

func suppress(corners [][4]float64, scores []float32, limit, overlap, floor float64) []int {
	var order []int
	for i, v := range scores {
		if float64(v) > floor || math.IsInf(floor, -1) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	var kept []int
	for _, i := range order {
		if float64(len(kept)) >= limit {
			break
		}
		if !slices.ContainsFunc(kept, func(k int) bool { return overlapOf(corners[i], corners[k]) > overlap }) {
			kept = append(kept, i)
		}
	}
	return kept
}

// overlapOf is the area that two boxes share, as a part of the area of both.
func overlapOf(a, b [4]float64) float64 {
	w, h := min(a[2], b[2])-max(a[0], b[0]), min(a[3], b[3])-max(a[1], b[1])
	if !(w > 0) || !(h > 0) {
		return 0
	}
	both := w * h
	areaA, areaB := (a[2]-a[0])*(a[3]-a[1]), (b[2]-b[0])*(b[3]-b[1])
	if areaA <= 0 || areaB <= 0 {
		return 0
	}
	return both / (areaA + areaB - both)
}
