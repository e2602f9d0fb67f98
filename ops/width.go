package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// everyType lists the element types; operators that only move elements take them all.
func everyType() []tensor.DType {
	var all []tensor.DType
	for d := tensor.Float32; d.Valid(); d++ {
		all = append(all, d)
	}
	return all
}

// byWidth picks the instance of a generic function for the width of d's elements: of uint8, uint16, uint32, uint64,
// complex128 or string. Types of less than a byte have none: see unpackedRun.
func byWidth[F any](d tensor.DType, w1, w2, w4, w8, w16, str F) (F, error) {
	if d == tensor.String {
		return str, nil
	}
	switch d.Size() {
	case 1:
		return w1, nil
	case 2:
		return w2, nil
	case 4:
		return w4, nil
	case 8:
		return w8, nil
	case 16:
		return w16, nil
	}
	var none F
	return none, graph.UnsupportedType("elements", d)
}

// isPacked reports whether elements of d take less than a byte.
func isPacked(d tensor.DType) bool { b := d.Bits(); return b > 0 && b < 8 }

func packedAt(b []byte, i, bits int) byte {
	per := 8 / bits
	return b[i/per] >> (i % per * bits) & (1<<bits - 1)
}

func setPacked(b []byte, i, bits int, v byte) {
	per := 8 / bits
	shift := i % per * bits
	b[i/per] = b[i/per]&^((1<<bits-1)<<shift) | v<<shift
}

// unpackedRun runs an operator that only moves elements on tensors of less than a byte an element: on copies of one
// byte an element, whose outputs it packs again.
func unpackedRun(c *graph.RunCtx, run func(*graph.RunCtx) error) error {
	in, out := c.In, c.Out
	defer func() { c.In, c.Out = in, out }()
	c.In = make([]*tensor.Tensor, len(in))
	c.Out = make([]*tensor.Tensor, len(out))
	var d tensor.DType
	for i, t := range in {
		c.In[i] = t
		if t == nil || !isPacked(t.DType()) {
			continue
		}
		d = t.DType()
		var err error
		if c.In[i], err = unpack(t); err != nil {
			return err
		}
	}
	for i, t := range out {
		if c.Out[i] = t; t != nil && t.DType() == d {
			var err error
			if c.Out[i], err = tensor.New(tensor.Uint8, t.Shape()...); err != nil {
				return err
			}
		}
	}
	if err := run(c); err != nil {
		return err
	}
	for i, t := range c.Out {
		if t == nil || t == out[i] || t.DType() != tensor.Uint8 {
			out[i] = t
			continue
		}
		if out[i] == nil {
			var err error
			if out[i], err = tensor.New(d, t.Shape()...); err != nil {
				return err
			}
		}
		for k, v := range t.Bytes() {
			setPacked(out[i].Bytes(), k, d.Bits(), v&(1<<d.Bits()-1))
		}
	}
	return nil
}

func unpack(t *tensor.Tensor) (*tensor.Tensor, error) {
	u, err := tensor.New(tensor.Uint8, t.Shape()...)
	if err != nil {
		return nil, err
	}
	for k := range u.Bytes() {
		u.Bytes()[k] = packedAt(t.Bytes(), k, t.DType().Bits())
	}
	return u, nil
}

// maxTensorBytes bounds tensors whose size comes from a tensor's contents, which a model file or an input can set to
// anything: 16 GiB, above what any operator of a CPU model makes.
const maxTensorBytes int64 = 1 << 34

// checkSize fails for a shape that no tensor of type d should have.
func checkSize(d tensor.DType, shape []int) error {
	n, err := tensor.Count(shape)
	if err != nil {
		return err
	}
	bits := int64(d.Bits())
	if d == tensor.String {
		bits = 128
	}
	if int64(n) > maxTensorBytes*8/max(bits, 1) {
		return fmt.Errorf("%v%v is larger than %d GiB", d, shape, maxTensorBytes>>30)
	}
	return nil
}

// checkDims is checkSize for dimensions of which some may be unknown.
func checkDims(d tensor.DType, dims []tensor.Dim) error {
	shape, ok := tensor.Ranked(d, dims).Shape()
	if !ok {
		return nil
	}
	return checkSize(d, shape)
}

// output returns output i, made here with the shape when Infer could not know it.
func output(c *graph.RunCtx, i int, d tensor.DType, shape ...int) (*tensor.Tensor, error) {
	if t := c.Out[i]; t != nil {
		return t, nil
	}
	own := append([]int{}, shape...) // so that the argument need not be on the heap
	if err := checkSize(d, own); err != nil {
		return nil, err
	}
	return c.Alloc(i, d, own...)
}
