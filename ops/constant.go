package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) constants() []graph.Def {
	all := everyType()
	return []graph.Def{
		{Op: "Constant", Since: 1, New: newConstant, Types: all},
		{Op: "ConstantOfShape", Since: 9, New: newConstantOfShape, Types: all},
		{Op: "Range", Since: 11, New: newRange, Types: dtypes{tensor.Float32, tensor.Float64, tensor.Int16, tensor.Int32, tensor.Int64}},
		{Op: "EyeLike", Since: 9, New: newEyeLike, Types: all},
	}
}

// constant is a tensor from its attributes.
type constant struct{ value *tensor.Tensor }

func newConstant(a *graph.Attrs) (graph.Op, error) {
	var made []*tensor.Tensor
	add := func(t *tensor.Tensor, err error) error {
		made = append(made, t)
		return err
	}
	var err error
	if t := a.Tensor("value"); t != nil {
		made = append(made, t)
	}
	if a.Has("value_float") {
		err = add(tensor.Scalar(a.Float("value_float", 0)), err)
	}
	if a.Has("value_int") {
		err = add(tensor.Scalar(a.Int("value_int", 0)), err)
	}
	if a.Has("value_string") {
		err = add(tensor.Scalar(a.Str("value_string", "")), err)
	}
	if v := a.Floats("value_floats"); a.Has("value_floats") {
		err = add(tensor.Of(v, len(v)))
	}
	if v := a.Ints("value_ints"); a.Has("value_ints") {
		err = add(tensor.Of(v, len(v)))
	}
	if v := a.Strings("value_strings"); a.Has("value_strings") {
		err = add(tensor.Of(v, len(v)))
	}
	if err != nil {
		return nil, err
	}
	if len(made) != 1 {
		return nil, fmt.Errorf("%d attributes with a value, want one", len(made))
	}
	return constant{made[0]}, nil
}

func (o constant) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 0, 0); err != nil {
		return err
	}
	c.OutConst(0, o.value)
	return nil
}

func (o constant) Run(c *graph.RunCtx) error {
	if c.Out[0] == nil {
		c.Set(0, o.value.Clone())
		return nil
	}
	return view{}.set(&graph.RunCtx{In: []*tensor.Tensor{o.value}, Out: c.Out}, nil)
}

// constantOfShape is a tensor of the shape in input 0 with one value everywhere.
type constantOfShape struct{ value *tensor.Tensor }

func newConstantOfShape(a *graph.Attrs) (graph.Op, error) {
	v := a.Tensor("value")
	if v == nil {
		v = tensor.Scalar(float32(0))
	}
	if v.Len() != 1 {
		return nil, fmt.Errorf("attribute value is %v, want one element", v)
	}
	return constantOfShape{v}, nil
}

func (o constantOfShape) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 1); err != nil {
		return err
	}
	d := o.value.DType()
	if err := wantType(c, 0, "shape", tensor.Int64); err != nil {
		return err
	}
	dims, ok := c.Ints(0)
	if !ok {
		if n := knownLen(c, 0); n >= 0 {
			c.Out(0, tensor.Ranked(d, anyDims(n)))
		} else {
			c.Out(0, tensor.Unranked(d))
		}
		return nil
	}
	if vals, ok := constInts(c, 0); ok {
		for _, v := range vals {
			if v < 0 {
				return fmt.Errorf("shape %v has a negative size", vals)
			}
		}
	}
	if err := checkDims(d, dims); err != nil {
		return err
	}
	c.Out(0, tensor.Ranked(d, dims))
	if shape, ok := tensor.Ranked(d, dims).Shape(); ok && len(shape) <= 1 && elemCount(shape) <= maxKnown && d == tensor.Int64 {
		vals := make([]int64, elemCount(shape))
		for i := range vals {
			vals[i] = tensor.View[int64](o.value)[0]
		}
		outVals(c, 0, d, vals, shape...)
	}
	return nil
}

func (o constantOfShape) Run(c *graph.RunCtx) error {
	y := c.Out[0]
	if y == nil {
		vals := runInts(c.In[0])
		shape := make([]int, len(vals))
		for i, v := range vals {
			shape[i] = int(v)
		}
		var err error
		if y, err = output(c, 0, o.value.DType(), shape...); err != nil {
			return err
		}
	}
	fill(y, o.value)
	return nil
}

// fill sets every element of y to the one element of v.
func fill(y, v *tensor.Tensor) {
	if y.Len() == 0 {
		return
	}
	if y.DType() == tensor.String {
		s := tensor.View[string](y)
		for i := range s {
			s[i] = tensor.View[string](v)[0]
		}
		return
	}
	if bits := y.DType().Bits(); bits < 8 {
		for i := range y.Len() {
			setPacked(y.Bytes(), i, bits, packedAt(v.Bytes(), 0, bits))
		}
		return
	}
	b := y.Bytes()
	for n := copy(b, v.Bytes()); n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}

// sequenceOf is start, start+delta, ... before limit; all three are inputs.
type sequenceOf struct{}

func newRange(*graph.Attrs) (graph.Op, error) { return sequenceOf{}, nil }

func (sequenceOf) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 3, 3); err != nil {
		return err
	}
	d, err := sameType(c, 0, 1, 2)
	if err != nil {
		return err
	}
	if err := checkType("inputs", d, dtypes{tensor.Float32, tensor.Float64, tensor.Int16, tensor.Int32, tensor.Int64}); err != nil {
		return err
	}
	for i, name := range []string{"start", "limit", "delta"} {
		if n := knownLen(c, i); n >= 0 && n != 1 || c.In(i).Rank() > 1 {
			return fmt.Errorf("%s is %v, want a scalar", name, c.In(i))
		}
	}
	size := tensor.AnyDim
	if a, b, s := c.Const(0), c.Const(1), c.Const(2); a != nil && b != nil && s != nil {
		n, err := rangeLen(a, b, s)
		if err != nil {
			return err
		}
		size = tensor.Fixed(n)
	} else if size, err = rangeDim(c); err != nil {
		return err
	}
	if size.Known() {
		if err := checkSize(d, []int{size.Size}); err != nil {
			return err
		}
	}
	c.Out(0, tensor.Ranked(d, []tensor.Dim{size}))
	if start, ok := constInts(c, 0); ok && size.Known() && size.Size <= maxKnown && d.IsInteger() {
		if delta, ok := constInts(c, 2); ok {
			vals := make([]int64, size.Size)
			for i := range vals {
				vals[i] = start[0] + int64(i)*delta[0]
			}
			outVals(c, 0, d, vals, len(vals))
		}
	}
	return nil
}

// rangeDim is the length where the inputs are known as dimensions: from 0 to a symbol by 1 it is the symbol.
func rangeDim(c *graph.InferCtx) (tensor.Dim, error) {
	start, ok1 := constInts(c, 0)
	limit, ok2 := c.Ints(1)
	delta, ok3 := constInts(c, 2)
	if !ok1 || !ok2 || !ok3 || len(start) != 1 || len(limit) != 1 || len(delta) != 1 {
		return tensor.AnyDim, nil
	}
	if limit, ok := constInts(c, 1); ok {
		n, err := rangeLen(tensor.Scalar(start[0]), tensor.Scalar(limit[0]), tensor.Scalar(delta[0]))
		return tensor.Fixed(n), err
	}
	if start[0] == 0 && delta[0] == 1 {
		return limit[0], nil
	}
	return tensor.AnyDim, nil
}

// rangeLen is max(0, ceil((limit-start)/delta)).
func rangeLen(start, limit, delta *tensor.Tensor) (int, error) {
	var n float64
	if a, ok := graph.ConstInts(start); ok {
		b, s := runInts(limit)[0], runInts(delta)[0]
		if s == 0 {
			return 0, fmt.Errorf("delta is 0")
		}
		if (b > a[0]) != (s > 0) || a[0] == b {
			return 0, nil
		}
		span, step := uint64(b)-uint64(a[0]), uint64(s)
		if s < 0 {
			span, step = -span, -step
		}
		n = float64((span-1)/step + 1)
	} else {
		a, b, s := number64(start), number64(limit), number64(delta)
		if s == 0 || math.IsNaN(a+b+s) {
			return 0, fmt.Errorf("start %v, limit %v and delta %v make no range", a, b, s)
		}
		n = max(0, math.Ceil((b-a)/s))
	}
	if n > float64(maxTensorBytes) {
		return 0, fmt.Errorf("range of %g elements is too large", n)
	}
	return int(n), nil
}

// number64 is the one element of a float32 or float64 tensor.
func number64(t *tensor.Tensor) float64 {
	if t.DType() == tensor.Float64 {
		return tensor.View[float64](t)[0]
	}
	return float64(tensor.View[float32](t)[0])
}

func (sequenceOf) Run(c *graph.RunCtx) error {
	start, limit, delta := c.In[0], c.In[1], c.In[2]
	if c.Out[0] == nil {
		n, err := rangeLen(start, limit, delta)
		if err != nil {
			return err
		}
		if _, err := output(c, 0, start.DType(), n); err != nil {
			return err
		}
	}
	switch y := c.Out[0]; y.DType() {
	case tensor.Float32:
		fillRange(tensor.View[float32](y), start, delta)
	case tensor.Float64:
		fillRange(tensor.View[float64](y), start, delta)
	case tensor.Int16:
		fillRange(tensor.View[int16](y), start, delta)
	case tensor.Int32:
		fillRange(tensor.View[int32](y), start, delta)
	case tensor.Int64:
		fillRange(tensor.View[int64](y), start, delta)
	}
	return nil
}

func fillRange[T interface {
	number
	tensor.Element
}](y []T, start, delta *tensor.Tensor) {
	a, s := tensor.View[T](start)[0], tensor.View[T](delta)[0]
	for i := range y {
		y[i] = a + T(T(i)*s)
	}
}

// eyeLike is a matrix of its input's shape with ones on the k-th diagonal.
type eyeLike struct {
	k     int64
	dtype tensor.DType
}

func newEyeLike(a *graph.Attrs) (graph.Op, error) {
	return eyeLike{k: a.Int("k", 0), dtype: tensor.DType(a.Int("dtype", 0))}, nil
}

func (o eyeLike) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 1); err != nil {
		return err
	}
	x := c.In(0)
	if x.Ranked && len(x.Dims) != 2 {
		return fmt.Errorf("input %v, want a matrix", x)
	}
	if o.dtype != tensor.Undefined {
		x.DType = o.dtype
	}
	if x.DType != tensor.Undefined {
		if _, err := oneOf(x.DType); err != nil {
			return err
		}
	}
	c.Out(0, x)
	return nil
}

func (o eyeLike) Run(c *graph.RunCtx) error {
	d := o.dtype
	if d == tensor.Undefined {
		d = c.In[0].DType()
	}
	shape := c.In[0].Shape()
	y, err := output(c, 0, d, shape...)
	if err != nil {
		return err
	}
	one, err := oneOf(d)
	if err != nil {
		return err
	}
	clear(y.Bytes())
	size := d.Size()
	for r := range int64(shape[0]) {
		if k := r + o.k; k >= 0 && k < int64(shape[1]) {
			copy(y.Bytes()[(int(r)*shape[1]+int(k))*size:], one)
		}
	}
	return nil
}

// oneOf is the number one in memory.
func oneOf(d tensor.DType) ([]byte, error) {
	var t *tensor.Tensor
	switch d {
	case tensor.Float32:
		t = tensor.Scalar(float32(1))
	case tensor.Float64:
		t = tensor.Scalar(float64(1))
	case tensor.Float16:
		t = tensor.Scalar(tensor.F16(0x3c00))
	case tensor.BFloat16:
		t = tensor.Scalar(tensor.BF16(0x3f80))
	case tensor.Bool, tensor.Int8, tensor.Uint8:
		t = tensor.Scalar(uint8(1))
	case tensor.Int16, tensor.Uint16:
		t = tensor.Scalar(uint16(1))
	case tensor.Int32, tensor.Uint32:
		t = tensor.Scalar(uint32(1))
	case tensor.Int64, tensor.Uint64:
		t = tensor.Scalar(uint64(1))
	default:
		return nil, graph.UnsupportedType("output", d)
	}
	return t.Bytes(), nil
}
