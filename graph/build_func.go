package graph

import (
	"fmt"

	"github.com/qrun-onnx/qrun/onnx"
)

// call is one inlined use of a model-local function.
type call struct {
	key     funcKey
	label   string // of the calling node; prefix of all names inside
	attrs   map[string]*onnx.AttributeProto
	opsets  map[string]int
	outputs map[string]string // names of the function's outputs to those of the calling node
	outer   *call
}

// valueName is how a value of this scope is called in the graph: names in a function are made unique by the calling
// node's, its outputs have the names that the calling node gives them.
func (s *scope) valueName(name string) string {
	if s.call == nil {
		return name
	}
	if out, ok := s.call.outputs[name]; ok && s.parent == nil {
		return out
	}
	return s.call.label + "/" + name
}

func (s *scope) nodeName(label string) string {
	if s.call == nil {
		return label
	}
	return s.call.label + "/" + label
}

// inline builds the nodes of a function in place of the node that calls it. A function sees none of the names around it.
func (s *scope) inline(f *onnx.FunctionProto, p *onnx.NodeProto, in []*Value) error {
	c := &call{key: funcKey{canonicalDomain(f.GetDomain()), f.GetName(), f.GetOverload()}, label: s.nodeName(label(p)),
		attrs: map[string]*onnx.AttributeProto{}, outputs: map[string]string{}, outer: s.call}
	for o := s.call; o != nil; o = o.outer {
		if o.key == c.key {
			return fmt.Errorf("%s: the function calls itself", nodeTitle(p))
		}
	}
	if s.depth >= maxNesting {
		return fmt.Errorf("%s: functions are nested more than %d deep", nodeTitle(p), maxNesting)
	}
	if len(p.GetInput()) > len(f.GetInput()) || len(p.GetOutput()) > len(f.GetOutput()) {
		return fmt.Errorf("%s: function has %d inputs and %d outputs, the node %d and %d", nodeTitle(p),
			len(f.GetInput()), len(f.GetOutput()), len(p.GetInput()), len(p.GetOutput()))
	}
	var err error
	if c.opsets, err = versions(MaxIR, f.GetOpsetImport()); err != nil {
		return fmt.Errorf("%s: %w", nodeTitle(p), err)
	}
	if len(f.GetOpsetImport()) == 0 {
		c.opsets = s.b.opsets
	}
	if err := s.arguments(c, f, p); err != nil {
		return err
	}
	fs := &scope{b: s.b, g: s.g, vals: map[string]*Value{}, call: c, depth: s.depth + 1}
	for i, name := range f.GetInput() {
		if _, twice := fs.vals[name]; twice {
			return fmt.Errorf("%s: function input %q is listed twice", nodeTitle(p), name)
		}
		fs.vals[name] = nil
		if i < len(in) {
			fs.vals[name] = in[i]
		}
	}
	for i, name := range p.GetOutput() {
		if name != "" {
			c.outputs[f.GetOutput()[i]] = s.valueName(name)
		}
	}
	if err := fs.buildNodes(f.GetNode()); err != nil {
		return fmt.Errorf("%s: %w", nodeTitle(p), err)
	}
	return s.results(f, p, fs)
}

// arguments collects the attributes that the function's nodes may refer to: the calling node's, then defaults.
func (s *scope) arguments(c *call, f *onnx.FunctionProto, p *onnx.NodeProto) error {
	given, err := s.dereference(p)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, name := range f.GetAttribute() {
		known[name] = true
	}
	for _, a := range f.GetAttributeProto() {
		known[a.GetName()] = true
		c.attrs[a.GetName()] = a
	}
	for _, a := range given {
		if !known[a.GetName()] {
			return fmt.Errorf("%s: function has no attribute %q", nodeTitle(p), a.GetName())
		}
		if a.GetG() != nil || len(a.GetGraphs()) > 0 {
			return fmt.Errorf("%s: %w: a body as attribute %q of a function", nodeTitle(p), ErrUnsupported, a.GetName())
		}
		c.attrs[a.GetName()] = a
	}
	return nil
}

// results binds the names of the calling node's outputs to what the function made.
func (s *scope) results(f *onnx.FunctionProto, p *onnx.NodeProto, fs *scope) error {
	for i, name := range p.GetOutput() {
		if name == "" {
			continue
		}
		v, ok := fs.find(f.GetOutput()[i])
		if !ok || v == nil {
			return fmt.Errorf("%s: nothing makes function output %q", nodeTitle(p), f.GetOutput()[i])
		}
		if v.Name == s.valueName(name) {
			if _, twice := s.vals[name]; twice {
				return fmt.Errorf("%s: value %q exists already", nodeTitle(p), name)
			}
			if h := s.hints[name]; h != nil && v.Const == nil {
				v.Spec = hint(h)
			}
			s.vals[name] = v
			continue
		}
		// An input of the function that it returns, or an output that it lists twice: a value of its own.
		pass := &onnx.NodeProto{OpType: new("Identity"), Input: []string{f.GetOutput()[i]}, Output: []string{name}}
		is := &scope{b: s.b, g: s.g, vals: map[string]*Value{}, parent: fs, call: s.call, depth: fs.depth}
		if err := is.buildNode(pass); err != nil {
			return fmt.Errorf("%s: %w", nodeTitle(p), err)
		}
		out := is.vals[name]
		out.Name = s.valueName(name)
		if _, twice := s.vals[name]; twice {
			return fmt.Errorf("%s: value %q exists already", nodeTitle(p), name)
		}
		s.vals[name] = out
	}
	return nil
}

// dereference returns a node's attributes with references to those of the function around it replaced. One that refers
// to an attribute that is neither given nor has a default is absent.
func (s *scope) dereference(p *onnx.NodeProto) ([]*onnx.AttributeProto, error) {
	var list []*onnx.AttributeProto
	for _, a := range p.GetAttribute() {
		ref := a.GetRefAttrName()
		if ref == "" {
			list = append(list, a)
			continue
		}
		if s.call == nil {
			return nil, fmt.Errorf("%s: attribute %q refers to %q outside of a function", nodeTitle(p), a.GetName(), ref)
		}
		if v := s.call.attrs[ref]; v != nil {
			list = append(list, renamed(v, a.GetName()))
		}
	}
	return list, nil
}

// renamed is a copy of an attribute's message, which shares the values.
func renamed(a *onnx.AttributeProto, name string) *onnx.AttributeProto {
	return &onnx.AttributeProto{Name: &name, Type: a.Type, F: a.F, I: a.I, S: a.S, T: a.T, G: a.G, Floats: a.Floats, Ints: a.Ints,
		Strings: a.Strings, Tensors: a.Tensors, Graphs: a.Graphs, Tp: a.Tp, TypeProtos: a.TypeProtos, SparseTensor: a.SparseTensor,
		SparseTensors: a.SparseTensors}
}
