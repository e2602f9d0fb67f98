package tensor

import (
	"strconv"
	"strings"
)

// Kind says whether a value is a tensor, a sequence of values or an optional value.
type Kind uint8

// The kinds of value that ONNX has.
const (
	KindTensor Kind = iota
	KindSequence
	KindOptional
)

// Dim is one dimension: Size >= 0 when known; else -1, with the symbol of the model in Name if it has one.
type Dim struct {
	Name string
	Size int
}

// Known reports whether the size is known.
func (d Dim) Known() bool { return d.Size >= 0 }

func (d Dim) String() string {
	switch {
	case d.Size >= 0:
		return strconv.Itoa(d.Size)
	case d.Name != "":
		return d.Name
	}
	return "?"
}

// Fixed is a Dim of known size.
func Fixed(n int) Dim { return Dim{Size: n} }

// AnyDim is a Dim about which nothing is known.
var AnyDim = Dim{Size: -1}

// Spec is what is known of a value before it exists. The zero Spec knows nothing. For a sequence or an optional, Elem
// describes the elements, and DType, Dims and Ranked are unused.
type Spec struct {
	DType  DType // Undefined: not known
	Dims   []Dim
	Ranked bool // false: the rank is not known and Dims is nil
	Kind   Kind
	Elem   *Spec
}

// SpecOf is the Spec of a tensor of known type and shape.
func SpecOf(d DType, shape ...int) Spec {
	dims := make([]Dim, len(shape))
	for i, n := range shape {
		dims[i] = Dim{Size: n}
	}
	return Spec{DType: d, Dims: dims, Ranked: true}
}

// Unranked is the Spec of a tensor of which only the type is known.
func Unranked(d DType) Spec { return Spec{DType: d} }

// Ranked is the Spec of a tensor with these dimensions; the slice is used, not copied.
func Ranked(d DType, dims []Dim) Spec { return Spec{DType: d, Dims: dims, Ranked: true} }

// Rank is the number of dimensions, -1 when unknown.
func (s Spec) Rank() int {
	if !s.Ranked {
		return -1
	}
	return len(s.Dims)
}

// Shape returns the sizes when type, rank and every size are known.
func (s Spec) Shape() ([]int, bool) {
	if !s.Complete() {
		return nil, false
	}
	shape := make([]int, len(s.Dims))
	for i, d := range s.Dims {
		shape[i] = d.Size
	}
	return shape, true
}

// Complete reports whether s is a tensor of known type, rank and sizes.
func (s Spec) Complete() bool {
	if s.Kind != KindTensor || !s.Ranked || s.DType == Undefined {
		return false
	}
	for _, d := range s.Dims {
		if d.Size < 0 {
			return false
		}
	}
	return true
}

// String writes the Spec as messages show it: float32[batch 128], int64 (a scalar), float32[...] (unknown rank),
// sequence(float32[?]).
func (s Spec) String() string {
	switch s.Kind {
	case KindSequence, KindOptional:
		inner := "?"
		if s.Elem != nil {
			inner = s.Elem.String()
		}
		if s.Kind == KindSequence {
			return "sequence(" + inner + ")"
		}
		return "optional(" + inner + ")"
	}
	name := s.DType.String()
	if s.DType == Undefined {
		name = "?"
	}
	if !s.Ranked {
		return name + "[...]"
	}
	if len(s.Dims) == 0 {
		return name
	}
	var b strings.Builder
	b.WriteString(name)
	b.WriteByte('[')
	for i, d := range s.Dims {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(d.String())
	}
	b.WriteByte(']')
	return b.String()
}
