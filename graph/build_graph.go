package graph

import (
	"fmt"

	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

// graph builds the model's graph or, with a parent scope, a body in it.
func (b *builder) graph(p *onnx.GraphProto, parent *scope) (*Graph, error) {
	g := &Graph{Name: p.GetName(), Opsets: b.opsets}
	s := &scope{b: b, g: g, vals: map[string]*Value{}, hints: map[string]*onnx.ValueInfoProto{}, parent: parent}
	if parent != nil {
		g.Outer, g.Opsets = parent.g, parent.g.Opsets
		s.call, s.depth = parent.call, parent.depth+1
		if s.depth > maxNesting {
			return nil, fmt.Errorf("graph %q: bodies are nested more than %d deep", g.Name, maxNesting)
		}
	}
	for _, list := range [][]*onnx.ValueInfoProto{p.GetValueInfo(), p.GetOutput(), p.GetInput()} {
		for _, h := range list {
			s.hints[h.GetName()] = h
		}
	}
	if err := s.initializers(p); err != nil {
		return nil, err
	}
	if err := s.inputs(p); err != nil {
		return nil, err
	}
	if err := s.buildNodes(p.GetNode()); err != nil {
		return nil, err
	}
	for _, o := range p.GetOutput() {
		v, ok := s.find(o.GetName())
		if !ok || v == nil {
			return nil, fmt.Errorf("graph %q: nothing makes output %q", g.Name, o.GetName())
		}
		g.Outputs = append(g.Outputs, v)
	}
	return g, nil
}

// initializers makes constants of the weights, dense and sparse.
func (s *scope) initializers(p *onnx.GraphProto) error {
	add := func(name string, t *tensor.Tensor) error {
		if name == "" {
			return fmt.Errorf("graph %q: an initializer has no name", p.GetName())
		}
		v, err := s.declare(name, "initializer")
		if err != nil {
			return err
		}
		v.Const, v.Spec = t, t.Spec()
		return nil
	}
	for _, i := range p.GetInitializer() {
		t, err := s.b.model.Tensor(i)
		if err != nil {
			return err
		}
		if err := add(i.GetName(), t); err != nil {
			return err
		}
	}
	for _, i := range p.GetSparseInitializer() {
		t, err := s.b.model.Sparse(i)
		if err != nil {
			return err
		}
		if err := add(i.GetValues().GetName(), t); err != nil {
			return err
		}
	}
	return nil
}

// inputs makes the values that a run feeds. An input that has an initializer is a constant and no input.
func (s *scope) inputs(p *onnx.GraphProto) error {
	seen := map[string]bool{}
	for i, in := range p.GetInput() {
		name := in.GetName()
		if name == "" {
			return fmt.Errorf("graph %q: input %d has no name", p.GetName(), i)
		}
		if seen[name] {
			return fmt.Errorf("graph %q: input %q is listed twice", p.GetName(), name)
		}
		seen[name] = true
		if v := s.vals[name]; v != nil {
			s.g.Preset = append(s.g.Preset, v)
			continue
		}
		v, err := s.declare(name, "input")
		if err != nil {
			return err
		}
		if v.Spec, err = onnx.SpecOf(in.GetType()); err != nil {
			return fmt.Errorf("input %q: %w", name, err)
		}
		s.g.Inputs = append(s.g.Inputs, v)
	}
	return nil
}

// hint is what a file says of a value that a node makes. Exporters leave wrong types behind, so it is never an error.
func hint(p *onnx.ValueInfoProto) tensor.Spec {
	s, err := onnx.SpecOf(p.GetType())
	if err != nil {
		return tensor.Spec{}
	}
	return s
}
