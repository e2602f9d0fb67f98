package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func placements(l lib) []graph.Def {
	all := everyType()
	return []graph.Def{
		{Op: "TensorScatter", Since: 24, New: newTensorScatter, Types: all},
		{Op: "CenterCropPad", Since: 18, New: newCenterCropPad, Types: all},
	}
}

// tensorScatter writes a block (input 1) into a cache (input 0), per batch entry at a position on an axis (input 2, or
// 0); circular lets it run over the end to the start.
type tensorScatter struct {
	axis     int64
	circular bool
}

func newTensorScatter(a *graph.Attrs) (graph.Op, error) {
	return tensorScatter{a.Int("axis", -2), a.OneOf("mode", "linear", "circular") == "circular"}, nil
}

func (tensorScatter) InPlace() []int { return []int{0} }

func (o tensorScatter) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 2, 3); err != nil {
		return err
	}
	x, u := c.In(0), c.In(1)
	if _, err := sameType(c, 0, 1); err != nil {
		return err
	}
	c.Out(0, x)
	if err := wantType(c, 2, "write_indices", tensor.Int64); err != nil {
		return err
	}
	if !x.Ranked || !u.Ranked {
		return nil
	}
	axis, err := axisOf(o.axis, len(x.Dims))
	if err != nil {
		return err
	}
	if axis == 0 {
		return fmt.Errorf("axis %d is that of the batch", o.axis)
	}
	want := append([]tensor.Dim{}, x.Dims...)
	want[axis] = tensor.AnyDim
	if err := checkSame("updates", u, want, true); err != nil {
		return err
	}
	if n, m := x.Dims[axis], u.Dims[axis]; n.Known() && m.Known() && m.Size > n.Size {
		return fmt.Errorf("updates %v are longer than the cache %v", u, x)
	}
	return nil
}

func (o tensorScatter) Run(c *graph.RunCtx) error {
	x, u := c.In[0], c.In[1]
	axis, err := axisOf(o.axis, x.Rank())
	if err != nil {
		return err
	}
	y, err := output(c, 0, x.DType(), x.Shape()...)
	if err != nil || u.Len() == 0 {
		return err
	}
	batch, n, m := x.Shape()[0], x.Shape()[axis], u.Shape()[axis]
	at := make([]int64, batch)
	if len(c.In) > 2 && c.In[2] != nil {
		if at = runInts(c.In[2]); len(at) != batch {
			return fmt.Errorf("%d write_indices for a batch of %d", len(at), batch)
		}
	}
	for _, p := range at {
		if p < 0 || p >= int64(n) || !o.circular && p > int64(n-m) {
			return fmt.Errorf("%d positions at %d do not fit an axis of size %d", m, p, n)
		}
	}
	if b := x.Bytes(); len(b) == 0 || &b[0] != &y.Bytes()[0] {
		copyAll(y, x)
	}
	outer, inner := elemCount(x.Shape()[1:axis]), elemCount(x.Shape()[axis+1:])
	j := graph.State[boxJob](c)
	for b, p := range at {
		for done := 0; done < m; {
			start := (int(p) + done) % n
			count := min(m-done, n-start)
			j.reset()
			j.dstAt = (b*outer*n + start) * inner
			j.srcAt = (b*outer*m + done) * inner
			j.axis(outer, n*inner, m*inner)
			j.axis(count*inner, 1, 1)
			if err := j.copy(c, y, u); err != nil {
				return err
			}
			done += count
		}
	}
	return nil
}

// centerCropPad brings axes to the sizes in input 1, taking from or adding zeros to both ends; an odd one goes to the end.
type centerCropPad struct {
	axes    []int64
	hasAxes bool
}

func newCenterCropPad(a *graph.Attrs) (graph.Op, error) {
	return centerCropPad{hasAxes: a.Has("axes"), axes: a.Ints("axes")}, nil
}

// resized returns dims with the wanted ones.
func (o centerCropPad) resized(dims, want []tensor.Dim) ([]tensor.Dim, error) {
	list := make([]int, len(dims))
	for i := range list {
		list[i] = i
	}
	if o.hasAxes {
		var err error
		if list, err = axesOf(o.axes, len(dims)); err != nil {
			return nil, err
		}
	}
	if len(list) != len(want) {
		return nil, fmt.Errorf("shape %v for %d axes", want, len(list))
	}
	out := append([]tensor.Dim{}, dims...)
	for i, a := range list {
		out[a] = want[i]
	}
	return out, nil
}

func (o centerCropPad) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 2, 2); err != nil {
		return err
	}
	x := c.In(0)
	if err := wantIndex(c, 1, "shape"); err != nil {
		return err
	}
	if !x.Ranked {
		c.Out(0, tensor.Unranked(x.DType))
		return nil
	}
	want, ok := c.Ints(1)
	if !ok {
		c.Out(0, tensor.Ranked(x.DType, anyDims(len(x.Dims))))
		return nil
	}
	if vals, ok := constInts(c, 1); ok {
		for _, v := range vals {
			if v < 0 {
				return fmt.Errorf("shape %v has a negative size", vals)
			}
		}
	}
	dims, err := o.resized(x.Dims, want)
	if err != nil {
		return err
	}
	c.Out(0, tensor.Ranked(x.DType, dims))
	return checkDims(x.DType, dims)
}

func (o centerCropPad) Run(c *graph.RunCtx) error {
	x := c.In[0]
	dims, err := o.resized(fixedDims(x.Shape()), intDims(runInts(c.In[1])))
	if err != nil {
		return err
	}
	y, err := output(c, 0, x.DType(), sizes(dims)...)
	if err != nil || y.Len() == 0 {
		return err
	}
	if y.DType() == tensor.String {
		clear(tensor.View[string](y))
	} else {
		clear(y.Bytes())
	}
	if x.Len() == 0 {
		return nil
	}
	j := graph.State[boxJob](c)
	j.reset()
	to, from := y.Len(), x.Len()
	for a, n := range x.Shape() {
		m := y.Shape()[a]
		to /= m
		from /= n
		j.srcAt += max(n-m, 0) / 2 * from
		j.dstAt += max(m-n, 0) / 2 * to
		j.axis(min(n, m), to, from)
	}
	return j.copy(c, y, x)
}
