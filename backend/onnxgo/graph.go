// Package onnxgo is a backend for github.com/owulveryck/onnx-go that computes with qrun. A program changes from gorgonia
// by one import:
//
//	gorgonnx "github.com/qrun-onnx/qrun/backend/onnxgo" // was github.com/owulveryck/onnx-go/backend/x/gorgonnx
//
//	backend := gorgonnx.NewGraph()
//	model := onnx.NewModel(backend)
//	err := model.UnmarshalBinary(data)
//	err = model.SetInput(0, t)
//	err = backend.Run()
//	out, err := model.GetOutputTensors()
//
// onnx-go decides what reaches the backend: it refuses weights of int8, uint8 and float16, bodies of If, Loop and Scan,
// and keeps the file's opset to itself (see WithOpset). Files that need more are for qrun.Load.
package onnxgo

import (
	"fmt"

	"github.com/owulveryck/onnx-go"
	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/simple"

	"github.com/qrun-onnx/qrun"
)

// Option changes what NewGraph makes.
type Option func(*Graph)

// WithOpset says which version of the operators the model was written for. Without it, the first of 13, 12, ... 7, 14,
// 15, ... counts in which every operator of the model has the form that it has there. What this cannot tell is an error
// of Run: Softmax, LogSoftmax and Hardmax mean something else before 13, unless they go along the last axis.
func WithOpset(n int) Option { return func(g *Graph) { g.opset = n } }

// WithQuantize quantizes the model when it is compiled.
func WithQuantize(q qrun.Quantize) Option { return func(g *Graph) { g.options.Quantize = q } }

// WithOptions sets all options of the session; it comes before WithQuantize. Nodes are called like their first output,
// since onnx-go hands over no names of nodes.
func WithOptions(o qrun.Options) Option { return func(g *Graph) { g.options = o } }

// Graph receives a model from onnx-go and runs it. It is for one goroutine at a time.
type Graph struct {
	topology
	opset   int // 0: to be found out
	options qrun.Options

	values  map[string]*value
	edges   []graph.WeightedEdge // since the last ApplyOperation
	ops     []operation
	sorted  bool // the values know what they are
	ran     bool
	session *qrun.Session
	shapes  [][]int // of the session's inputs, -1 where a run may choose
	inputs  []*value
}

type topology = graph.DirectedWeightedBuilder

// operation is a node of the model.
type operation struct {
	onnx.Operation
	in, out []*value
}

// NewGraph makes an empty graph, for onnx.NewModel.
func NewGraph(opts ...Option) *Graph {
	g := &Graph{topology: simple.NewWeightedDirectedGraph(0, 0), values: map[string]*value{}}
	for _, o := range opts {
		o(g)
	}
	return g
}

// NewNode makes a node that is not in the graph yet.
func (g *Graph) NewNode() graph.Node { return &Node{id: g.topology.NewNode().ID(), g: g, v: &value{}} }

// SetWeightedEdge adds an edge from what an operation computes to what it reads; the weight is the position among its
// inputs.
func (g *Graph) SetWeightedEdge(e graph.WeightedEdge) {
	g.edges = append(g.edges, e)
	if e.From().ID() != e.To().ID() { // absent inputs and outputs are one node
		g.topology.SetWeightedEdge(e)
	}
}

// ApplyOperation says what computes the nodes whose edges were added since the last call. Its error is about nodes of
// another graph.
func (g *Graph) ApplyOperation(o onnx.Operation, outputs ...graph.Node) error {
	op := operation{Operation: o}
	// Every output has edges to all inputs, in order; a graph of gonum keeps only one of two edges between the same
	// nodes, as in x*x.
	for i, e := range g.edges {
		to, ok := e.To().(*Node)
		if !ok || to.g != g {
			return fmt.Errorf("%s: input %d is of another graph", o.Name, i)
		}
		if int(e.Weight()) != i {
			break
		}
		op.in = append(op.in, to.v)
	}
	for i, n := range outputs {
		out, ok := n.(*Node)
		if !ok || out.g != g {
			return fmt.Errorf("%s: output %d is of another graph", o.Name, i)
		}
		out.v.computed = true
		op.out = append(op.out, out.v)
	}
	g.edges, g.ops = nil, append(g.ops, op)
	return nil
}
