package graph

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// UnsupportedOp is an operator of a model for which there is no definition.
type UnsupportedOp struct {
	Domain, Type string
	Opset        int // of the domain, as the model imports it
	Nodes        int
	First        string // name of the first such node
}

// Label is the operator as messages name it: GridSample-16 with the opset in ai.onnx, com.acme:Foo elsewhere.
func (o UnsupportedOp) Label() string {
	if o.Domain == "" {
		return fmt.Sprintf("%s-%d", o.Type, o.Opset)
	}
	return qualified(o.Domain, o.Type)
}

// UnsupportedError lists everything in a model that is not implemented, its bodies and functions included. It wraps
// ErrUnsupported.
type UnsupportedError struct {
	Ops   []UnsupportedOp
	Nodes []*NodeError // known operators with an attribute or a form of it that is not implemented
}

// Error is a line that counts, and a line for each operator and node.
func (e *UnsupportedError) Error() string {
	var b strings.Builder
	switch n := len(e.Ops); {
	case n == 1:
		b.WriteString("1 operator is not implemented")
	case n > 1:
		fmt.Fprintf(&b, "%d operators are not implemented", n)
	}
	width := 0
	names := make([]string, len(e.Ops))
	for i, o := range e.Ops {
		names[i] = o.Label()
		width = max(width, len(names[i]))
	}
	for i, o := range e.Ops {
		nodes := "nodes"
		if o.Nodes == 1 {
			nodes = "node"
		}
		fmt.Fprintf(&b, "\n  %-*s   %d %s, first %q", width, names[i], o.Nodes, nodes, o.First)
	}
	if len(e.Nodes) > 0 {
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		if len(e.Nodes) == 1 {
			b.WriteString("1 node is not supported")
		} else {
			fmt.Fprintf(&b, "%d nodes are not supported", len(e.Nodes))
		}
		for _, n := range e.Nodes {
			fmt.Fprintf(&b, "\n  %v", n)
		}
	}
	return b.String()
}

// Unwrap returns ErrUnsupported and the errors of single nodes.
func (e *UnsupportedError) Unwrap() []error {
	errs := []error{ErrUnsupported}
	for _, n := range e.Nodes {
		errs = append(errs, n)
	}
	return errs
}

// problems collects what is wrong with nodes while a model is built, so that one load reports all of it.
type problems struct {
	ops   map[opKey]*UnsupportedOp
	nodes []*NodeError // not supported
	wrong []error      // not valid
}

// maxWrong bounds how many invalid nodes an error lists.
const maxWrong = 20

func (p *problems) unknown(domain, op, node string, opset int) {
	if p.ops == nil {
		p.ops = map[opKey]*UnsupportedOp{}
	}
	k := opKey{domain, op}
	if p.ops[k] == nil {
		p.ops[k] = &UnsupportedOp{Domain: domain, Type: op, Opset: opset, First: node}
	}
	p.ops[k].Nodes++
}

func (p *problems) err() error {
	var errs []error
	if len(p.ops)+len(p.nodes) > 0 {
		u := &UnsupportedError{Nodes: p.nodes}
		for _, o := range p.ops {
			u.Ops = append(u.Ops, *o)
		}
		slices.SortFunc(u.Ops, func(a, b UnsupportedOp) int {
			return cmp.Or(cmp.Compare(b.Nodes, a.Nodes), cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Type, b.Type))
		})
		errs = append(errs, u)
	}
	more := len(p.wrong) - maxWrong
	errs = append(errs, p.wrong[:min(len(p.wrong), maxWrong)]...)
	if more > 0 {
		errs = append(errs, fmt.Errorf("and %d more", more))
	}
	return join(errs)
}

// join is errors.Join that returns a single error as it is.
func join(errs []error) error {
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return errors.Join(errs...)
}
