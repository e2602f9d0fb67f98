package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func eyeLikes(l lib) []graph.Def {
	return []graph.Def{
		{Op: "EyeLike", Since: 9, New: newEyeLike, Types: everyType()},
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
