package graph

import "github.com/qrun-onnx/qrun/tensor"

// fileMemory is what owns tensors (see tensor.Keep) whose elements may be memory of a mapped file.
type fileMemory interface {
	Mapped(b []byte) bool
	Release(b []byte)
}

// InFile reports whether t's elements are memory of a mapped file: such a tensor takes memory only where it is read, so
// that it can be kept as it is where few of its elements are needed.
func InFile(t *tensor.Tensor) bool {
	m, ok := t.Owner().(fileMemory)
	return ok && m.Mapped(t.Bytes())
}

// Release lets the operating system take back the memory of t's elements when they lie in a mapped file; whoever reads
// them again gets them from there. Call it when a large constant has been read through.
func Release(t *tensor.Tensor) {
	if m, ok := t.Owner().(fileMemory); ok {
		m.Release(t.Bytes())
	}
}
