package graph

import "github.com/qrun-onnx/qrun/tensor"

// EvalNode runs a bound node by itself on known inputs (nil where absent) and returns its outputs, which may share memory
// with the inputs. It refuses results of more than a gibibyte.
func EvalNode(n *Node, in []*tensor.Tensor) ([]*tensor.Tensor, error) { return evalNode(n, in, 1<<30) }
