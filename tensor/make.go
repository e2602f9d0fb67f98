package tensor

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"unsafe"
)

// Count is the number of elements of a shape. It fails on a negative size and where the product does not fit.
func Count(shape []int) (int, error) {
	n, empty := 1, false
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative size", shape)
		}
		if d == 0 {
			empty = true
			continue
		}
		if n > math.MaxInt/16/d {
			return 0, fmt.Errorf("shape %v has too many elements", shape)
		}
		n *= d
	}
	if empty {
		return 0, nil
	}
	return n, nil
}

// Of makes a tensor over data, which is used and not copied. No shape means a scalar when data has one element, else
// one dimension. It fails when the shape does not hold len(data) elements.
func Of[T Element](data []T, shape ...int) (*Tensor, error) {
	if len(shape) == 0 && len(data) != 1 {
		shape = []int{len(data)}
	}
	n, err := Count(shape)
	if err != nil {
		return nil, err
	}
	if n != len(data) {
		return nil, fmt.Errorf("shape %v holds %d elements, got %d", shape, n, len(data))
	}
	t := &Tensor{dtype: DTypeOf[T](), shape: slices.Clone(shape)}
	if t.shape == nil {
		t.shape = []int{}
	}
	if s, ok := any(data).([]string); ok {
		t.strs = s
	} else if len(data) > 0 {
		t.buf = unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), len(data)*t.dtype.Size())
	}
	return t, nil
}

// Scalar is a tensor of no dimensions.
func Scalar[T Element](v T) *Tensor {
	t, _ := Of([]T{v})
	return t
}

// New makes a zeroed tensor. It fails on an invalid type or shape.
func New(d DType, shape ...int) (*Tensor, error) {
	if !d.Valid() {
		return nil, fmt.Errorf("%w: %v", ErrType, d)
	}
	n, err := Count(shape)
	if err != nil {
		return nil, err
	}
	t := &Tensor{dtype: d, shape: append([]int{}, shape...)}
	if d == String {
		t.strs = make([]string, n)
	} else if n > 0 {
		t.buf = AlignedBytes(d.ByteLen(n))
	}
	return t, nil
}

// FromBytes makes a tensor over buf, which is used and not copied: host byte order, aligned to the element's size.
func FromBytes(d DType, buf []byte, shape ...int) (*Tensor, error) {
	if a := alignment(d); len(buf) > 0 && uintptr(unsafe.Pointer(unsafe.SliceData(buf)))%uintptr(a) != 0 {
		return nil, fmt.Errorf("%v data is not aligned to %d bytes", d, a)
	}
	return overBytes(d, buf, shape)
}

// FromUnaligned is FromBytes for buf at any address, as numbers lie in files. It fails with ErrType on processors that
// read numbers at multiples of their size only.
func FromUnaligned(d DType, buf []byte, shape ...int) (*Tensor, error) {
	switch runtime.GOARCH {
	case "386", "amd64", "arm64", "ppc64le", "wasm":
		return overBytes(d, buf, shape)
	}
	return nil, fmt.Errorf("%w: %v at any address", ErrType, d)
}

func overBytes(d DType, buf []byte, shape []int) (*Tensor, error) {
	if !d.Valid() || d == String {
		return nil, fmt.Errorf("%w: %v", ErrType, d)
	}
	n, err := Count(shape)
	if err != nil {
		return nil, err
	}
	if len(buf) != d.ByteLen(n) {
		return nil, fmt.Errorf("%v%v takes %d bytes, got %d", d, shape, d.ByteLen(n), len(buf))
	}
	return &Tensor{dtype: d, shape: append([]int{}, shape...), buf: buf}, nil
}

func alignment(d DType) int {
	switch s := d.Size(); {
	case s == 0:
		return 1
	case d == Complex64:
		return 4
	case s > 8:
		return 8
	default:
		return s
	}
}

// AlignedBytes returns n zero bytes that start at a multiple of 64, as the vector kernels like them.
func AlignedBytes(n int) []byte {
	if n == 0 {
		return nil
	}
	b := make([]byte, n+63)
	off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & 63)
	return b[off : off+n : off+n]
}

// SequenceOf makes a sequence of elems.
func SequenceOf(elems []*Tensor) *Tensor { return &Tensor{kind: KindSequence, elems: elems} }

// OptionalOf makes an optional that holds v, or nothing when v is nil.
func OptionalOf(v *Tensor) *Tensor {
	t := &Tensor{kind: KindOptional}
	if v != nil {
		t.elems = []*Tensor{v}
	}
	return t
}
