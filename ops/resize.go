package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func resizes(l lib) []graph.Def {
	types := numberTypes
	return []graph.Def{
		{Op: "Upsample", Since: 1, New: l.resize(newUpsample1), Types: types},
		{Op: "Upsample", Since: 7, New: l.resize(newUpsample7), Types: types},
		{Op: "Upsample", Since: 9, New: l.resize(newResize10), Types: types},
		{Op: "Resize", Since: 10, New: l.resize(newResize10), Types: types},
		{Op: "Resize", Since: 11, New: l.resize(newResize), Types: types},
	}
}

// resize samples its input at other sizes: given as scales by an attribute (Upsample to version 8), input 1 (to opset
// 10) or 2, or as sizes by input 3. Axes are sampled one after the other.
type resize struct {
	k          *backend.Kernels
	mode       string // nearest, linear or cubic
	coords     string // coordinate_transformation_mode
	nearest    string // nearest_mode; "simple" is up where an axis shrinks and down where it grows
	a          float64
	exclude    bool
	extra      float64
	antialias  bool
	axes       []int64
	policy     string // keep_aspect_ratio_policy
	scales     []float32
	scaleInput int // 0: by attribute
}

// resize makes the operator with the kernels.
func (l lib) resize(f func(*graph.Attrs) (resize, error)) func(*graph.Attrs) (graph.Op, error) {
	return func(a *graph.Attrs) (graph.Op, error) {
		o, err := f(a)
		if err != nil {
			return nil, err
		}
		o.k = l.k
		return o, nil
	}
}

func newUpsample1(a *graph.Attrs) (resize, error) {
	a.Require("height_scale", "width_scale")
	o := resize{mode: a.OneOf("mode", "nearest", "bilinear"), coords: "asymmetric", nearest: "simple"}
	if o.mode == "bilinear" {
		o.mode = "linear"
	}
	o.scales = []float32{1, 1, a.Float("height_scale", 1), a.Float("width_scale", 1)}
	return o, nil
}

func newUpsample7(a *graph.Attrs) (resize, error) {
	a.Require("scales")
	return resize{mode: a.OneOf("mode", "nearest", "linear"), coords: "asymmetric", nearest: "simple", scales: a.Floats("scales")}, nil
}

func newResize10(a *graph.Attrs) (resize, error) {
	return resize{mode: a.OneOf("mode", "nearest", "linear"), coords: "asymmetric", nearest: "simple", scaleInput: 1}, nil
}

func newResize(a *graph.Attrs) (resize, error) {
	o := resize{
		mode: a.OneOf("mode", "nearest", "linear", "cubic"),
		coords: a.OneOf("coordinate_transformation_mode", "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric",
			"tf_half_pixel_for_nn", "tf_crop_and_resize", "half_pixel_symmetric"),
		nearest:    a.OneOf("nearest_mode", "round_prefer_floor", "round_prefer_ceil", "floor", "ceil"),
		a:          float64(a.Float("cubic_coeff_a", -0.75)),
		exclude:    a.Bool("exclude_outside", false),
		extra:      float64(a.Float("extrapolation_value", 0)),
		antialias:  a.Bool("antialias", false),
		axes:       a.Ints("axes"),
		policy:     a.OneOf("keep_aspect_ratio_policy", "stretch", "not_larger", "not_smaller"),
		scaleInput: 2,
	}
	if o.antialias && o.mode == "nearest" {
		return resize{}, fmt.Errorf("attribute antialias with mode nearest")
	}
	return o, nil
}

// sampling says how an axis is sampled.
type sampling struct {
	in, out    int
	scale      float32
	start, end float32 // region of interest, as parts of the axis
}

// identity reports whether the axis keeps its elements.
func (s sampling) identity(coords string) bool {
	return s.scale == 1 && s.in == s.out && coords != "tf_crop_and_resize" && coords != "tf_half_pixel_for_nn"
}

// position is where on the source axis position i lies. All is float32, as the scales are: in float64 a scale of 0.6 would
// be a little more, and miss the elements that are meant.
func (s sampling) position(coords string, i int) float32 {
	x, in, out := float32(i), float32(s.in), float32(s.out)
	long := s.scale * in
	switch coords {
	case "align_corners":
		if long == 1 || s.out == 1 {
			return 0
		}
		return x * (in - 1) / (long - 1)
	case "asymmetric":
		return x / s.scale
	case "tf_half_pixel_for_nn":
		return (x + 0.5) / s.scale
	case "tf_crop_and_resize":
		if s.out == 1 {
			return (s.start + s.end) * (in - 1) / 2
		}
		return float32(s.start*(in-1)) + x*(s.end-s.start)*(in-1)/(long-1)
	case "pytorch_half_pixel":
		if s.out == 1 {
			return 0
		}
	case "half_pixel_symmetric":
		return float32(in/2*(1-out/long)) + (x+0.5)/s.scale - 0.5
	}
	return (x+0.5)/s.scale - 0.5
}

// listed are the axes that are sampled, in the order of their sizes, appended to list.
func (o resize) listed(list []int, rank int) ([]int, error) {
	if o.axes == nil {
		for i := range rank {
			list = append(list, i)
		}
		return list, nil
	}
	return axesOf(o.axes, rank)
}

// samplings says how the axes are sampled, in all. Exactly one of scales and dims has elements; axes are those sampled.
func (o resize) samplings(all []sampling, axes, shape []int, scales []float32, dims []int64, roi []float32) ([]sampling, error) {
	for _, n := range shape {
		all = append(all, sampling{in: n, out: n, scale: 1, end: 1})
	}
	n := len(axes)
	switch {
	case len(scales) > 0 && len(scales) != n:
		return nil, fmt.Errorf("%d scales for %d axes", len(scales), n)
	case len(scales) == 0 && len(dims) != n:
		return nil, fmt.Errorf("%d sizes for %d axes", len(dims), n)
	case o.coords == "tf_crop_and_resize" && len(roi) != 2*n:
		return nil, fmt.Errorf("roi has %d numbers, want %d", len(roi), 2*n)
	}
	same := float32(math.NaN())
	for k, a := range axes {
		s := &all[a]
		if o.coords == "tf_crop_and_resize" {
			s.start, s.end = roi[k], roi[n+k]
		}
		if len(scales) > 0 {
			if err := s.byScale(scales[k]); err != nil {
				return nil, err
			}
			continue
		}
		if dims[k] < 0 || dims[k] > maxTensorBytes || dims[k] > 0 && s.in == 0 {
			return nil, fmt.Errorf("size %d for axis %d of size %d", dims[k], a, s.in)
		}
		s.out = int(dims[k])
		if s.in > 0 {
			s.scale = float32(s.out) / float32(s.in)
		}
		if same != same || (o.policy == "not_larger") == (s.scale < same) {
			same = s.scale
		}
	}
	if len(scales) == 0 && o.policy != "stretch" {
		for _, a := range axes {
			out := float64(same)*float64(all[a].in) + 0.5
			if out > float64(maxTensorBytes) {
				return nil, fmt.Errorf("axis %d of size %d becomes too large", a, all[a].in)
			}
			all[a].scale, all[a].out = same, int(out)
		}
	}
	return all, nil
}

// byScale sets the size that follows from a scale: rounded down, in float32 as the scale is.
func (s *sampling) byScale(scale float32) error {
	out := scale * float32(s.in)
	if !(scale > 0) || float64(out) > float64(maxTensorBytes) {
		return fmt.Errorf("scale %v of an axis of size %d", scale, s.in)
	}
	s.out, s.scale = int(out), scale
	return nil
}

func (o resize) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 4); err != nil {
		return err
	}
	x := c.In(0)
	if err := checkType("input", x.DType, numberTypes); err != nil {
		return err
	}
	if o.scaleInput > 0 {
		if err := wantType(c, o.scaleInput, "scales", tensor.Float32); err != nil {
			return err
		}
		if err := wantType(c, 3, "sizes", tensor.Int64); err != nil {
			return err
		}
	}
	if !x.Ranked {
		c.Out(0, tensor.Unranked(x.DType))
		return nil
	}
	dims := anyDims(len(x.Dims))
	axes, err := o.listed(nil, len(dims))
	if err != nil {
		return err
	}
	copyOthers(dims, x.Dims, axes)
	scales, sizes, ok := o.known(c)
	switch shape, complete := tensor.Ranked(tensor.Uint8, x.Dims).Shape(); {
	case ok && complete && (len(scales) > 0 || sizesKnown(sizes)):
		var want []int64
		for _, d := range sizes {
			want = append(want, int64(d.Size))
		}
		list, err := o.samplings(nil, axes, shape, scales, want, make([]float32, 2*len(axes)))
		if err != nil {
			return err
		}
		for i, s := range list {
			dims[i] = tensor.Fixed(s.out)
		}
	case ok:
		o.partial(dims, x.Dims, axes, scales, sizes)
	}
	c.Out(0, tensor.Ranked(x.DType, dims))
	return checkDims(x.DType, dims)
}

// copyOthers keeps the dimensions of axes that are not listed.
func copyOthers(dims, x []tensor.Dim, axes []int) {
	copy(dims, x)
	for _, a := range axes {
		dims[a] = tensor.AnyDim
	}
}

func sizesKnown(dims []tensor.Dim) bool {
	for _, d := range dims {
		if !d.Known() {
			return false
		}
	}
	return true
}

// partial sets what is known of the output when not all is known of the input or the sizes.
func (o resize) partial(dims, x []tensor.Dim, axes []int, scales []float32, sizes []tensor.Dim) {
	for k, a := range axes {
		switch {
		case len(scales) == len(axes):
			s := sampling{in: x[a].Size}
			if scales[k] == 1 {
				dims[a] = x[a]
			} else if x[a].Known() && s.byScale(scales[k]) == nil {
				dims[a] = tensor.Fixed(s.out)
			}
		case len(sizes) == len(axes) && o.policy == "stretch":
			dims[a] = sizes[k]
		}
	}
}

// known returns the scales or the sizes where they are known.
func (o resize) known(c *graph.InferCtx) (scales []float32, sizes []tensor.Dim, ok bool) {
	if o.scaleInput == 0 {
		return o.scales, nil, true
	}
	if c.Has(3) {
		if sizes, ok = c.Ints(3); ok && len(sizes) > 0 {
			return nil, sizes, true
		}
		if n := knownLen(c, 3); n != 0 {
			return nil, nil, false
		}
	}
	if t := c.Const(o.scaleInput); t != nil {
		scales, err := tensor.Data[float32](t)
		return scales, nil, err == nil
	}
	return nil, nil, false
}

// given returns the arguments of a run.
func (o resize) given(c *graph.RunCtx) (scales []float32, sizes []int64, roi []float32, err error) {
	if o.scaleInput == 0 {
		return o.scales, nil, nil, nil
	}
	if o.scaleInput == 2 && len(c.In) > 1 && c.In[1] != nil && o.coords == "tf_crop_and_resize" {
		f, err := toFloats(c.In[1])
		if err != nil {
			return nil, nil, nil, err
		}
		for _, v := range f {
			roi = append(roi, float32(v))
		}
	}
	if len(c.In) > 3 && c.In[3] != nil && c.In[3].Len() > 0 {
		return nil, runInts(c.In[3]), roi, nil
	}
	if len(c.In) <= o.scaleInput || c.In[o.scaleInput] == nil {
		return nil, nil, nil, fmt.Errorf("neither scales nor sizes are given")
	}
	return tensor.View[float32](c.In[o.scaleInput]), nil, roi, nil
}

func (o resize) Run(c *graph.RunCtx) error {
	x := c.In[0]
	scales, sizes, roi, err := o.given(c)
	if err != nil {
		return err
	}
	s := graph.State[resizeState](c)
	if s.axes, err = o.listed(s.axes[:0], x.Rank()); err != nil {
		return err
	}
	list, err := o.samplings(s.list[:0], s.axes, x.Shape(), scales, sizes, roi)
	if err != nil {
		return err
	}
	s.list = list
	if c.Out[0] == nil {
		shape := make([]int, len(list))
		for i, s := range list {
			shape[i] = s.out
		}
		if _, err := output(c, 0, x.DType(), shape...); err != nil {
			return err
		}
	}
	if c.Out[0].Len() == 0 {
		return nil
	}
	if o.mode == "nearest" {
		return o.runNearest(c, s)
	}
	return o.runWeighted(c, s)
}
