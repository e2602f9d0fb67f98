package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func slicers(l lib) []graph.Def {
	all := everyType()
	return []graph.Def{
		{Op: "Slice", Since: 1, New: newSlice1, Types: all},
		{Op: "Slice", Since: 10, New: newSlice, Types: all},
	}
}

// slice takes the elements from starts to ends, exclusive, in steps along axes: of attributes (to opset 9) or of inputs
// 1 to 4. Positions count from the back when negative, and are clamped.
type slice struct {
	attrs sliceArgs
	fixed bool // by attributes
}

// sliceArgs has an axis per element of starts; nil axes are the first ones, nil steps 1.
type sliceArgs struct{ starts, ends, axes, steps []int64 }

func newSlice1(a *graph.Attrs) (graph.Op, error) {
	a.Require("starts", "ends")
	o := slice{fixed: true, attrs: sliceArgs{starts: a.Ints("starts"), ends: a.Ints("ends"), axes: a.Ints("axes")}}
	if a.Has("axes") && o.attrs.axes == nil {
		o.attrs.axes = []int64{}
	}
	return o, nil
}

func newSlice(*graph.Attrs) (graph.Op, error) { return slice{}, nil }

func (s sliceArgs) check(rank int) error {
	n := len(s.starts)
	if len(s.ends) != n || s.axes != nil && len(s.axes) != n || s.steps != nil && len(s.steps) != n {
		return fmt.Errorf("starts %v, ends %v, axes %v and steps %v differ in length", s.starts, s.ends, s.axes, s.steps)
	}
	if n > rank {
		return fmt.Errorf("starts %v for a tensor of %d dimensions", s.starts, rank)
	}
	if s.axes != nil {
		if _, err := axesOf(s.axes, rank); err != nil {
			return err
		}
	}
	for _, v := range s.steps {
		if v == 0 {
			return fmt.Errorf("steps %v have a 0", s.steps)
		}
	}
	return nil
}

// axis is the axis that entry i cuts.
func (s sliceArgs) axis(i, rank int) int {
	if s.axes == nil {
		return i
	}
	if a := int(s.axes[i]); a >= 0 {
		return a
	}
	return int(s.axes[i]) + rank
}

func (s sliceArgs) step(i int) int64 {
	if s.steps == nil {
		return 1
	}
	return max(s.steps[i], -math.MaxInt64)
}

// cut is the first position, the number of positions and their distance on an axis of size n.
func (s sliceArgs) cut(i, n int) (first, count, step int) {
	size, start, end, by := int64(n), s.starts[i], s.ends[i], s.step(i)
	if by < 0 && (end == math.MaxInt64 || end == math.MaxInt32) {
		end = math.MinInt64 // the largest number means all the rest, also backwards, to ONNX Runtime and so to exporters
	}
	if start < 0 {
		start += size
	}
	if end < 0 {
		end += size
	}
	var num int64
	if by > 0 {
		start, end = min(max(start, 0), size), min(max(end, 0), size)
		if num = end - start; num > 0 {
			num = (num-1)/by + 1
		}
	} else {
		start, end = min(max(start, 0), size-1), min(max(end, -1), size-1)
		if num = start - end; num > 0 {
			num = (num-1)/-by + 1
		}
	}
	if num <= 0 {
		return 0, 0, 1
	}
	if num == 1 {
		by = 1
	}
	return int(start), int(num), int(by)
}

func (o slice) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 3-2*b2i(o.fixed), 5); err != nil {
		return err
	}
	x := c.In(0)
	if !x.Ranked {
		c.Out(0, tensor.Unranked(x.DType))
		return nil
	}
	for i := 1; i < c.NumIn(); i++ {
		if err := wantIndex(c, i, "starts, ends, axes and steps"); err != nil {
			return err
		}
	}
	args, ok := o.known(c)
	if !ok {
		c.Out(0, tensor.Ranked(x.DType, o.guess(c, x)))
		return nil
	}
	if err := args.check(len(x.Dims)); err != nil {
		return err
	}
	dims := append([]tensor.Dim{}, x.Dims...)
	for i := range args.starts {
		a := args.axis(i, len(dims))
		if d := x.Dims[a]; d.Known() {
			_, n, _ := args.cut(i, d.Size)
			dims[a] = tensor.Fixed(n)
		} else if args.step(i) != 1 || args.starts[i] != 0 || args.ends[i] < math.MaxInt32 {
			dims[a] = tensor.AnyDim
		}
	}
	c.Out(0, tensor.Ranked(x.DType, dims))
	o.contents(c, args, x)
	return nil
}

// contents cuts the contents of a one-dimensional integer tensor.
func (o slice) contents(c *graph.InferCtx, args sliceArgs, x tensor.Spec) {
	ints, ok := c.Ints(0)
	if !ok || len(x.Dims) != 1 || len(args.starts) != 1 {
		return
	}
	first, n, step := args.cut(0, len(ints))
	vals, exact := constInts(c, 0)
	part, partVals := make([]tensor.Dim, n), make([]int64, n)
	for i := range n {
		part[i] = ints[first+i*step]
		if exact {
			partVals[i] = vals[first+i*step]
		}
	}
	if exact {
		outVals(c, 0, x.DType, partVals, n)
	} else {
		outDims(c, 0, x.DType, part, n)
	}
}

// known returns the arguments when all are known.
func (o slice) known(c *graph.InferCtx) (s sliceArgs, ok bool) {
	if o.fixed {
		return o.attrs, true
	}
	for i, to := range []*[]int64{&s.starts, &s.ends, &s.axes, &s.steps} {
		if i >= 2 && !c.Has(i+1) {
			continue
		}
		if *to, ok = constInts(c, i+1); !ok {
			return s, false
		}
	}
	return s, true
}

// guess is the output where a start or end is not known: an axis cut to a symbolic end keeps that symbol.
func (o slice) guess(c *graph.InferCtx, x tensor.Spec) []tensor.Dim {
	dims := append([]tensor.Dim{}, x.Dims...)
	axes, ok := constInts(c, 3)
	if !c.Has(3) {
		n := knownLen(c, 1)
		for i := range max(n, 0) {
			axes = append(axes, int64(i))
		}
		ok = n >= 0
	}
	list, err := axesOf(axes, len(dims))
	if !ok || err != nil {
		return anyDims(len(dims))
	}
	starts, ok1 := constInts(c, 1)
	ends, ok2 := c.Ints(2)
	steps, ok3 := constInts(c, 4)
	for i, a := range list {
		dims[a] = tensor.AnyDim
		if ok1 && ok2 && i < len(starts) && starts[i] == 0 && i < len(ends) && ends[i].Name != "" &&
			(!c.Has(4) || ok3 && i < len(steps) && steps[i] == 1) {
			dims[a] = ends[i]
		}
	}
	return dims
}

type sliceState struct {
	boxJob
	ints [4][]int64
}

func (o slice) Run(c *graph.RunCtx) error {
	args := o.attrs
	st := graph.State[sliceState](c)
	if !o.fixed {
		args = sliceArgs{starts: keptInts(&st.ints[0], c.In[1]), ends: keptInts(&st.ints[1], c.In[2])}
		if len(c.In) > 3 {
			args.axes = keptInts(&st.ints[2], c.In[3])
		}
		if len(c.In) > 4 {
			args.steps = keptInts(&st.ints[3], c.In[4])
		}
	}
	x := c.In[0]
	shape := x.Shape()
	j := &st.boxJob
	j.reset()
	if c.Out[0] == nil {
		if err := args.check(len(shape)); err != nil {
			return err
		}
		dims := append([]int{}, shape...)
		for i := range args.starts {
			a := args.axis(i, len(shape))
			_, dims[a], _ = args.cut(i, shape[a])
		}
		if _, err := c.Alloc(0, x.DType(), dims...); err != nil {
			return err
		}
	}
	y := c.Out[0]
	if y.Len() == 0 {
		return nil
	}
	from, to := x.Len(), y.Len()
	for a, n := range shape {
		first, count, step := 0, n, 1
		for i := range args.starts {
			if args.axis(i, len(shape)) == a {
				first, count, step = args.cut(i, n)
			}
		}
		from /= n
		to /= count
		j.srcAt += first * from
		j.axis(count, to, step*from)
	}
	return j.copy(c, y, x)
}
