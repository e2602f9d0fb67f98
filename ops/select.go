package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func selectors(l lib) []graph.Def {
	all := everyType()
	return []graph.Def{
		{Op: "NonZero", Since: 9, New: newNonZero, Types: append(dtypes{tensor.Bool, tensor.String}, numberTypes...)},
		{Op: "Compress", Since: 9, New: newCompress, Types: all},
		{Op: "OneHot", Since: 9, New: newOneHot, Types: numberTypes},
	}
}

// nonZero lists the positions of the elements that are not zero: [dimensions of the input, their number].
type nonZero struct{}

func newNonZero(*graph.Attrs) (graph.Op, error) { return nonZero{}, nil }

func (nonZero) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 1); err != nil {
		return err
	}
	dims := anyDims(2)
	if x := c.In(0); x.Ranked {
		dims[0] = tensor.Fixed(len(x.Dims))
	}
	c.Out(0, tensor.Ranked(tensor.Int64, dims))
	return nil
}

func (nonZero) Run(c *graph.RunCtx) error {
	x := c.In[0]
	isSet, err := setTest(x)
	if err != nil {
		return err
	}
	var at []int
	for i := range x.Len() {
		if isSet(i) {
			at = append(at, i)
		}
	}
	y, err := output(c, 0, tensor.Int64, x.Rank(), len(at))
	if err != nil {
		return err
	}
	dst := tensor.View[int64](y)
	step := x.Len()
	for a, n := range x.Shape() {
		if n == 0 {
			break
		}
		step /= n
		for k, i := range at {
			dst[a*len(at)+k] = int64(i / step % n)
		}
	}
	return nil
}

// setTest tells whether an element is not zero. Minus zero is zero.
func setTest(t *tensor.Tensor) (func(i int) bool, error) {
	if t.DType() == tensor.String {
		v := tensor.View[string](t)
		return func(i int) bool { return v[i] != "" }, nil
	}
	b, size := t.Bytes(), t.DType().Size()
	if size == 0 {
		return nil, graph.UnsupportedType("input", t.DType())
	}
	last := byte(0xff)
	if t.DType().IsFloat() {
		last = 0x7f
	}
	return func(i int) bool {
		e := b[i*size : (i+1)*size]
		any := e[size-1] & last
		for _, v := range e[:size-1] {
			any |= v
		}
		return any != 0
	}, nil
}

// compress keeps the positions of an axis for which input 1 is true; without an axis those of the flattened input.
type compress struct {
	axis    int64
	hasAxis bool
}

func newCompress(a *graph.Attrs) (graph.Op, error) {
	return compress{a.Int("axis", 0), a.Has("axis")}, nil
}

func (o compress) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 2, 2); err != nil {
		return err
	}
	x := c.In(0)
	if err := wantType(c, 1, "condition", tensor.Bool); err != nil {
		return err
	}
	if !o.hasAxis {
		c.Out(0, tensor.Ranked(x.DType, anyDims(1)))
		return nil
	}
	if !x.Ranked {
		c.Out(0, tensor.Unranked(x.DType))
		return nil
	}
	axis, err := axisOf(o.axis, len(x.Dims))
	if err != nil {
		return err
	}
	dims := append([]tensor.Dim{}, x.Dims...)
	dims[axis] = tensor.AnyDim
	c.Out(0, tensor.Ranked(x.DType, dims))
	return nil
}

func (o compress) Run(c *graph.RunCtx) error {
	x := c.In[0]
	if isPacked(x.DType()) {
		return unpackedRun(c, o.Run)
	}
	shape, axis := []int{x.Len()}, 0
	if o.hasAxis {
		shape = append([]int{}, x.Shape()...)
		var err error
		if axis, err = axisOf(o.axis, len(shape)); err != nil {
			return err
		}
	}
	n, block := shape[axis], elemCount(shape[axis+1:])
	var kept []int
	for i, v := range c.In[1].Bytes() {
		if v != 0 {
			if i >= n {
				return fmt.Errorf("condition is true at %d of an axis of size %d", i, n)
			}
			kept = append(kept, i)
		}
	}
	shape[axis] = len(kept)
	y, err := output(c, 0, x.DType(), shape...)
	if err != nil {
		return err
	}
	s := graph.State[offsets](c)
	s.at = s.at[:0]
	for o := range elemCount(shape[:axis]) {
		for _, k := range kept {
			s.at = append(s.at, (o*n+k)*block)
		}
	}
	return s.gatherBlocks(y, x, block)
}

// oneHot has a new axis of the size in input 1, with the second of the values in input 2 at the position that the index
// in input 0 names and the first one elsewhere. An index outside the axis names none.
type oneHot struct{ axis int64 }

func newOneHot(a *graph.Attrs) (graph.Op, error) { return oneHot{a.Int("axis", -1)}, nil }

func (o oneHot) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 3, 3); err != nil {
		return err
	}
	x, values := c.In(0), c.In(2)
	for i, name := range []string{"indices", "depth"} {
		if err := checkType(name, c.In(i).DType, numberTypes); err != nil {
			return err
		}
	}
	if n := knownLen(c, 2); n >= 0 && n != 2 || values.Rank() > 1 {
		return fmt.Errorf("values are %v, want two", values)
	}
	if !x.Ranked {
		c.Out(0, tensor.Unranked(values.DType))
		return nil
	}
	axis, err := axisOf(o.axis, len(x.Dims)+1)
	if err != nil {
		return err
	}
	depth := tensor.AnyDim
	if t := c.Const(1); t != nil {
		n, err := depthOf(t)
		if err != nil {
			return err
		}
		depth = tensor.Fixed(n)
	} else if d, ok := c.Ints(1); ok && len(d) == 1 {
		depth = d[0]
	}
	s := insertAxis(tensor.Ranked(values.DType, x.Dims), axis, depth)
	c.Out(0, s)
	return checkDims(s.DType, s.Dims)
}

func depthOf(t *tensor.Tensor) (int, error) {
	f, err := toFloats(t)
	if err != nil {
		return 0, err
	}
	if len(f) != 1 || !(f[0] >= 0) || f[0] > float64(maxTensorBytes) {
		return 0, fmt.Errorf("depth is %v, want one number", t)
	}
	return int(f[0]), nil
}

func (o oneHot) Run(c *graph.RunCtx) error {
	x, values := c.In[0], c.In[2]
	depth, err := depthOf(c.In[1])
	if err != nil {
		return err
	}
	axis, err := axisOf(o.axis, x.Rank()+1)
	if err != nil {
		return err
	}
	shape := append(append([]int{}, x.Shape()[:axis]...), depth)
	y, err := output(c, 0, values.DType(), append(shape, x.Shape()[axis:]...)...)
	if err != nil {
		return err
	}
	idx, err := toFloats(x)
	if err != nil {
		return err
	}
	inner := elemCount(x.Shape()[axis:])
	s := graph.State[offsets](c)
	s.at = s.at[:0]
	for i, f := range idx {
		if f < 0 {
			f += float64(depth)
		}
		if f >= 0 && f < float64(depth) {
			s.at = append(s.at, (i/inner*depth+int(f))*inner+i%inner)
		}
	}
	f, err := byWidth(y.DType(), setOneHot[uint8], setOneHot[uint16], setOneHot[uint32], setOneHot[uint64], setOneHot[complex128], setOneHot[string])
	if err == nil {
		f(y, values, s.at)
	}
	return err
}

func setOneHot[T tensor.Element](y, values *tensor.Tensor, at []int) {
	dst, v := tensor.View[T](y), tensor.View[T](values)
	for i := range dst {
		dst[i] = v[0]
	}
	for _, i := range at {
		dst[i] = v[1]
	}
}
