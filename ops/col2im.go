package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func col2Ims(l lib) []graph.Def {
	return []graph.Def{
		{Op: "Col2Im", Since: 18, New: newCol2Im, Types: numberTypes},
	}
}

// col2Im adds the columns of blocks [batch, channels*block, positions] up to images of the sizes in input 1; input 2 has
// the sizes of a block.
type col2Im struct{ dilations, pads, strides []int64 }

func newCol2Im(a *graph.Attrs) (graph.Op, error) {
	o := col2Im{a.Ints("dilations"), a.Ints("pads"), a.Ints("strides")}
	for _, list := range [][]int64{o.dilations, o.strides} {
		for _, v := range list {
			if v < 1 || v > 1<<30 {
				return nil, fmt.Errorf("dilations %v and strides %v, want positive numbers", o.dilations, o.strides)
			}
		}
	}
	for _, v := range o.pads {
		if v < 0 || v > 1<<30 {
			return nil, fmt.Errorf("pads %v have a number out of range", o.pads)
		}
	}
	return o, nil
}

func (o col2Im) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 3, 3); err != nil {
		return err
	}
	x := c.In(0)
	if err := checkType("input", x.DType, numberTypes); err != nil {
		return err
	}
	if x.Ranked && len(x.Dims) != 3 {
		return fmt.Errorf("input %v, want three dimensions", x)
	}
	image, ok := c.Ints(1)
	if !ok {
		if n := knownLen(c, 1); n >= 0 {
			c.Out(0, tensor.Ranked(x.DType, anyDims(n+2)))
		} else {
			c.Out(0, tensor.Unranked(x.DType))
		}
		return nil
	}
	dims := append(anyDims(2), image...)
	if block, ok := constInts(c, 2); ok && x.Ranked {
		dims[0] = x.Dims[0]
		if vals, ok := constInts(c, 1); ok {
			if _, err := o.layout(vals, block, x.Dims); err != nil {
				return err
			}
		}
		size := int64(1)
		for _, v := range block {
			size *= max(v, 1)
		}
		if x.Dims[1].Known() {
			dims[1] = tensor.Fixed(int(int64(x.Dims[1].Size) / max(size, 1)))
		}
	}
	c.Out(0, tensor.Ranked(x.DType, dims))
	return checkDims(x.DType, dims)
}

// colAxis is an axis of the image: its size, the block's size on it, and the number of blocks along it.
type colAxis struct{ image, block, count, dilation, stride, pad int }

// layout checks the sizes against the input's dimensions, as far as those are known.
func (o col2Im) layout(image, block []int64, x []tensor.Dim) ([]colAxis, error) {
	n := len(image)
	if len(block) != n || o.dilations != nil && len(o.dilations) != n || o.strides != nil && len(o.strides) != n || o.pads != nil && len(o.pads) != 2*n {
		return nil, fmt.Errorf("image %v, block %v, dilations %v, strides %v and pads %v do not fit together", image, block, o.dilations, o.strides, o.pads)
	}
	axes := make([]colAxis, n)
	size, count := 1, 1
	for i := range axes {
		a := colAxis{image: int(image[i]), block: int(block[i]), dilation: 1, stride: 1}
		if image[i] < 0 || block[i] < 1 || image[i] > 1<<30 || block[i] > 1<<30 {
			return nil, fmt.Errorf("image %v and block %v have a size out of range", image, block)
		}
		end := 0
		if o.dilations != nil {
			a.dilation = int(o.dilations[i])
		}
		if o.strides != nil {
			a.stride = int(o.strides[i])
		}
		if o.pads != nil {
			a.pad, end = int(o.pads[i]), int(o.pads[n+i])
		}
		room := image[i] + int64(a.pad) + int64(end) - int64(a.dilation)*int64(a.block-1) - 1
		if room < 0 {
			return nil, fmt.Errorf("block %v does not fit image %v", block, image)
		}
		a.count = int(room/int64(a.stride)) + 1
		axes[i] = a
		if size > math.MaxInt/16/a.block || count > math.MaxInt/16/max(a.count, 1) {
			return nil, fmt.Errorf("image %v and block %v are too large", image, block)
		}
		size *= a.block
		count *= a.count
	}
	if x[1].Known() && x[1].Size%size != 0 || x[2].Known() && x[2].Size != count {
		return nil, fmt.Errorf("input of %v channels and %v positions, want a multiple of %d and %d", x[1], x[2], size, count)
	}
	return axes, nil
}

func (o col2Im) Run(c *graph.RunCtx) error {
	x := c.In[0]
	image, block := runInts(c.In[1]), runInts(c.In[2])
	axes, err := o.layout(image, block, fixedDims(x.Shape()))
	if err != nil {
		return err
	}
	size, count, area := 1, 1, 1
	shape := []int{x.Shape()[0], 0}
	for _, a := range axes {
		size *= a.block
		count *= a.count
		area *= a.image
		shape = append(shape, a.image)
	}
	shape[1] = x.Shape()[1] / size
	y, err := output(c, 0, x.DType(), shape...)
	if err != nil || y.Len() == 0 {
		return err
	}
	src, err := toFloats(x)
	if err != nil {
		return err
	}
	dst := make([]float64, y.Len())
	for e := range size * count {
		at, ok := 0, true
		off, pos, step := e/count, e%count, 1
		for i := len(axes) - 1; i >= 0 && ok; i-- {
			a := axes[i]
			p := pos%a.count*a.stride + off%a.block*a.dilation - a.pad
			off /= a.block
			pos /= a.count
			ok = p >= 0 && p < a.image
			at += p * step
			step *= a.image
		}
		for plane := 0; ok && plane < shape[0]*shape[1]; plane++ {
			dst[plane*area+at] += src[plane*size*count+e]
		}
	}
	return fromFloats(y, dst)
}
