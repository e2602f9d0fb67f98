package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func views(l lib) []graph.Def {
	all := everyType()
	return []graph.Def{
		{Op: "Identity", Since: 1, New: newIdentity, Types: all},
		{Op: "Flatten", Since: 1, New: newFlatten, Types: all},
		{Op: "Squeeze", Since: 1, New: newSqueeze, Types: all},
		{Op: "Unsqueeze", Since: 1, New: newUnsqueeze, Types: all},
	}
}

// view is the part of operators whose output has the elements of input 0 in their order.
type view struct{}

func (view) ViewOf() int { return 0 }

func (view) set(c *graph.RunCtx, shape []int) error {
	x := c.In[0]
	y := c.Out[0]
	if y == nil {
		y, err := x.Reshape(shape...)
		if err == nil {
			c.Set(0, y)
		}
		return err
	}
	if x.DType() == tensor.String {
		copy(tensor.View[string](y), tensor.View[string](x))
	} else {
		tensor.Copy(y.Bytes(), x.Bytes())
	}
	return nil
}

// inferView sets the output of a view, and its contents where those of the input are known.
func inferView(c *graph.InferCtx, dims []tensor.Dim) error {
	x := c.In(0)
	if err := checkDims(x.DType, dims); err != nil {
		return err
	}
	c.Out(0, tensor.Ranked(x.DType, dims))
	shape, ok := tensor.Ranked(x.DType, dims).Shape()
	if !ok || len(shape) > 1 {
		return nil
	}
	if vals, ok := constInts(c, 0); ok && len(vals) == elemCount(shape) {
		outVals(c, 0, x.DType, vals, shape...)
	} else if ints, ok := c.Ints(0); ok && len(ints) == elemCount(shape) {
		c.OutInts(0, ints)
	}
	return nil
}

// identity is its input, which may be a sequence or an optional.
type identity struct{ view }

func newIdentity(*graph.Attrs) (graph.Op, error) { return identity{}, nil }

func (identity) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 1, 1); err != nil {
		return err
	}
	x := c.In(0)
	if x.Kind == tensor.KindTensor && x.Ranked {
		return inferView(c, x.Dims)
	}
	c.Out(0, x)
	return nil
}

func (o identity) Run(c *graph.RunCtx) error {
	if c.In[0].Kind() != tensor.KindTensor {
		c.Set(0, c.In[0])
		return nil
	}
	return o.set(c, c.In[0].Shape())
}

// flatten joins the axes before axis to one and those from it on to another.
type flatten struct {
	view
	axis int64
}

func newFlatten(a *graph.Attrs) (graph.Op, error) { return flatten{axis: a.Int("axis", 1)}, nil }

func (o flatten) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 1); err != nil {
		return err
	}
	x := c.In(0)
	if !x.Ranked {
		c.Out(0, tensor.Ranked(x.DType, anyDims(2)))
		return nil
	}
	axis, err := o.split(len(x.Dims))
	if err != nil {
		return err
	}
	return inferView(c, []tensor.Dim{productDim(x.Dims[:axis]), productDim(x.Dims[axis:])})
}

// split is the axis from the front; the rank itself is allowed.
func (o flatten) split(rank int) (int, error) {
	if o.axis == int64(rank) {
		return rank, nil
	}
	return axisOf(o.axis, rank)
}

func (o flatten) Run(c *graph.RunCtx) error {
	x := c.In[0].Shape()
	axis, err := o.split(len(x))
	if err != nil {
		return err
	}
	return o.set(c, []int{elemCount(x[:axis]), elemCount(x[axis:])})
}

// squeeze drops axes of size 1: those listed in an attribute (to opset 12) or input 1, or all where none are listed.
type squeeze struct {
	view
	axes    []int64
	hasAxes bool
}

func newSqueeze(a *graph.Attrs) (graph.Op, error) {
	o := squeeze{hasAxes: a.Has("axes")}
	o.axes = a.Ints("axes")
	return o, nil
}

func (o squeeze) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 2); err != nil {
		return err
	}
	x := c.In(0)
	axes, listed := o.axes, o.hasAxes
	if c.Has(1) {
		if err := wantType(c, 1, "axes", tensor.Int64); err != nil {
			return err
		}
		var ok bool
		if axes, ok = constInts(c, 1); !ok {
			if n := knownLen(c, 1); n > 0 && x.Ranked && n <= len(x.Dims) {
				c.Out(0, tensor.Ranked(x.DType, anyDims(len(x.Dims)-n)))
			} else {
				c.Out(0, tensor.Unranked(x.DType))
			}
			return nil
		}
		listed = true
	}
	if !x.Ranked {
		c.Out(0, tensor.Unranked(x.DType))
		return nil
	}
	dims, ok, err := squeezed(x.Dims, axes, listed)
	if err != nil {
		return err
	}
	if !ok {
		c.Out(0, tensor.Unranked(x.DType))
		return nil
	}
	return inferView(c, dims)
}

// squeezed returns the dimensions that stay; ok is false when it takes sizes that are not known.
func squeezed(x []tensor.Dim, axes []int64, listed bool) (dims []tensor.Dim, ok bool, err error) {
	drop := make([]bool, len(x))
	if listed {
		list, err := axesOf(axes, len(x))
		if err != nil {
			return nil, false, err
		}
		for _, a := range list {
			if x[a].Known() && x[a].Size != 1 {
				return nil, false, fmt.Errorf("axis %d of %v is not of size 1", a, tensor.Ranked(tensor.Undefined, x).Dims)
			}
			drop[a] = true
		}
	}
	dims = []tensor.Dim{}
	for a, d := range x {
		if !listed {
			if !d.Known() {
				return nil, false, nil
			}
			drop[a] = d.Size == 1
		}
		if !drop[a] {
			dims = append(dims, d)
		}
	}
	return dims, true, nil
}

func (o squeeze) Run(c *graph.RunCtx) error {
	axes, listed := o.axes, o.hasAxes
	if len(c.In) > 1 && c.In[1] != nil {
		axes, listed = runInts(c.In[1]), true
	}
	dims, _, err := squeezed(fixedDims(c.In[0].Shape()), axes, listed)
	if err != nil {
		return err
	}
	return o.set(c, sizes(dims))
}

// unsqueeze adds axes of size 1 at the places listed in an attribute (to opset 12) or input 1, which count in the
// output.
type unsqueeze struct {
	view
	axes    []int64
	hasAxes bool
}

func newUnsqueeze(a *graph.Attrs) (graph.Op, error) {
	o := unsqueeze{hasAxes: a.Has("axes")}
	o.axes = a.Ints("axes")
	if !o.hasAxes && a.NumIn < 2 {
		return nil, fmt.Errorf("neither an attribute nor an input gives the axes")
	}
	return o, nil
}

func (o unsqueeze) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 2-b2i(o.hasAxes), 2); err != nil {
		return err
	}
	x := c.In(0)
	axes := o.axes
	if !o.hasAxes {
		if err := wantType(c, 1, "axes", tensor.Int64); err != nil {
			return err
		}
		var ok bool
		if axes, ok = constInts(c, 1); !ok {
			if n := knownLen(c, 1); n >= 0 && x.Ranked {
				c.Out(0, tensor.Ranked(x.DType, anyDims(len(x.Dims)+n)))
			} else {
				c.Out(0, tensor.Unranked(x.DType))
			}
			return nil
		}
	}
	if !x.Ranked {
		c.Out(0, tensor.Unranked(x.DType))
		return nil
	}
	dims, err := unsqueezed(x.Dims, axes)
	if err != nil {
		return err
	}
	return inferView(c, dims)
}

func unsqueezed(x []tensor.Dim, axes []int64) ([]tensor.Dim, error) {
	list, err := axesOf(axes, len(x)+len(axes))
	if err != nil {
		return nil, err
	}
	dims := make([]tensor.Dim, len(x)+len(axes))
	for _, a := range list {
		dims[a].Size = 1
	}
	k := 0
	for i := range dims {
		if dims[i].Size == 0 {
			dims[i] = x[k]
			k++
		}
	}
	return dims, nil
}

func (o unsqueeze) Run(c *graph.RunCtx) error {
	axes := o.axes
	if !o.hasAxes {
		axes = runInts(c.In[1])
	}
	dims, err := unsqueezed(fixedDims(c.In[0].Shape()), axes)
	if err != nil {
		return err
	}
	return o.set(c, sizes(dims))
}

// sizes are the sizes of dimensions that are all known.
func sizes(dims []tensor.Dim) []int {
	shape := make([]int, len(dims))
	for i, d := range dims {
		shape[i] = d.Size
	}
	return shape
}
