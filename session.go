package qrun

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/ops/dynquant"
	"github.com/qrun-onnx/qrun/tensor"
)

// Tensors are the inputs or outputs of a run, by name.
type Tensors = map[string]*tensor.Tensor

// Report says for each node that could be quantized what was done, or why not.
type Report = dynquant.Report

// Decision is one node of a Report.
type Decision = dynquant.Decision

// Input is an input of a model. Sizes that a run may choose are unknown in Spec, with their symbol if they have one; the
// symbol is a hint, two dimensions of one symbol may differ.
type Input struct {
	Name string
	Spec tensor.Spec
	// Limit is the number of rows of the table that an integer input indexes: its values have to stay below. 0 where
	// the input indexes none of known size.
	Limit int64
}

// Output is an output of a model; its Spec is what inference knows of it.
type Output struct {
	Name string
	Spec tensor.Spec
}

// Session is a model that is ready to run. It is immutable: every method may be called from any number of goroutines.
type Session struct {
	exe     *graph.Executable
	k       *backend.Kernels
	inputs  []Input
	outputs []Output
	report  *Report
	model   ModelInfo
	passes  []graph.PassStat
	steps   []LoadStep
	onNode  func(context.Context, NodeStat)
	log     *slog.Logger
}

// Run runs the model and returns its outputs, which belong to the caller. in needs every input by name; its tensors are
// read, not kept. Cancelling ctx ends the run between two nodes or parts of one. Errors are *InputError, *NodeError or
// ctx's.
func (s *Session) Run(ctx context.Context, in Tensors) (Tensors, error) {
	if s.onNode == nil {
		return s.exe.Run(ctx, in, nil)
	}
	return s.exe.Run(ctx, in, &graph.RunOptions{OnNode: func(n NodeStat) { s.onNode(ctx, n) }})
}

// RunInto is Run into tensors of the caller: out has some or all outputs by name, each of exactly the type and shape that
// the output gets, sharing memory with no input and no other output. A warm RunInto allocates nothing where the shapes
// of the model's values follow from those of its inputs: operators write to these tensors. They must not be read or
// written by others meanwhile, and after an error their elements are undefined. Errors are *OutputError too.
func (s *Session) RunInto(ctx context.Context, in, out Tensors) error {
	if s.onNode == nil {
		return s.exe.RunInto(ctx, in, out, nil)
	}
	return s.exe.RunInto(ctx, in, out, &graph.RunOptions{OnNode: func(n NodeStat) { s.onNode(ctx, n) }})
}

// RunOptions are for those who look at a run.
type RunOptions = graph.RunOptions

// RunWith is Run under observation; a Watch makes it slower, since every value then has memory of its own.
func (s *Session) RunWith(ctx context.Context, in Tensors, o RunOptions) (Tensors, error) {
	return s.exe.Run(ctx, in, &o)
}

// Inputs lists what Run needs, in the model's order.
func (s *Session) Inputs() []Input { return slices.Clone(s.inputs) }

// Outputs lists what Run returns, in the model's order.
func (s *Session) Outputs() []Output { return slices.Clone(s.outputs) }

// Report says what quantization did; without one it is empty. It must not be changed.
func (s *Session) Report() *Report { return s.report }

// LoadStep is a part of loading: decode, build, infer, a rewriting pass, quantize or pack. A pass that is applied several
// times is several steps, and Quantize may apply passes of its own within its time.
type LoadStep struct {
	Name     string
	Start    time.Time
	Duration time.Duration
}

func (s *Session) step(name string, start time.Time) {
	s.steps = append(s.steps, LoadStep{name, start, time.Since(start)})
}

// LoadSteps says where the time of loading went, in the order in which the steps ended.
func (s *Session) LoadSteps() []LoadStep { return slices.Clone(s.steps) }

// Model describes the file.
func (s *Session) Model() ModelInfo { return s.model }

// Backend is the tier of kernels that the session computes with.
func (s *Session) Backend() string { return s.k.Name() }

// Threads is the number of goroutines that all Runs together compute on.
func (s *Session) Threads() int { return s.exe.Threads() }

// WeightsBytes is the memory of the constants, in bytes, packed for the kernels or not.
func (s *Session) WeightsBytes() int64 { return s.exe.WeightBytes() }

// ArenaBytes is the working memory of the largest Run so far, in bytes. Concurrent Runs have one each.
func (s *Session) ArenaBytes() int64 { return s.exe.ArenaBytes() }

// Kernels lists the kernels of the model's matrix products, as "u8s8/avx512vnni".
func (s *Session) Kernels() []string {
	var names []string
	var walk func(g *graph.Graph)
	walk = func(g *graph.Graph) {
		for _, n := range g.Nodes {
			if k, ok := n.Op.(graph.KernelNamer); ok && !slices.Contains(names, k.KernelName()) {
				names = append(names, k.KernelName())
			}
			for _, b := range n.Bodies {
				walk(b)
			}
		}
	}
	walk(s.exe.Graph())
	slices.Sort(names)
	if len(names) == 0 {
		names = []string{s.k.Name()}
	}
	return names
}
