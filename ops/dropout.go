package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func dropouts(l lib) []graph.Def {
	defs := []graph.Def{{Op: "Dropout", Since: 12, Types: floatTypes, New: newDropout12}}
	for _, since := range []int{1, 7, 10} {
		defs = append(defs, graph.Def{Op: "Dropout", Since: since, Types: floatTypes, New: newDropout1})
	}
	return defs
}

// dropout is Dropout where it may train: input 1 is the share of elements that become 0 while the rest grows to keep
// the mean, input 2 whether that happens at all. Output 1 tells the elements that stay.
type dropout struct {
	seed     seed
	maskType tensor.DType // Undefined: the input's
}

// passing is a dropout that cannot train and has no mask.
type passing struct{ dropout }

func (passing) ViewOf() int { return 0 }

// newDropout1 makes the forms that train, if at all, by attribute: before opset 7 by is_test=0, then never.
func newDropout1(a *graph.Attrs) (graph.Op, error) {
	if a.Opset < 7 {
		ignoreConsumed(a)
		if !a.Bool("is_test", false) {
			return nil, fmt.Errorf("%w: training, which is_test=0 asks for", graph.ErrUnsupported)
		}
	}
	a.Float("ratio", 0.5)
	var o dropout
	if a.Opset >= 10 {
		o.maskType = tensor.Bool
	}
	if a.NumOut < 2 {
		return passing{o}, nil
	}
	return o, nil
}

func newDropout12(a *graph.Attrs) (graph.Op, error) {
	o := dropout{seed{uint32(a.Int("seed", 0)), a.Has("seed")}, tensor.Bool}
	switch {
	case a.NumIn > 2:
		return o.seed.seeded(o), nil
	case a.NumOut < 2:
		return passing{o}, nil
	}
	return o, nil
}

func (o dropout) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 1, 3); err != nil {
		return err
	}
	d, err := sameType(c, 0)
	if err != nil {
		return err
	}
	if err := checkType("input", d, floatTypes); err != nil {
		return err
	}
	if err := checkType("ratio", c.In(1).DType, floatTypes); err != nil {
		return err
	}
	if err := checkType("training mode", c.In(2).DType, dtypes{tensor.Bool}); err != nil {
		return err
	}
	for i := 1; i < 3; i++ {
		if n := knownLen(c, i); c.Has(i) && (n != -1 && n != 1 || c.In(i).Rank() > 1) {
			return fmt.Errorf("input %d is %v, want a scalar", i, c.In(i))
		}
	}
	s := c.In(0)
	c.Out(0, s)
	if o.maskType != tensor.Undefined {
		s.DType = o.maskType
	}
	c.Out(1, s)
	return nil
}

func (o dropout) Run(c *graph.RunCtx) error {
	x, y := c.In[0], c.Out[0]
	ratio := 0.0
	if len(c.In) > 2 && c.In[2] != nil && tensor.View[bool](c.In[2])[0] {
		ratio = 0.5
		if c.In[1] != nil {
			ratio = castFrom(nil, c.In[1])[0]
		}
		if !(ratio >= 0 && ratio < 1) {
			return fmt.Errorf("ratio is %v, want 0 up to but not 1", ratio)
		}
	}
	var mask *tensor.Tensor
	if len(c.Out) > 1 {
		mask = c.Out[1]
	}
	if ratio > 0 {
		o.drop(y, mask, x, ratio)
		return nil
	}
	tensor.Copy(y.Bytes(), x.Bytes())
	if mask != nil {
		fillOnes(mask)
	}
	return nil
}

// drop draws one number for each element, in order.
func (o dropout) drop(y, mask, x *tensor.Tensor, ratio float64) {
	r := o.seed.rand()
	scale := 1 / (1 - ratio)
	var b castBuf
	out := castJob{y: y}
	for at := 0; at < y.Len(); at += castBlock {
		b.n = min(castBlock, y.Len()-at)
		b.load(x, at)
		for i := range b.n {
			stays := r.Float64() >= ratio
			if stays {
				b.f[i] *= scale
			} else {
				b.f[i] = 0
			}
			if mask != nil {
				tensor.View[bool](mask)[at+i] = stays
			}
		}
		out.store(&b, at)
	}
}

// fillOnes sets every element to 1.
func fillOnes(t *tensor.Tensor) {
	b := castBuf{kind: castInt}
	for i := range b.i {
		b.i[i] = 1
	}
	j := castJob{y: t}
	for at := 0; at < t.Len(); at += castBlock {
		b.n = min(castBlock, t.Len()-at)
		j.store(&b, at)
	}
}
