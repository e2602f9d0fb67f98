package onnx

import (
	"errors"
	"fmt"
	"math"
)

// ErrFormat is in the chain of every error about bytes that are not what the format asks for: truncated or random
// files, tensors whose data do not fit their shape, external data outside of the model's directory.
var ErrFormat = errors.New("not a valid ONNX file")

// ErrUnsupported is in the chain of errors about valid content that this module cannot use, as map types.
var ErrUnsupported = errors.New("not supported")

// Versions of the format that this package knows. Newer ones are read as far as they are the same.
const (
	IRVersion    = 13
	OpsetVersion = 25
)

// Limits on what a file may ask for; beyond them decoding fails with ErrFormat.
const (
	maxDepth = 300       // nested messages: three for each level of subgraphs
	maxFile  = 1<<31 - 1 // bytes of a protobuf message
	maxDense = 1 << 30   // bytes of a sparse tensor when it is expanded

	maxExternal = math.MaxInt - 1 // bytes of an external data file
)

func formatErr(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrFormat}, args...)...)
}
