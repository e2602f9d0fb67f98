// Package graph is the intermediate representation between an ONNX file and its execution: typed values, nodes bound
// to operators, inference, rewriting passes, the memory plan and the executor. It knows no operator.
package graph

import (
	"github.com/qrun-onnx/qrun/tensor"
)

// Op is a node's operator with its attributes parsed. It is immutable and used by any number of runs at once.
type Op interface {
	// Infer sets what is known of the outputs from what is known of the inputs. It is called when the model is loaded
	// (dimensions may be unknown or symbolic) and again for every new set of concrete input shapes; then, if the specs
	// and constants that it needs are known, it must set complete specs, since the executor allocates from them. Every
	// check of types, ranks and sizes belongs here: Run may rely on it.
	Infer(c *InferCtx) error
	// Run computes the outputs. c.Out[i] is allocated when Infer gave a complete spec (the elements are not zeroed),
	// else nil: then Run makes it with c.Alloc or c.Set. Infer has always been called with the concrete input specs
	// (and, for small inputs, their contents) before.
	Run(c *RunCtx) error
}

// Prepacker is implemented by operators that bring constant inputs into a layout of their kernels once, at load.
// consts has one entry per input, nil where the input is absent or not constant. The returned Op replaces the receiver.
// used lists the inputs that the returned Op reads no more from c.In (they become nil there and their memory is
// released when no other node needs it); Infer still sees their specs.
type Prepacker interface {
	Prepack(consts []*tensor.Tensor) (op Op, used []int, err error)
}

// Viewer is implemented by operators whose output 0 is input ViewOf() under another shape (Identity, Reshape, Squeeze,
// ...). The executor then shares the memory and does not call Run where the output's spec is complete.
type Viewer interface{ ViewOf() int }

// InPlacer is implemented by operators that may write output 0 over one of the listed inputs, when the executor finds
// that its memory is needed by nobody else and type and shape are the same.
type InPlacer interface{ InPlace() []int }

// Impure is implemented by operators whose result is not a function of their inputs (random generators without a
// seed): they are never folded.
type Impure interface{ Impure() }

// KernelNamer is implemented by operators that can say which kernel computes them, as "u8s8/avx512vnni", for reports
// and profiles.
type KernelNamer interface{ KernelName() string }

// Counter is implemented by operators whose arithmetic is worth counting, for profiles: two operations for a multiply-add
// of a product or convolution, one for each element and primitive of the definition of others, where a function such as
// exp is one. The specs are those of one execution, of inputs that Prepack took over too; absent ones are the zero Spec.
type Counter interface {
	Operations(in, out []tensor.Spec) int64
}

// Selector is implemented by operators that read a part of their first input, as large as the result: table look-ups and
// slices. Profiles count that part as read.
type Selector interface{ ReadsPart() }

// Def says how to make an operator. The Def of a node is the one of its domain and name with the largest Since that is
// not above the model's opset for that domain.
type Def struct {
	Domain string // "" is ai.onnx
	Op     string
	Since  int
	New    func(*Attrs) (Op, error)
	// Types of the first input (or, with no inputs, of the output) that this implementation takes. For listings.
	Types []tensor.DType
}

// Value is an edge of the graph: the output of one node, a graph input, or a constant.
type Value struct {
	Name  string
	Spec  tensor.Spec
	Const *tensor.Tensor
}

// Node is one operation.
type Node struct {
	Name, Domain, Type string
	Since              int      // of the Def that was chosen
	In, Out            []*Value // nil: absent optional
	Op                 Op
	Attrs              *Attrs // as in the file; passes read it to build another node
	Bodies             map[string]*Graph
}

// Graph is a list of nodes in execution order with named inputs and outputs: a model's, or the body of If, Loop, Scan.
type Graph struct {
	Name    string
	Inputs  []*Value
	Outputs []*Value
	Nodes   []*Node
	// Preset are inputs of the file that have an initializer there: constants, which a run cannot feed.
	Preset []*Value
	// Opsets is the version per domain under which this graph's nodes are understood; "" is ai.onnx.
	Opsets map[string]int
	// Outer is the graph whose values this body may use directly, nil for the model's graph.
	Outer *Graph
	// Memory is what keeps the elements of the file's constants alive (onnx.Source). Operators keep bare slices of them,
	// which do not: whoever runs operators of this graph holds the graph until they have returned.
	Memory any
}

// NodeError says in which node something went wrong.
type NodeError struct {
	Node, Op string
	Inputs   []string // as "X float32[1 3 224 224]"
	Err      error
	Stack    []byte // of a recovered panic
}
