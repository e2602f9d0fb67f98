package graph

import (
	"errors"
	"fmt"

	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

// buildNodes appends a list of nodes to the scope's graph.
func (s *scope) buildNodes(list []*onnx.NodeProto) error {
	list, err := ordered(list)
	if err != nil {
		return err
	}
	for _, p := range list {
		if s.b.nodes++; s.b.nodes > s.b.limit {
			return fmt.Errorf("the model has more than %d nodes with its functions inlined", s.b.limit)
		}
		if err := s.buildNode(p); err != nil {
			return err
		}
	}
	return nil
}

func (s *scope) buildNode(p *onnx.NodeProto) error {
	domain := canonicalDomain(p.GetDomain())
	opset, err := s.opset(domain)
	if err != nil {
		return fmt.Errorf("%s: %w", nodeTitle(p), err)
	}
	in, err := s.resolve(p)
	if err != nil {
		return err
	}
	if domain == "" && p.GetOpType() == "Constant" {
		return s.constant(p)
	}
	def, known := s.b.reg.Lookup(domain, p.GetOpType(), opset)
	if !known {
		if f := s.b.funcs[funcKey{domain, p.GetOpType(), p.GetOverload()}]; f != nil {
			return s.inline(f, p, in)
		}
	}
	n := &Node{Name: s.nodeName(label(p)), Domain: domain, Type: p.GetOpType(), Since: def.Since, In: in}
	attrs, err := s.attributes(n, p)
	if err != nil {
		return err
	}
	for _, name := range p.GetOutput() {
		if name == "" {
			n.Out = append(n.Out, nil)
			continue
		}
		v, err := s.declare(name, nodeTitle(p))
		if err != nil {
			return err
		}
		n.Out = append(n.Out, v)
	}
	n.Attrs = NewAttrs(domain, n.Type, opset, attrs...)
	n.Attrs.Name, n.Attrs.NumIn, n.Attrs.NumOut = n.Name, len(n.In), len(n.Out)
	n.Attrs.Absent = absent(n.In)
	s.g.Nodes = append(s.g.Nodes, n)
	if !known {
		s.b.bad.unknown(domain, n.Type, n.Name, opset)
		return nil
	}
	if err := n.bind(def); err != nil {
		if e := nodeError(n, s.g, err); errors.Is(err, ErrUnsupported) {
			s.b.bad.nodes = append(s.b.bad.nodes, e)
		} else {
			s.b.bad.wrong = append(s.b.bad.wrong, e)
		}
	}
	return nil
}

// bind makes the node's operator.
func (n *Node) bind(def Def) (err error) {
	defer recovered(&err)
	a := n.Attrs.Clone()
	op, err := def.New(a)
	if err != nil {
		return err
	}
	if err := a.Err(true); err != nil {
		return err
	}
	n.Op, n.Since = op, def.Since
	return nil
}

// resolve looks up the inputs of a node; trailing absent ones are dropped.
func (s *scope) resolve(p *onnx.NodeProto) ([]*Value, error) {
	var in []*Value
	for _, name := range p.GetInput() {
		if name == "" {
			in = append(in, nil)
			continue
		}
		v, ok := s.find(name)
		if !ok {
			return nil, fmt.Errorf("%s: nothing makes its input %q", nodeTitle(p), name)
		}
		in = append(in, v)
	}
	return trimAbsent(in), nil
}

func trimAbsent(in []*Value) []*Value {
	for len(in) > 0 && in[len(in)-1] == nil {
		in = in[:len(in)-1]
	}
	return in
}

// attributes converts a node's attributes. Bodies are built in this scope and kept in the node too.
func (s *scope) attributes(n *Node, p *onnx.NodeProto) ([]Attr, error) {
	list, err := s.dereference(p)
	if err != nil {
		return nil, err
	}
	var attrs []Attr
	seen := map[string]bool{}
	for _, a := range list {
		if seen[a.GetName()] {
			return nil, fmt.Errorf("%s: attribute %q is given twice", nodeTitle(p), a.GetName())
		}
		seen[a.GetName()] = true
		x, err := s.attribute(a)
		if err != nil {
			return nil, fmt.Errorf("%s: attribute %q: %w", nodeTitle(p), a.GetName(), err)
		}
		if x.Type == AttrGraph {
			if n.Bodies == nil {
				n.Bodies = map[string]*Graph{}
			}
			n.Bodies[x.Name] = x.G
		}
		attrs = append(attrs, x)
	}
	return attrs, nil
}

func (s *scope) attribute(a *onnx.AttributeProto) (x Attr, err error) {
	x = Attr{Name: a.GetName(), Type: attrType(a)}
	switch x.Type {
	case AttrFloat:
		x.F = a.GetF()
	case AttrInt:
		x.I = a.GetI()
	case AttrString:
		x.S = string(a.GetS())
	case AttrFloats:
		x.Floats = a.GetFloats()
	case AttrInts:
		x.Ints = a.GetInts()
	case AttrStrings:
		for _, b := range a.GetStrings() {
			x.Strings = append(x.Strings, string(b))
		}
	case AttrTensor:
		x.T, err = s.attrTensor(a)
	case AttrTensors:
		for _, p := range a.GetTensors() {
			t, err := s.b.model.Tensor(p)
			if err != nil {
				return x, err
			}
			x.Tensors = append(x.Tensors, t)
		}
	case AttrGraph:
		x.G, err = s.b.graph(a.GetG(), s)
	case AttrGraphs:
		for _, p := range a.GetGraphs() {
			g, err := s.b.graph(p, s)
			if err != nil {
				return x, err
			}
			x.Graphs = append(x.Graphs, g)
		}
	case AttrSpec:
		x.Spec, err = onnx.SpecOf(a.GetTp())
	default:
		err = fmt.Errorf("%w: %v", ErrUnsupported, x.Type)
	}
	return x, err
}

func (s *scope) attrTensor(a *onnx.AttributeProto) (*tensor.Tensor, error) {
	if a.GetSparseTensor() != nil {
		return s.b.model.Sparse(a.GetSparseTensor())
	}
	if a.GetT() == nil {
		return nil, errors.New("there is no tensor")
	}
	return s.b.model.Tensor(a.GetT())
}

// attrType is the type of an attribute; files of IR version 1 leave it to the field that is set. A sparse tensor counts
// as the dense one it stands for.
func attrType(a *onnx.AttributeProto) AttrType {
	switch {
	case a.GetType() == onnx.AttributeProto_SPARSE_TENSOR:
		return AttrTensor
	case a.Type != nil && a.GetType() != onnx.AttributeProto_UNDEFINED:
		return AttrType(min(max(a.GetType(), 0), 255))
	case a.F != nil:
		return AttrFloat
	case a.I != nil:
		return AttrInt
	case a.S != nil:
		return AttrString
	case a.T != nil || a.SparseTensor != nil:
		return AttrTensor
	case a.G != nil:
		return AttrGraph
	case len(a.Floats) > 0:
		return AttrFloats
	case len(a.Ints) > 0:
		return AttrInts
	case len(a.Strings) > 0:
		return AttrStrings
	case len(a.Tensors) > 0:
		return AttrTensors
	case len(a.Graphs) > 0:
		return AttrGraphs
	case a.Tp != nil:
		return AttrSpec
	}
	return 0
}

// constant makes a value of a Constant node, in any of its forms.
func (s *scope) constant(p *onnx.NodeProto) error {
	list, err := s.dereference(p)
	if err != nil {
		return err
	}
	if len(list) != 1 || len(p.GetOutput()) != 1 {
		return fmt.Errorf("%s: want one attribute and one output, got %d and %d", nodeTitle(p), len(list), len(p.GetOutput()))
	}
	t, err := s.constantValue(list[0])
	if err != nil {
		return fmt.Errorf("%s: %w", nodeTitle(p), err)
	}
	v, err := s.declare(p.GetOutput()[0], nodeTitle(p))
	if err != nil {
		return err
	}
	v.Const, v.Spec = t, t.Spec()
	return nil
}

func (s *scope) constantValue(p *onnx.AttributeProto) (*tensor.Tensor, error) {
	a, err := s.attribute(p)
	if err != nil {
		return nil, fmt.Errorf("attribute %q: %w", p.GetName(), err)
	}
	want := map[string]AttrType{"value": AttrTensor, "sparse_value": AttrTensor, "value_int": AttrInt, "value_ints": AttrInts,
		"value_float": AttrFloat, "value_floats": AttrFloats, "value_string": AttrString, "value_strings": AttrStrings}[a.Name]
	switch {
	case want == 0:
		return nil, fmt.Errorf("%w: attribute %q", ErrUnsupported, a.Name)
	case want != a.Type:
		return nil, fmt.Errorf("attribute %q is of type %v, want %v", a.Name, a.Type, want)
	}
	switch a.Type {
	case AttrInt:
		return tensor.Scalar(a.I), nil
	case AttrInts:
		return tensor.Of(a.Ints, len(a.Ints))
	case AttrFloat:
		return tensor.Scalar(a.F), nil
	case AttrFloats:
		return tensor.Of(a.Floats, len(a.Floats))
	case AttrString:
		return tensor.Scalar(a.S), nil
	case AttrStrings:
		return tensor.Of(a.Strings, len(a.Strings))
	}
	return a.T, nil
}
