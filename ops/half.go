package ops

import (
	"unsafe"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func isHalf(d tensor.DType) bool { return d == tensor.Float16 || d == tensor.BFloat16 }

// asFloat32 runs an operator of float16 or bfloat16 tensors in float32: inputs are widened, which is exact, and outputs
// rounded to nearest even.
func (l lib) asFloat32(c *graph.RunCtx, op func(c *graph.RunCtx) error) error {
	wide := *c
	wide.In = make([]*tensor.Tensor, len(c.In))
	wide.Out = make([]*tensor.Tensor, len(c.Out))
	for i, x := range c.In {
		wide.In[i] = x
		if x == nil || !isHalf(x.DType()) {
			continue
		}
		w, err := float32Scratch(c, x.Shape())
		if err != nil {
			return err
		}
		l.widen(tensor.View[float32](w), x)
		wide.In[i] = w
	}
	for i, y := range c.Out {
		wide.Out[i] = y
		if y == nil || !isHalf(y.DType()) {
			continue
		}
		w, err := float32Scratch(c, y.Shape())
		if err != nil {
			return err
		}
		wide.Out[i] = w
	}
	if err := op(&wide); err != nil {
		return err
	}
	for i, y := range c.Out {
		if y != nil && isHalf(y.DType()) {
			l.narrow(y, tensor.View[float32](wide.Out[i]))
		}
	}
	return nil
}

func float32Scratch(c *graph.RunCtx, shape []int) (*tensor.Tensor, error) {
	n, err := tensor.Count(shape)
	if err != nil {
		return nil, err
	}
	return tensor.FromBytes(tensor.Float32, c.Scratch(4*n), shape...)
}

// floatScratch is temporary memory for n float32.
func floatScratch(c *graph.RunCtx, n int) []float32 {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(c.Scratch(4*n)))), n)
}

// widen brings a float16 or bfloat16 tensor to float32.
func (l lib) widen(dst []float32, x *tensor.Tensor) {
	if x.DType() == tensor.Float16 {
		l.k.HalfToFloat(dst, tensor.View[uint16](x))
		return
	}
	for i, v := range tensor.View[tensor.BF16](x) {
		dst[i] = v.Float32()
	}
}

// narrow rounds float32 to the type of a float16 or bfloat16 tensor.
func (l lib) narrow(y *tensor.Tensor, src []float32) {
	if y.DType() == tensor.Float16 {
		l.k.FloatToHalf(tensor.View[uint16](y), src)
		return
	}
	dst := tensor.View[tensor.BF16](y)
	for i, v := range src {
		dst[i] = tensor.ToBF16(v)
	}
}
