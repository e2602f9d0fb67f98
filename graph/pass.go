package graph

import (
	"fmt"
	"slices"
	"strings"
)

// Pass rewrites a graph into one with the same results. How to write one: Run visits pc.Nodes(g), recognises a pattern from
// its last node backwards (pc.MadeBy, pc.Only, pc.Scalar, pc.IsScalar), makes the new node with pc.Make on the last node's
// outputs and calls pc.Replace. Whatever nobody reads any more is removed by that. Each body is a call of Run of its own,
// inner ones first; values that a body captures are found like its own, so a pass needs no care for them, but must not
// put a node into another graph than that of the node it replaces. Run is repeated until it changes nothing, and inference
// follows a change. A fused node is made only when pc.Has knows its operator.
type Pass struct {
	Name  string
	Doc   string // one line
	Stage Stage
	Run   func(g *Graph, pc *PassCtx) (changed int, err error)
}

// Stage groups passes, so that quantization can come between them.
type Stage uint8

// The stages, in their order.
const (
	Clean    Stage = iota + 1 // constants, dead code, no-ops: the operators of the file remain what they are
	Fuse                      // chains of primitives to the operators they stand for
	Epilogue                  // bias, residual and activation into the products before them
)

// Passes lists all passes in the order in which they run.
func Passes() []Pass {
	return []Pass{
		{"dead", "remove nodes whose results nobody reads", Clean, removeDead},
		{"fold", "compute nodes whose inputs are constants", Clean, foldConstants},
		{"const-if", "put the branch of an If with a known condition in its place", Clean, inlineIf},
		{"identity", "remove nodes that return their input", Clean, removeIdentity},
		{"common", "compute equal nodes with equal inputs once", Clean, shareCommon},
		{"transposes", "one Transpose, or none, for two in a row", Fuse, fuseTransposes},
		{"sink-transposes", "a Transpose behind the elementwise operators that follow", Fuse, sinkTransposes},
		{"reshapes", "let a Reshape of a reshaped value read the value before", Fuse, fuseReshapes},
		{"einsum", "Einsum to MatMul where it is one", Fuse, fuseEinsum},
		{"softmax", "Softmax from ReduceMax, Exp, ReduceSum and Div", Fuse, fuseSoftmax},
		{"layer-norm", "LayerNormalization and RMSNormalization from their primitives", Fuse, fuseLayerNorm},
		{"gelu", "Gelu from its erf and tanh forms", Fuse, fuseGelu},
		{"silu", "x*sigmoid(x) and x*sigmoid(alpha*x) as one operator", Fuse, fuseSilu},
		{"hard-swish", "HardSigmoid and HardSwish from Clip, Add and products", Fuse, fuseHard},
		{"factors", "one Mul for two with numbers in a row", Fuse, mergeFactors},
		{"conv-pad", "zero padding into the convolution that follows", Fuse, foldPad},
		{"conv-affine", "BatchNormalization and constant scales and shifts into the weights of a convolution", Fuse, foldAffine},
		{"unflatten-products", "Gemm between Reshapes that join and restore dimensions to MatMul", Fuse, unflattenProducts},
		{"product-affine", "BatchNormalization and constant scales and shifts per column after a product into its weight and bias", Fuse, foldLinearAffine},
		{"split-products", "a product of which parts of the columns are read, as packed queries, keys and values, to one for each", Fuse, splitProducts},
		{"rotary", "rotary position embedding in halves and in neighbours, of all or the first elements, as one operator", Fuse, fuseRotary},
		{"affine-product", "the same before a product that is not quantized", Epilogue, foldAffineLinear},
		{"attention", "softmax(scale*Q*K^T + mask)*V with its transposes as one operator", Epilogue, fuseAttention},
		{"products", "MatMul and Gemm to a product with an epilogue", Epilogue, fuseProducts},
		{"product-transpose", "a transposed operand of a product read in place", Epilogue, fuseOperandTranspose},
		{"product-scale", "a constant factor into the product", Epilogue, fuseScale},
		{"product-bias", "a bias per column into the product", Epilogue, fuseBias},
		{"convs", "Conv to a convolution with an epilogue", Epilogue, fuseConvs},
		{"activation", "an activation into the product or convolution", Epilogue, fuseActivation},
		{"residual", "the sum with a tensor of the same shape into the product or convolution", Epilogue, fuseResidual},
		{"siblings", "the products of one value with constant weights, as queries, keys and values, in one node", Epilogue, joinSiblings},
	}
}

// PassOptions say which passes run and how.
type PassOptions struct {
	Stages  []Stage  // nil: all
	Disable []string // names of passes to leave out
	Only    []string // when not nil, names of the passes to run
	// FoldDequantize lets the fold pass turn DequantizeLinear of a constant into a float constant.
	FoldDequantize bool
	// KeepIntegers keeps the fold pass from widening constants of 8 bits and less to floats, when a later pass wants
	// to see them with their scales.
	KeepIntegers bool
}

// maxRounds bounds how often a pass is repeated.
const maxRounds = 16

// PassStat says how often a pass changed something.
type PassStat struct {
	Pass    string
	Changed int
}

// Optimize infers the model's graph g and runs passes on it and its bodies. The names of graph inputs and outputs stay.
// It fails for a name of a pass that does not exist.
func Optimize(g *Graph, reg *Registry, o PassOptions) ([]PassStat, error) {
	if _, err := selectPasses(o); err != nil {
		return nil, err
	}
	z, err := NewOptimizer(g, reg)
	if err != nil {
		return nil, err
	}
	return z.Optimize(o)
}

func selectPasses(o PassOptions) ([]Pass, error) {
	all := Passes()
	for _, name := range slices.Concat(o.Disable, o.Only) {
		if !slices.ContainsFunc(all, func(p Pass) bool { return p.Name == name }) {
			names := make([]string, len(all))
			for i, p := range all {
				names[i] = p.Name
			}
			return nil, fmt.Errorf("there is no pass %q (there are: %s)", name, strings.Join(names, ", "))
		}
	}
	return slices.DeleteFunc(all, func(p Pass) bool {
		return slices.Contains(o.Disable, p.Name) || o.Only != nil && !slices.Contains(o.Only, p.Name) ||
			o.Stages != nil && !slices.Contains(o.Stages, p.Stage)
	}), nil
}
