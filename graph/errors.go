package graph

import (
	"errors"
	"fmt"

	"github.com/qrun-onnx/qrun/tensor"
)

// ErrUnsupported is in the chain of errors about a known operator, type or attribute that is not implemented, and of
// an operator that is not known.
var ErrUnsupported = errors.New("not supported")

// UnsupportedType is the error of an operator for an element type that its definition may list but its implementation
// does not take.
func UnsupportedType(what string, d tensor.DType) error {
	return fmt.Errorf("%w: %s of type %v", ErrUnsupported, what, d)
}

func (e *NodeError) Error() string {
	s := fmt.Sprintf("%s %q: %v", e.Op, e.Node, e.Err)
	for i, in := range e.Inputs {
		if i == 0 {
			s += "\n      inputs: " + in
		} else {
			s += ", " + in
		}
	}
	return s
}

// Unwrap returns the operator's own error.
func (e *NodeError) Unwrap() error { return e.Err }
