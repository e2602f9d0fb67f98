package graph

import "github.com/qrun-onnx/qrun/tensor"

// Apply runs one pass that is not in Passes, as the quantization passes, on the model's graph g and its bodies, and infers
// again when it changed something. g has been inferred before.
func Apply(g *Graph, reg *Registry, p Pass, o PassOptions) (changed int, err error) {
	return (&optimizer{g: g, reg: reg, o: o}).apply(p)
}

// EvalNode runs a bound node by itself on known inputs (nil where absent) and returns its outputs, which may share memory
// with the inputs. It refuses results of more than a gibibyte.
func EvalNode(n *Node, in []*tensor.Tensor) ([]*tensor.Tensor, error) { return evalNode(n, in, 1<<30) }
