package dynquant

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// qLinearConcat joins 8-bit tensors, each with its scale and zero point, on the grid of the result. Inputs: y_scale,
// y_zero, then x, x_scale, x_zero of each part.
type qLinearConcat struct{ axis int }

func newQLinearConcat(a *graph.Attrs) (graph.Op, error) {
	a.Require("axis")
	return &qLinearConcat{int(a.Int("axis", 0))}, nil
}

func (o *qLinearConcat) Infer(c *graph.InferCtx) error {
	n := c.NumIn()
	if n < 5 || (n-2)%3 != 0 {
		return fmt.Errorf("got %d inputs, want scale and zero point of the result and three for each part", n)
	}
	if err := wantInputs(c, n, n); err != nil {
		return err
	}
	if err := wantScaled(c, -1, 0, 1); err != nil {
		return err
	}
	d := c.In(1).DType
	var dims []tensor.Dim
	for i := 2; i < n; i += 3 {
		if err := wantScaled(c, i, i+1, i+2); err != nil {
			return err
		}
		x := c.In(i)
		if x.DType != d && x.DType != tensor.Undefined && d != tensor.Undefined {
			return fmt.Errorf("part of type %v, but the result is %v", x.DType, d)
		}
		if !x.Ranked {
			c.Out(0, tensor.Unranked(d))
			return nil
		}
		axis, err := axisIn(o.axis, len(x.Dims))
		if err != nil {
			return err
		}
		if dims == nil {
			dims = append(dims, x.Dims...)
			continue
		}
		if err := joinDims(dims, x, axis); err != nil {
			return err
		}
	}
	c.Out(0, tensor.Ranked(d, dims))
	return nil
}

// joinDims adds the size of x along axis to dims and takes over what x tells about the other ones.
func joinDims(dims []tensor.Dim, x tensor.Spec, axis int) error {
	if len(dims) != len(x.Dims) {
		return fmt.Errorf("parts of %d and %d dimensions", len(dims), len(x.Dims))
	}
	for i, b := range x.Dims {
		a := dims[i]
		switch {
		case i == axis && a.Known() && b.Known():
			dims[i] = tensor.Fixed(a.Size + b.Size)
		case i == axis:
			dims[i] = tensor.AnyDim
		case a.Known() && b.Known() && a.Size != b.Size:
			return fmt.Errorf("parts differ in dimension %d: %d and %d", i, a.Size, b.Size)
		case !a.Known():
			dims[i] = b
		}
	}
	return nil
}

// concatJob writes the rows of one part: what lies between two of its neighbours in the result.
type concatJob struct {
	t              byteTable
	src, dst       []uint8
	width, dstStep int
}

func (j *concatJob) Do(lo, hi int) {
	for r := lo; r < hi; r++ {
		dst := j.dst[r*j.dstStep:][:j.width]
		for i, v := range j.src[r*j.width : (r+1)*j.width] {
			dst[i] = j.t[v]
		}
	}
}

func (o *qLinearConcat) Run(c *graph.RunCtx) error {
	y := c.Out[0]
	if y.Len() == 0 {
		return nil
	}
	j := graph.State[concatJob](c)
	defer func() { *j = concatJob{} }()
	axis, err := axisIn(o.axis, y.Rank())
	if err != nil {
		return err
	}
	step, start := count(y.Shape()[axis:]), 0
	for i := 2; i < len(c.In); i += 3 {
		x := c.In[i]
		width := count(x.Shape()[axis:])
		if width == 0 {
			continue
		}
		*j = concatJob{src: x.Bytes(), dst: y.Bytes()[start:], width: width, dstStep: step}
		j.t.set(y.DType(), scaledOf(c, i+1, i+2), scaledOf(c, 0, 1), nil)
		if err := c.For(y.Len()/step, 1+16384/width, j); err != nil {
			return err
		}
		start += width
	}
	return nil
}
