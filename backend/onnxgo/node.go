package onnxgo

import (
	"errors"
	"fmt"
	"strings"

	"gorgonia.org/tensor"

	qtensor "github.com/qrun-onnx/qrun/tensor"
)

// Node is a value of the model. It implements onnx.Namer and onnx.DataCarrier.
type Node struct {
	id   int64
	g    *Graph
	v    *value
	sets int // tensors that it was given while the model was decoded
}

// value is what nodes of one name have in common: onnx-go makes a new node for every place where a name is declared.
type value struct {
	name     string
	nodes    []*Node
	t        tensor.Tensor
	dtype    qtensor.DType // as declared
	computed bool
	constant bool
	input    bool
	read     bool // by an operation
	output   bool // runs return it
	fed      bool
}

// ID is the node's number in the graph.
func (n *Node) ID() int64 { return n.id }

// GetName is the name of the value.
func (n *Node) GetName() string { return n.v.name }

// SetName names the value, before anything else is done with the node.
func (n *Node) SetName(name string) {
	if v := n.g.values[name]; v != nil {
		n.v = v
	} else {
		n.v.name = name
		n.g.values[name] = n.v
	}
	n.v.nodes = append(n.v.nodes, n)
}

// SetTensor sets an input of the next runs. t is read by Run, without a copy where it is contiguous and row-major. The
// error is about a value that is no input, and about an element type that is not the declared one.
func (n *Node) SetTensor(t tensor.Tensor) error {
	if t == nil {
		return fmt.Errorf("tensor of %q is nil", n.v.name)
	}
	if len(n.g.ops) == 0 { // the model is being decoded
		n.sets++
		n.v.t = t
		if n.v.dtype == qtensor.Undefined {
			n.v.dtype = dtypeOf(t.Dtype())
		}
		return nil
	}
	if err := n.g.sort(); err != nil {
		return err
	}
	v := n.v
	switch {
	case v.computed:
		return fmt.Errorf("%q is computed by the model, not an input", v.name)
	case v.constant:
		return fmt.Errorf("%q is a weight of the model, not an input; onnx-go's SetInput counts weights that the file lists as inputs, GetNodeByName finds the input", v.name)
	}
	if d := dtypeOf(t.Dtype()); d != v.dtype {
		return fmt.Errorf("input %q wants %v, got %v%v", v.name, v.dtype, t.Dtype(), []int(t.Shape()))
	}
	v.t, v.fed = t, true
	return nil
}

// GetTensor is the value as of the last Run; before that, what the model declares. The first call for a value that is
// no output of the model runs it once more; the result is nil if that fails.
func (n *Node) GetTensor() tensor.Tensor {
	v := n.v
	if n.g.ran && v.computed && !v.output && v.name != "" {
		v.output, n.g.session = true, nil
		if n.g.Run() != nil {
			v.output, n.g.session = false, nil
			return nil
		}
	}
	return v.t
}

// sort finds out which values are inputs, weights and outputs. onnx-go does not say, but it makes the nodes of inputs,
// of intermediate values with a declared type, of outputs and of the remaining weights in this order, each with a
// tensor, then those of the remaining intermediate values without; and it gives a weight that was declared before a
// second tensor.
func (g *Graph) sort() error {
	if g.sorted {
		return nil
	}
	last := int64(-1) // node of the last output
	for _, v := range g.values {
		for _, n := range v.nodes {
			if v.computed && n.sets > 0 {
				last = max(last, n.id)
			}
		}
	}
	if last < 0 {
		return errors.New("none of the model's outputs has an operator and a type")
	}
	for _, o := range g.ops {
		for _, v := range o.in {
			v.read = true
		}
	}
	root := last // the first value that only an output needs
	for _, v := range g.values {
		for _, n := range v.nodes {
			v.constant = v.constant || n.sets > 1 || n.sets == 1 && len(v.nodes) == 1 && n.id > last
			if v.computed && !v.read && n.sets > 0 {
				root = min(root, n.id)
			}
		}
		v.constant = v.constant && !v.computed
		v.input = !v.computed && !v.constant && v.t != nil
	}
	for _, v := range g.values {
		for _, n := range v.nodes {
			v.output = v.output || v.computed && n.id >= root && n.id <= last
		}
	}
	g.sorted = true
	return nil
}

// absent reports whether an operation does without its input v: it has no name, or is what onnx-go puts in for an
// operation without inputs.
func (o *operation) absent(v *value) bool {
	return v.name == "" || len(o.in) == 1 && !v.computed && v.t == nil && strings.HasSuffix(v.name, "/input")
}
