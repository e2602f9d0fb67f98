package ops

import (
	"errors"
	"fmt"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func arithmetic(l lib) []graph.Def {
	var defs []graph.Def
	for _, o := range []struct {
		name string
		kern backend.Binary
	}{{"Add", backend.Add}, {"Sub", backend.Sub}, {"Mul", backend.Mul}, {"Div", backend.Div}} {
		mk := func(a *graph.Attrs) (graph.Op, error) { return arith{l, o.kern, readLegacyBroadcast(a)}, nil }
		defs = append(defs, graph.Def{Op: o.name, Since: 1, New: mk, Types: numberTypes}, graph.Def{Op: o.name, Since: 7, New: mk, Types: numberTypes})
	}
	return defs
}

// ignoreConsumed reads the attribute that opset 1 operators had for memory planning.
func ignoreConsumed(a *graph.Attrs) {
	if a.Opset < 6 {
		a.Ignore("consumed_inputs")
	}
}

// legacyBroadcast is the rule of opsets before 7: B's shape is that of some dimensions of A, starting at axis, or at
// the last ones when axis is absent.
type legacyBroadcast struct {
	on, off bool // off: shapes must be equal
	axis    int
	hasAxis bool
}

func readLegacyBroadcast(a *graph.Attrs) legacyBroadcast {
	if a.Opset >= 7 {
		return legacyBroadcast{}
	}
	ignoreConsumed(a)
	on := a.Bool("broadcast", false)
	return legacyBroadcast{on: on, off: !on, hasAxis: a.Has("axis"), axis: int(a.Int("axis", 0))}
}

// spec is b as the broadcast sees it, for an a of that rank.
func (r legacyBroadcast) spec(a, b tensor.Spec) (tensor.Spec, error) {
	if !r.on && !r.off || !a.Ranked || !b.Ranked {
		return b, nil
	}
	if r.off && len(a.Dims) != len(b.Dims) || len(b.Dims) > len(a.Dims) {
		return b, fmt.Errorf("cannot broadcast %v to %v", b, a)
	}
	tail, err := r.tail(len(a.Dims), len(b.Dims))
	if err != nil {
		return b, err
	}
	dims := append([]tensor.Dim{}, b.Dims...)
	for range tail {
		dims = append(dims, tensor.Fixed(1))
	}
	return tensor.Ranked(b.DType, dims), nil
}

// tail is the number of dimensions of size 1 to append to b's shape.
func (r legacyBroadcast) tail(rankA, rankB int) (int, error) {
	if !r.on || !r.hasAxis {
		return 0, nil
	}
	axis := r.axis
	if axis < 0 {
		axis += rankA
	}
	if axis < 0 || axis > rankA-rankB {
		return 0, fmt.Errorf("axis %d does not fit inputs of rank %d and %d", r.axis, rankA, rankB)
	}
	return rankA - rankB - axis, nil
}

// shape is b's shape as the broadcast sees it.
func (r legacyBroadcast) shape(a, b *tensor.Tensor) []int {
	tail, _ := r.tail(a.Rank(), b.Rank())
	if tail == 0 {
		return b.Shape()
	}
	s := append([]int{}, b.Shape()...)
	for range tail {
		s = append(s, 1)
	}
	return s
}

// arith is Add, Sub, Mul or Div.
type arith struct {
	lib
	kern   backend.Binary
	legacy legacyBroadcast
}

func (o arith) InPlace() []int { return []int{0, 1} }

func (o arith) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 2, 2); err != nil {
		return err
	}
	d, err := sameType(c, 0, 1)
	if err != nil {
		return err
	}
	if err := checkType("input", d, numberTypes); err != nil {
		return err
	}
	b, err := o.legacy.spec(c.In(0), c.In(1))
	if err != nil {
		return err
	}
	s, err := broadcastSpecs(d, c.In(0), b)
	if err != nil {
		return err
	}
	c.Out(0, s)
	if d == tensor.Int64 || d == tensor.Int32 {
		o.inferInts(c)
	}
	return nil
}

// inferInts computes shapes that are partly symbolic: a symbol survives x+0, x-0, x*1, x/1 and 1*x.
func (o arith) inferInts(c *graph.InferCtx) {
	a, ok1 := c.Ints(0)
	b, ok2 := c.Ints(1)
	if !ok1 || !ok2 || c.In(0).Rank() > 1 || c.In(1).Rank() > 1 || len(a) != len(b) && len(a) != 1 && len(b) != 1 || len(a) == 0 || len(b) == 0 {
		return
	}
	out := make([]tensor.Dim, max(len(a), len(b)))
	for i := range out {
		out[i] = o.dim(a[min(i, len(a)-1)], b[min(i, len(b)-1)])
	}
	c.OutInts(0, out)
}

func (o arith) dim(x, y tensor.Dim) tensor.Dim {
	neutral := 0
	if o.kern == backend.Mul || o.kern == backend.Div {
		neutral = 1
	}
	commutes := o.kern == backend.Add || o.kern == backend.Mul
	switch {
	case x.Known() && y.Known() && !(o.kern == backend.Div && y.Size == 0):
		v := arithOf[int64](o.kern)(int64(x.Size), int64(y.Size))
		if v < 0 {
			return tensor.AnyDim
		}
		return tensor.Fixed(int(v))
	case y.Size == neutral:
		return x
	case x.Size == neutral && commutes:
		return y
	}
	return tensor.AnyDim
}

func (o arith) Run(c *graph.RunCtx) error {
	return o.run(c, c.Out[0], c.In[0], c.In[1])
}

var errDivZero = errors.New("integer division by zero")

// run computes y = a op b.
func (o arith) run(c *graph.RunCtx, y, a, b *tensor.Tensor) error {
	shapeB := o.legacy.shape(a, b)
	switch a.DType() {
	case tensor.Float32:
		return o.runKernel(c, o.kern, y, a, b, shapeB)
	case tensor.Float64:
		return arithRun[float64](o.kern, c, y, a, b, shapeB)
	case tensor.Float16, tensor.BFloat16:
		return o.asFloat32(c, o.Run)
	case tensor.Int8:
		return arithRunInt[int8](o.kern, c, y, a, b, shapeB)
	case tensor.Int16:
		return arithRunInt[int16](o.kern, c, y, a, b, shapeB)
	case tensor.Int32:
		return arithRunInt[int32](o.kern, c, y, a, b, shapeB)
	case tensor.Int64:
		return arithRunInt[int64](o.kern, c, y, a, b, shapeB)
	case tensor.Uint8:
		return arithRunInt[uint8](o.kern, c, y, a, b, shapeB)
	case tensor.Uint16:
		return arithRunInt[uint16](o.kern, c, y, a, b, shapeB)
	case tensor.Uint32:
		return arithRunInt[uint32](o.kern, c, y, a, b, shapeB)
	case tensor.Uint64:
		return arithRunInt[uint64](o.kern, c, y, a, b, shapeB)
	}
	return graph.UnsupportedType("input", a.DType())
}

func arithRunInt[T interface {
	integer
	tensor.Element
}](op backend.Binary, c *graph.RunCtx, y, a, b *tensor.Tensor, shapeB []int) error {
	if op == backend.Div {
		for _, v := range tensor.View[T](b) {
			if v == 0 {
				return errDivZero
			}
		}
	}
	return arithRun[T](op, c, y, a, b, shapeB)
}

func arithRun[T interface {
	number
	tensor.Element
}](op backend.Binary, c *graph.RunCtx, y, a, b *tensor.Tensor, shapeB []int) error {
	return runBinary(c, y, a, b, shapeB, grainCheap, func() (func(x, y T) T, func(dst, a, b []T)) { return arithOf[T](op), nil })
}

func arithOf[T number](op backend.Binary) func(x, y T) T {
	switch op {
	case backend.Add:
		return func(x, y T) T { return x + y }
	case backend.Sub:
		return func(x, y T) T { return x - y }
	case backend.Mul:
		return func(x, y T) T { return x * y }
	case backend.Div:
		return func(x, y T) T { return x / y }
	case backend.Max:
		return func(x, y T) T { return max(x, y) } // the builtins propagate NaN
	case backend.Min:
		return func(x, y T) T { return min(x, y) }
	}
	panic(fmt.Sprintf("ops: arithmetic function %d", op))
}
