package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"slices"
	"unsafe"

	"github.com/qrun-onnx/qrun/tensor"
)

// Tensor returns the value of a tensor of the model, its external data included. The elements are a view of p or of
// the file where their alignment and the byte order of the machine allow it: they are read-only, and the tensor keeps
// the memory alive. Nothing is cached. The error names the tensor.
func (m *Model) Tensor(p *TensorProto) (*tensor.Tensor, error) {
	var s *Source
	if m != nil {
		s = m.source
	}
	t, err := convert(p, s)
	if err != nil {
		return nil, tensorErr(p, err)
	}
	runtime.KeepAlive(m)
	return t, nil
}

func tensorErr(p *TensorProto, err error) error { return fmt.Errorf("tensor %q: %w", p.GetName(), err) }

func convert(p *TensorProto, s *Source) (*tensor.Tensor, error) {
	if p.GetSegment() != nil {
		return nil, fmt.Errorf("a tensor in segments is %w", ErrUnsupported)
	}
	d := tensor.DType(p.GetDataType())
	if int32(d) != p.GetDataType() || !d.Valid() {
		return nil, formatErr("%d is not an element type", p.GetDataType())
	}
	shape, n, err := shapeOf(p.GetDims())
	if err != nil {
		return nil, err
	}
	if d == tensor.String {
		return stringTensor(p, shape, n)
	}
	if p.GetDataLocation() == TensorProto_EXTERNAL {
		data, err := s.externalData(p)
		if err != nil {
			return nil, err
		}
		return fromRaw(d, data, shape, n, s)
	}
	if len(p.RawData) > 0 || n == 0 {
		return fromRaw(d, p.RawData, shape, n, s)
	}
	return fromFields(p, d, shape, n)
}

// shapeOf converts dims and counts the elements.
func shapeOf(dims []int64) (shape []int, n int, err error) {
	shape = make([]int, len(dims))
	for i, v := range dims {
		if v > math.MaxInt {
			return nil, 0, formatErr("shape %v has too many elements", dims)
		}
		shape[i] = int(v)
	}
	if n, err = tensor.Count(shape); err != nil {
		return nil, 0, formatErr("%v", err)
	}
	return shape, n, nil
}

func stringTensor(p *TensorProto, shape []int, n int) (*tensor.Tensor, error) {
	if len(p.StringData) != n {
		return nil, formatErr("string%v has %d elements, got %d", shape, n, len(p.StringData))
	}
	list := make([]string, n)
	for i, b := range p.StringData {
		list[i] = string(b)
	}
	return tensor.Of(list, shape...)
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// unalignedBytes is the size from which on a tensor is not copied only because the file does not align it: large ones
// are read few times, when they are packed, and take a while to copy.
const unalignedBytes = 64 << 10

// fromRaw makes a tensor of n little-endian elements; s owns raw and may be nil.
func fromRaw(d tensor.DType, raw []byte, shape []int, n int, s *Source) (*tensor.Tensor, error) {
	if len(raw) != d.ByteLen(n) {
		return nil, formatErr("%v%v takes %d bytes, got %d", d, shape, d.ByteLen(n), len(raw))
	}
	unit := unitOf(d)
	aligned := len(raw) == 0 || uintptr(unsafe.Pointer(unsafe.SliceData(raw)))%uintptr(unit) == 0
	badBool := d == tensor.Bool && slices.ContainsFunc(raw, func(b byte) bool { return b > 1 })
	if !badBool && (littleEndian || unit == 1) && (aligned || len(raw) >= unalignedBytes) {
		over := tensor.FromBytes
		if !aligned {
			over = tensor.FromUnaligned
		}
		t, err := over(d, raw, shape...)
		if err == nil && s != nil {
			t.Keep(s)
		}
		if aligned || err == nil {
			return t, err
		}
	}
	buf := tensor.AlignedBytes(len(raw))
	copyUnits(buf, raw, unit)
	if badBool { // any value but 0 is true, and a Go bool must be 0 or 1
		for i, b := range buf {
			buf[i] = min(b, 1)
		}
	}
	return tensor.FromBytes(d, buf, shape...)
}

// unitOf is the size of what byte order and alignment are about: the element, or the part of a complex number.
func unitOf(d tensor.DType) int {
	switch d {
	case tensor.Complex64:
		return 4
	case tensor.Complex128:
		return 8
	}
	return max(d.Size(), 1)
}

// copyUnits copies little-endian units to host byte order, or back.
func copyUnits(dst, src []byte, unit int) {
	copy(dst, src)
	if littleEndian || unit == 1 {
		return
	}
	for i := 0; i < len(dst); i += unit {
		slices.Reverse(dst[i : i+unit])
	}
}
