package tensor

import (
	"errors"
	"fmt"
	"slices"
	"unsafe"
)

// F16 holds the bits of an IEEE 754 binary16 number.
type F16 uint16

// BF16 holds the bits of a bfloat16 number: the upper half of a float32.
type BF16 uint16

// F8 holds the bits of an 8-bit float; the tensor's DType says which of the five formats.
type F8 uint8

// Element is a Go type of tensor elements. Types of less than a byte have none: use Tensor.Bytes.
type Element interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | bool | string | F16 | BF16 | complex64 | complex128
}

// Tensor is a dense row-major array, or (Kind not KindTensor) a sequence or optional of values. Shape and type never
// change; the elements belong to whoever made it.
type Tensor struct {
	dtype DType
	kind  Kind
	shape []int
	buf   []byte   // elements in host byte order; packed types two or four to a byte, first in the low bits
	strs  []string // elements of String
	elems []*Tensor
	owner any // see Keep
}

// ErrType is in the chain of every error about an element type that does not fit.
var ErrType = errors.New("element type does not fit")

// DTypeOf returns the DType of a Go element type.
func DTypeOf[T Element]() DType {
	var z T
	switch any(z).(type) {
	case float32:
		return Float32
	case float64:
		return Float64
	case int8:
		return Int8
	case int16:
		return Int16
	case int32:
		return Int32
	case int64:
		return Int64
	case uint8:
		return Uint8
	case uint16:
		return Uint16
	case uint32:
		return Uint32
	case uint64:
		return Uint64
	case bool:
		return Bool
	case string:
		return String
	case F16:
		return Float16
	case BF16:
		return BFloat16
	case complex64:
		return Complex64
	}
	return Complex128
}

// DType is the element type.
func (t *Tensor) DType() DType { return t.dtype }

// Kind says whether t is a tensor, a sequence or an optional.
func (t *Tensor) Kind() Kind { return t.kind }

// Elems returns the values of a sequence (or of an optional: none or one).
func (t *Tensor) Elems() []*Tensor { return t.elems }

// Shape returns the sizes; the slice must not be changed. A scalar has an empty shape.
func (t *Tensor) Shape() []int { return t.shape }

// Rank is the number of dimensions.
func (t *Tensor) Rank() int { return len(t.shape) }

// Len is the number of elements.
func (t *Tensor) Len() int {
	n := 1
	for _, d := range t.shape {
		n *= d
	}
	return n
}

// Bytes returns the elements in host byte order, without a copy; nil for String.
func (t *Tensor) Bytes() []byte { return t.buf }

// Spec is the tensor's exact Spec; for a sequence, what its elements have in common.
func (t *Tensor) Spec() Spec {
	if t.kind != KindTensor {
		s := Spec{Kind: t.kind}
		if len(t.elems) > 0 {
			e := t.elems[0].Spec()
			for _, x := range t.elems[1:] {
				e.keepCommon(x)
			}
			s.Elem = &e
		}
		return s
	}
	return SpecOf(t.dtype, t.shape...)
}

// keepCommon forgets what x does not share with s, which is a Spec of another value.
func (s *Spec) keepCommon(x *Tensor) {
	if s.Kind != KindTensor || x.kind != KindTensor {
		s.Elem = nil
		return
	}
	if x.dtype != s.DType {
		s.DType = Undefined
	}
	if len(x.shape) != len(s.Dims) {
		s.Ranked, s.Dims = false, nil
	}
	for i := range s.Dims {
		if s.Dims[i].Size != x.shape[i] {
			s.Dims[i] = AnyDim
		}
	}
}

// Data returns the elements of t without a copy; it fails when T is not t's element type.
func Data[T Element](t *Tensor) ([]T, error) {
	if t.kind != KindTensor || t.dtype != DTypeOf[T]() {
		return nil, fmt.Errorf("%w: want %v, got %v", ErrType, DTypeOf[T](), t.Spec())
	}
	return View[T](t), nil
}

// View returns the elements of t as T without a copy. The caller has checked the type: a T of another size is a
// programming error and panics.
func View[T Element](t *Tensor) []T {
	if s, ok := any(t.strs).([]T); ok && t.dtype == String {
		return s
	}
	if DTypeOf[T]().Size() != t.dtype.Size() || t.dtype.Size() == 0 {
		panic(fmt.Sprintf("tensor: view of %v as %v", t.dtype, DTypeOf[T]()))
	}
	if len(t.buf) == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(t.buf))), len(t.buf)/t.dtype.Size())
}

// Keep makes t hold on to owner. The maker of a tensor calls it when the elements are in memory that the garbage
// collector does not know, as a mapped file, and that owner frees when it is garbage. Slices of the elements do not hold
// it: they are valid while t, or one made from it by Reshape, is reachable.
func (t *Tensor) Keep(owner any) { t.owner = owner }

// Owner is what Keep was given, else nil.
func (t *Tensor) Owner() any { return t.owner }

// Reshape returns a tensor that shares t's elements under another shape of equal element count.
func (t *Tensor) Reshape(shape ...int) (*Tensor, error) {
	n, err := Count(shape)
	if err != nil {
		return nil, err
	}
	if n != t.Len() {
		return nil, fmt.Errorf("cannot reshape %v to %v", t.Spec(), shape)
	}
	r := *t
	r.shape = append([]int{}, shape...)
	return &r, nil
}

// Clone returns a deep copy.
func (t *Tensor) Clone() *Tensor {
	c := &Tensor{dtype: t.dtype, kind: t.kind, shape: slices.Clone(t.shape), strs: slices.Clone(t.strs)}
	if len(t.buf) > 0 {
		c.buf = AlignedBytes(len(t.buf))
		Copy(c.buf, t.buf)
	}
	for _, e := range t.elems {
		c.elems = append(c.elems, e.Clone())
	}
	return c
}

func (t *Tensor) String() string { return t.Spec().String() }
