package qrun

import (
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/ops/dynquant"
)

var (
	// ErrUnsupported is in the chain of errors about operators, attribute values or element types that are known and not
	// implemented, or not known at all. Open and Load return all of a model's at once.
	ErrUnsupported = graph.ErrUnsupported
	// ErrFormat is in the chain of errors about bytes that are no valid ONNX model.
	ErrFormat = onnx.ErrFormat
)

// NodeError says in which node of the model a Run went wrong, also when its operator panicked.
type NodeError = graph.NodeError

// InputError says which input of a Run does not fit the model: a name it does not have, a missing one, or a type or
// shape that it does not take.
type InputError = graph.InputError

// OutputError says which tensor given to RunInto does not fit: a name that is no output, another type or shape, or memory
// that an input or another output has.
type OutputError = graph.OutputError

// OptionError says that Options name something that the model, or qrun, does not have: a pattern of Only or Exclude that
// matches no node, an operator type that is not quantized, a pass.
type OptionError = dynquant.OptionError
