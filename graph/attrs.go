package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/qrun-onnx/qrun/tensor"
)

// Attr is one attribute of a node: the field of its Type is set.
type Attr struct {
	Name    string
	Type    AttrType
	F       float32
	I       int64
	S       string
	T       *tensor.Tensor
	G       *Graph
	Floats  []float32
	Ints    []int64
	Strings []string
	Tensors []*tensor.Tensor
	Graphs  []*Graph
	Spec    tensor.Spec
}

// AttrType is the type of an attribute, with the numbers of ONNX's AttributeProto.AttributeType.
type AttrType uint8

// Attribute types, with ONNX's numbers.
const (
	AttrFloat   AttrType = 1
	AttrInt     AttrType = 2
	AttrString  AttrType = 3
	AttrTensor  AttrType = 4
	AttrGraph   AttrType = 5
	AttrFloats  AttrType = 6
	AttrInts    AttrType = 7
	AttrStrings AttrType = 8
	AttrTensors AttrType = 9
	AttrGraphs  AttrType = 10
	AttrSpec    AttrType = 13 // TYPE_PROTO
)

var attrTypeNames = map[AttrType]string{AttrFloat: "float", AttrInt: "int", AttrString: "string", AttrTensor: "tensor", AttrGraph: "graph",
	AttrFloats: "floats", AttrInts: "ints", AttrStrings: "strings", AttrTensors: "tensors", AttrGraphs: "graphs", AttrSpec: "type_proto"}

func (t AttrType) String() string {
	if n := attrTypeNames[t]; n != "" {
		return n
	}
	return fmt.Sprintf("attribute type %d", uint8(t))
}

// Attrs are the attributes of a node while its operator is made. Reading marks an attribute; one that nobody read is
// an error, since an ignored attribute is a wrong answer without a word. Errors are kept and returned by Err.
type Attrs struct {
	Domain, Op, Name string
	Opset            int    // version of Domain that the model imports
	NumIn, NumOut    int    // absent optional ones counted
	Absent           []bool // by input: left out by an empty name; may be shorter than NumIn
	list             map[string]Attr
	read             map[string]bool
	errs             []string
	unsupported      bool
}

// NewAttrs makes the attributes of a node.
func NewAttrs(domain, op string, opset int, attrs ...Attr) *Attrs {
	a := &Attrs{Domain: domain, Op: op, Opset: opset, list: map[string]Attr{}, read: map[string]bool{}}
	for _, x := range attrs {
		a.list[x.Name] = x
	}
	return a
}

// Clone returns the same attributes, none read.
func (a *Attrs) Clone() *Attrs {
	c := *a
	c.read, c.errs, c.unsupported = map[string]bool{}, nil, false
	return &c
}

func (a *Attrs) take(name string, t AttrType) (Attr, bool) {
	x, ok := a.list[name]
	if !ok {
		return x, false
	}
	a.read[name] = true
	if x.Type != t {
		a.errs = append(a.errs, fmt.Sprintf("attribute %q is of type %v, want %v", name, x.Type, t))
		return x, false
	}
	return x, true
}

// HasIn reports whether the node has input i, as far as is known when its operator is made.
func (a *Attrs) HasIn(i int) bool { return i < a.NumIn && (i >= len(a.Absent) || !a.Absent[i]) }

// absent lists which of the inputs are left out.
func absent[T any](in []*T) []bool {
	list := make([]bool, len(in))
	for i, x := range in {
		list[i] = x == nil
	}
	return list
}

// Has reports whether the attribute is present; it does not count as reading it.
func (a *Attrs) Has(name string) bool { _, ok := a.list[name]; return ok }

// Lookup returns an attribute as it is, without marking it as read.
func (a *Attrs) Lookup(name string) (Attr, bool) { x, ok := a.list[name]; return x, ok }

// Names lists the attributes present, sorted.
func (a *Attrs) Names() []string {
	names := make([]string, 0, len(a.list))
	for n := range a.list {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Int returns an int attribute, or def when it is absent.
func (a *Attrs) Int(name string, def int64) int64 {
	if x, ok := a.take(name, AttrInt); ok {
		return x.I
	}
	return def
}

// Bool returns an int attribute that means no (0) or yes (any other).
func (a *Attrs) Bool(name string, def bool) bool {
	if x, ok := a.take(name, AttrInt); ok {
		return x.I != 0
	}
	return def
}

// Float returns a float attribute, or def when it is absent.
func (a *Attrs) Float(name string, def float32) float32 {
	if x, ok := a.take(name, AttrFloat); ok {
		return x.F
	}
	return def
}

// Str returns a string attribute, or def when it is absent.
func (a *Attrs) Str(name, def string) string {
	if x, ok := a.take(name, AttrString); ok {
		return x.S
	}
	return def
}

// OneOf returns a string attribute that must be one of the allowed words; the first is the default.
func (a *Attrs) OneOf(name string, allowed ...string) string {
	s := a.Str(name, allowed[0])
	if !slices.Contains(allowed, s) {
		a.errs = append(a.errs, fmt.Sprintf("attribute %s=%q, want one of %s", name, s, strings.Join(allowed, ", ")))
	}
	return s
}

// Ints returns an ints attribute, nil when it is absent.
func (a *Attrs) Ints(name string) []int64 { x, _ := a.take(name, AttrInts); return x.Ints }

// Floats returns a floats attribute, nil when it is absent.
func (a *Attrs) Floats(name string) []float32 { x, _ := a.take(name, AttrFloats); return x.Floats }

// Strings returns a strings attribute, nil when it is absent.
func (a *Attrs) Strings(name string) []string { x, _ := a.take(name, AttrStrings); return x.Strings }

// Tensor returns a tensor attribute, nil when it is absent.
func (a *Attrs) Tensor(name string) *tensor.Tensor { x, _ := a.take(name, AttrTensor); return x.T }

// Graph returns a graph attribute, nil when it is absent. The node's Bodies hold it too, for RunCtx.RunBody.
func (a *Attrs) Graph(name string) *Graph { x, _ := a.take(name, AttrGraph); return x.G }

// Spec returns a type attribute; ok is false when it is absent.
func (a *Attrs) Spec(name string) (s tensor.Spec, ok bool) {
	x, ok := a.take(name, AttrSpec)
	return x.Spec, ok
}

// Require records an error when the attribute is absent.
func (a *Attrs) Require(names ...string) {
	for _, n := range names {
		if !a.Has(n) {
			a.errs = append(a.errs, fmt.Sprintf("attribute %q is missing", n))
		}
	}
}

// Only states that an int attribute is supported with these values alone, the first being the default.
func (a *Attrs) Only(name string, allowed ...int64) {
	if v := a.Int(name, allowed[0]); !slices.Contains(allowed, v) {
		a.unsupported = true
		a.errs = append(a.errs, fmt.Sprintf("attribute %s=%d is not supported, only %v", name, v, allowed))
	}
}

// Ignore marks attributes as read that carry no meaning for the result, as consumed_inputs of opset 1.
func (a *Attrs) Ignore(names ...string) {
	for _, n := range names {
		a.read[n] = true
	}
}

// Err returns what was wrong with the attributes read so far, and, when all is read (final), those that nobody read.
// The error wraps ErrUnsupported when a known attribute has a value that is not implemented, or is not known at all.
func (a *Attrs) Err(final bool) error {
	errs := a.errs
	unsupported := a.unsupported
	if final {
		for _, n := range a.Names() {
			if !a.read[n] {
				errs = append(errs[:len(errs):len(errs)], fmt.Sprintf("attribute %q is not known", n))
				unsupported = true
			}
		}
	}
	switch {
	case len(errs) == 0:
		return nil
	case unsupported:
		return fmt.Errorf("%w: %s", ErrUnsupported, strings.Join(errs, "; "))
	}
	return fmt.Errorf("%s", strings.Join(errs, "; "))
}
