package graph

import (
	"errors"
	"fmt"
	"strings"

	"github.com/qrun-onnx/qrun/onnx"
)

// Limits that a file reaches only by intent, as by functions that each call the next one twice.
const (
	maxNodes   = 1 << 18
	maxNesting = 64 // bodies in bodies, functions in functions
)

// Build makes the graph of a model: constants from initializers and Constant nodes, nodes bound to operators, model-local
// functions inlined (an operator of the registry goes before a function of its name), bodies with the values that they
// capture, nodes in an order of execution. Constants may be views of
// the model's memory.
//
// Everything that is not implemented is in one *UnsupportedError. Other errors name the node or value that is wrong and wrap
// onnx.ErrFormat.
func Build(m *onnx.Model, reg *Registry) (*Graph, error) {
	g, err := build(m, reg, maxNodes)
	if err == nil || errors.Is(err, ErrUnsupported) || errors.Is(err, onnx.ErrUnsupported) || errors.Is(err, onnx.ErrFormat) {
		return g, err
	}
	return nil, &formatError{err}
}

// formatError marks an error as one about the file without a change of its text.
type formatError struct{ err error }

func (e *formatError) Error() string   { return e.err.Error() }
func (e *formatError) Unwrap() []error { return []error{onnx.ErrFormat, e.err} }

func build(model *onnx.Model, reg *Registry, limit int) (*Graph, error) {
	m := model.Proto
	opsets, err := versions(m.GetIrVersion(), m.GetOpsetImport())
	if err != nil {
		return nil, err
	}
	if m.GetGraph() == nil {
		return nil, errors.New("the model has no graph")
	}
	b := &builder{model: model, reg: reg, limit: limit, opsets: opsets, funcs: map[funcKey]*onnx.FunctionProto{}}
	for _, f := range m.GetFunctions() {
		k := funcKey{canonicalDomain(f.GetDomain()), f.GetName(), f.GetOverload()}
		if b.funcs[k] != nil {
			return nil, fmt.Errorf("function %s is defined twice", qualified(k.domain, k.name))
		}
		b.funcs[k] = f
	}
	g, err := b.graph(m.GetGraph(), nil)
	if err != nil {
		return nil, err
	}
	if err := b.bad.err(); err != nil {
		return nil, err
	}
	g.Memory = model.Source()
	return g, nil
}

// builder is one Build.
type builder struct {
	model  *onnx.Model
	reg    *Registry
	opsets map[string]int
	funcs  map[funcKey]*onnx.FunctionProto
	bad    problems
	nodes  int
	limit  int // of nodes
}

type funcKey struct{ domain, name, overload string }

// versions reads the opset imports and refuses what is newer than known, in one error.
func versions(ir int64, imports []*onnx.OperatorSetIdProto) (map[string]int, error) {
	var newer []string
	if ir > MaxIR {
		newer = append(newer, fmt.Sprintf("IR version %d is newer than %d, the newest known", ir, MaxIR))
	}
	opsets := map[string]int{}
	for _, o := range imports {
		d := canonicalDomain(o.GetDomain())
		if d == "" && o.GetVersion() > MaxOpset {
			newer = append(newer, fmt.Sprintf("opset %d of ai.onnx is newer than %d, the newest known", o.GetVersion(), MaxOpset))
		}
		opsets[d] = max(opsets[d], int(min(o.GetVersion(), 1<<30)))
	}
	if len(newer) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrUnsupported, strings.Join(newer, "; "))
	}
	if _, ok := opsets[""]; !ok && ir < 3 {
		opsets[""] = 1
	}
	return opsets, nil
}

// scope is where names of values are looked up: a graph, a body, or an inlined function.
type scope struct {
	b      *builder
	g      *Graph // receives the nodes
	vals   map[string]*Value
	hints  map[string]*onnx.ValueInfoProto
	parent *scope // of a body: where else to look
	call   *call  // the function whose nodes are built, nil in the model's own graphs
	depth  int
}

// find returns the value of that name; inner names hide outer ones.
func (s *scope) find(name string) (*Value, bool) {
	for ; s != nil; s = s.parent {
		if v, ok := s.vals[name]; ok {
			return v, true
		}
	}
	return nil, false
}

// declare makes a value that this scope brings. Names of one graph are unique.
func (s *scope) declare(name, by string) (*Value, error) {
	if _, ok := s.vals[name]; ok {
		return nil, fmt.Errorf("%s: value %q exists already", by, name)
	}
	v := &Value{Name: s.valueName(name)}
	if h := s.hints[name]; h != nil {
		v.Spec = hint(h)
	}
	s.vals[name] = v
	return v, nil
}

// opset is the version of a domain under which this scope's nodes are understood.
func (s *scope) opset(domain string) (int, error) {
	opsets := s.b.opsets
	if s.call != nil {
		opsets = s.call.opsets
	}
	switch v, ok := opsets[domain]; {
	case ok:
		return v, nil
	case domain != "":
		return 1, nil
	}
	return 0, errors.New("the model imports no opset of ai.onnx")
}
