package tensor

import (
	"slices"
	"unsafe"
)

// Header makes a tensor of this type and shape that has no elements until Share gives it some.
func Header(d DType, shape ...int) *Tensor {
	t := &Tensor{dtype: d, shape: slices.Clone(shape)}
	if t.shape == nil {
		t.shape = []int{}
	}
	return t
}

// Share makes t, made by Header, a view of src's elements, of which there must be as many and of the same type. With a
// nil src it lets go of them. Only the owner of a header may call this, while nobody reads it: it exists so that an
// executor can use its headers for many runs.
func (t *Tensor) Share(src *Tensor) {
	if src == nil {
		t.buf, t.strs = nil, nil
		return
	}
	t.buf, t.strs = src.buf, src.strs
}

// Overlaps reports whether t and o, or elements of theirs where they are sequences, have memory in common.
func (t *Tensor) Overlaps(o *Tensor) bool {
	for _, e := range t.elems {
		if e.Overlaps(o) {
			return true
		}
	}
	for _, e := range o.elems {
		if t.Overlaps(e) {
			return true
		}
	}
	return overlap(t.buf, o.buf) || overlap(t.strs, o.strs)
}

// OverlapsBytes reports whether elements of t, or of a sequence's elements, lie in b.
func (t *Tensor) OverlapsBytes(b []byte) bool {
	for _, e := range t.elems {
		if e.OverlapsBytes(b) {
			return true
		}
	}
	return overlap(t.buf, b)
}

func overlap[T any](a, b []T) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	size := unsafe.Sizeof(a[0])
	pa, pb := uintptr(unsafe.Pointer(unsafe.SliceData(a))), uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	return pa < pb+uintptr(len(b))*size && pb < pa+uintptr(len(a))*size
}

// CopyTo copies t's elements to dst; it reports false, and does nothing, when type or shape are not the same.
func (t *Tensor) CopyTo(dst *Tensor) bool {
	if t.kind != KindTensor || dst.kind != KindTensor || t.dtype != dst.dtype || !slices.Equal(t.shape, dst.shape) {
		return false
	}
	Copy(dst.buf, t.buf)
	Copy(dst.strs, t.strs)
	return true
}

// copyBytes is how much Copy copies at a time.
const copyBytes = 256 << 10

// Copy is the copy of the language for slices of any length: that one cannot be interrupted, so that the garbage
// collector of the whole program waits until megabytes are copied.
func Copy[T any](dst, src []T) {
	n := min(len(dst), len(src))
	dst, src = dst[:n], src[:n]
	for step := copyBytes / max(int(unsafe.Sizeof(*new(T))), 1); len(src) > step; dst, src = dst[step:], src[step:] {
		copyPart(dst[:step], src)
	}
	copy(dst, src)
}

// copyPart is not inlined, so that a loop of calls can be interrupted.
//
//go:noinline
func copyPart[T any](dst, src []T) { copy(dst, src) }
