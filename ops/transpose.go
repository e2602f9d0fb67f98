package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func transposes(l lib) []graph.Def {
	return []graph.Def{
		{Op: "Transpose", Since: 1, New: newTranspose, Types: everyType()},
		{Op: "DepthToSpace", Since: 1, New: newDepthToSpace, Types: everyType()},
		{Op: "SpaceToDepth", Since: 1, New: newSpaceToDepth, Types: everyType()},
	}
}

// transpose orders the axes by perm; without one it reverses them.
type transpose struct{ perm []int64 }

func newTranspose(a *graph.Attrs) (graph.Op, error) {
	return transpose{a.Ints("perm")}, nil
}

func (o transpose) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 1); err != nil {
		return err
	}
	x := c.In(0)
	if !x.Ranked {
		if o.perm != nil {
			c.Out(0, tensor.Ranked(x.DType, anyDims(len(o.perm))))
		} else {
			c.Out(0, tensor.Unranked(x.DType))
		}
		return nil
	}
	if o.perm != nil {
		if _, err := axesOf(o.perm, len(x.Dims)); err != nil || len(o.perm) != len(x.Dims) {
			return fmt.Errorf("perm %v does not order the axes of %v", o.perm, x)
		}
	}
	dims := make([]tensor.Dim, len(x.Dims))
	for i := range dims {
		dims[i] = x.Dims[o.axis(i, len(dims))]
	}
	c.Out(0, tensor.Ranked(x.DType, dims))
	return nil
}

// axis is the input's axis that becomes the output's axis i.
func (o transpose) axis(i, rank int) int {
	if o.perm == nil {
		return rank - 1 - i
	}
	if a := int(o.perm[i]); a >= 0 {
		return a
	}
	return int(o.perm[i]) + rank
}

func (o transpose) Run(c *graph.RunCtx) error {
	x := c.In[0]
	shape := x.Shape()
	rank := len(shape)
	j := graph.State[boxJob](c)
	j.reset()
	if c.Out[0] == nil {
		dims := make([]int, rank)
		for i := range dims {
			dims[i] = shape[o.axis(i, rank)]
		}
		if _, err := c.Alloc(0, x.DType(), dims...); err != nil {
			return err
		}
	}
	step := x.Len()
	for i := range rank {
		a := o.axis(i, rank)
		n := shape[a]
		if n == 0 {
			return nil
		}
		step /= n
		stride := 1
		for _, m := range shape[a+1:] {
			stride *= m
		}
		j.axis(n, step, stride)
	}
	return j.copy(c, c.Out[0], x)
}

// blocks moves elements between the channels of an image and square blocks of its plane: depthToSpace and
// spaceToDepth, on [N C H W].
type blocks struct {
	size  int
	crd   bool // depth is ordered column, row, depth: channels outermost
	depth bool // to depth
}

func newDepthToSpace(a *graph.Attrs) (graph.Op, error) {
	a.Require("blocksize")
	o := blocks{size: int(a.Int("blocksize", 1)), crd: a.OneOf("mode", "DCR", "CRD") == "CRD"}
	return o, o.check()
}

func newSpaceToDepth(a *graph.Attrs) (graph.Op, error) {
	a.Require("blocksize")
	o := blocks{size: int(a.Int("blocksize", 1)), depth: true}
	return o, o.check()
}

func (o blocks) check() error {
	if o.size < 1 || o.size > 1<<15 {
		return fmt.Errorf("attribute blocksize=%d, want a positive size", o.size)
	}
	return nil
}

func (o blocks) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 1); err != nil {
		return err
	}
	x := c.In(0)
	if !x.Ranked {
		c.Out(0, tensor.Ranked(x.DType, anyDims(4)))
		return nil
	}
	if len(x.Dims) != 4 {
		return fmt.Errorf("input %v, want [N C H W]", x)
	}
	dims := append([]tensor.Dim{}, x.Dims...)
	scale := func(i, mul, div int) error {
		if d := x.Dims[i]; !d.Known() {
			dims[i] = tensor.AnyDim
		} else if d.Size%div != 0 {
			return fmt.Errorf("axis %d of %v is not a multiple of %d", i, x, div)
		} else {
			dims[i].Size = d.Size / div * mul
		}
		return nil
	}
	b := o.size
	channels, plane := [2]int{1, b * b}, [2]int{b, 1}
	if o.depth {
		channels, plane = [2]int{b * b, 1}, [2]int{1, b}
	}
	for i, s := range [4][2]int{{1, 1}, channels, plane, plane} {
		if err := scale(i, s[0], s[1]); err != nil {
			return err
		}
	}
	c.Out(0, tensor.Ranked(x.DType, dims))
	return nil
}

func (o blocks) Run(c *graph.RunCtx) error {
	x := c.In[0]
	s, b := x.Shape(), o.size
	n, ch, h, w := s[0], s[1], s[2], s[3]
	j := graph.State[boxJob](c)
	j.reset()
	if o.depth {
		y, err := output(c, 0, x.DType(), n, ch*b*b, h/b, w/b)
		if err != nil {
			return err
		}
		oh, ow := h/b, w/b
		j.axis(n, ch*h*w, ch*h*w)
		j.axis(b, b*ch*oh*ow, w)
		j.axis(b, ch*oh*ow, 1)
		j.axis(ch, oh*ow, h*w)
		j.axis(oh, ow, b*w)
		j.axis(ow, 1, b)
		return j.copy(c, y, x)
	}
	d := ch / (b * b)
	y, err := output(c, 0, x.DType(), n, d, h*b, w*b)
	if err != nil {
		return err
	}
	row, col, deep := b*d*h*w, d*h*w, h*w // steps in the source of a block's row, its column, and of a channel
	if o.crd {
		row, col, deep = b*h*w, h*w, b*b*h*w
	}
	j.axis(n, ch*h*w, ch*h*w)
	j.axis(d, h*b*w*b, deep)
	j.axis(h, b*w*b, w)
	j.axis(b, w*b, row)
	j.axis(w, b, 1)
	j.axis(b, 1, col)
	return j.copy(c, y, x)
}
