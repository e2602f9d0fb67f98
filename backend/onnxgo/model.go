package onnxgo

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/onnx"
	qtensor "github.com/qrun-onnx/qrun/tensor"
)

// irVersion is that of ONNX 1.12: inputs and initializers are separate.
const irVersion = 8

// proto writes the model down as a file of that opset with inputs of these specs and the outputs more besides its own.
func (g *Graph) proto(opset int, specs []qtensor.Spec, more []*value) (*onnx.ModelProto, error) {
	p := &onnx.GraphProto{Name: new("onnx-go")}
	for i, v := range g.inputs {
		p.Input = append(p.Input, onnx.NewValueInfo(v.name, specs[i]))
	}
	wanted := slices.Clone(more)
	for _, name := range slices.Sorted(maps.Keys(g.values)) {
		v := g.values[name]
		if v.constant && v.read {
			t, err := protoOf(name, v.t)
			if err != nil {
				return nil, err
			}
			p.Initializer = append(p.Initializer, t)
		}
		if v.output && name != "" && !slices.Contains(wanted, v) {
			wanted = append(wanted, v)
		}
	}
	for _, v := range wanted {
		p.Output = append(p.Output, onnx.NewValueInfo(v.name, qtensor.Spec{}))
	}
	domains, err := newDomains(opset)
	if err != nil {
		return nil, err
	}
	for i := range g.ops {
		n, err := g.ops[i].proto(domains)
		if err != nil {
			return nil, err
		}
		p.Node = append(p.Node, n)
	}
	return &onnx.ModelProto{IrVersion: new(int64(irVersion)), OpsetImport: domains.imports(), Graph: p}, nil
}

func protoOf(name string, t tensor.Tensor) (*onnx.TensorProto, error) {
	q, err := FromGorgonia(t)
	if err != nil {
		return nil, fmt.Errorf("weight %q: %w", name, err)
	}
	return onnx.NewTensorProto(name, q)
}

func (o *operation) label() string {
	for _, v := range o.out {
		if v.name != "" {
			return v.name
		}
	}
	return o.Name
}

func (o *operation) proto(d *domains) (*onnx.NodeProto, error) {
	n := &onnx.NodeProto{Name: new(o.label()), OpType: new(o.Name), Domain: new(d.of(o.Name))}
	for _, v := range o.in {
		switch {
		case o.absent(v):
			n.Input = append(n.Input, "")
		case !v.computed && !v.constant && !v.input:
			return nil, fmt.Errorf("%s %q reads %q, which is neither an input nor computed", o.Name, o.label(), v.name)
		default:
			n.Input = append(n.Input, v.name)
		}
	}
	for len(n.Input) > 0 && n.Input[len(n.Input)-1] == "" {
		n.Input = n.Input[:len(n.Input)-1]
	}
	for _, v := range o.out {
		n.Output = append(n.Output, v.name)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Attributes)) {
		a, err := attribute(name, o.Attributes[name])
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", o.Name, o.label(), err)
		}
		n.Attribute = append(n.Attribute, a)
	}
	return n, nil
}

// attribute writes an attribute as onnx-go decodes it.
func attribute(name string, v any) (*onnx.AttributeProto, error) {
	a := &onnx.AttributeProto{Name: &name}
	var typ onnx.AttributeProto_AttributeType
	switch v := v.(type) {
	case float32:
		a.F, typ = &v, onnx.AttributeProto_FLOAT
	case int64:
		a.I, typ = &v, onnx.AttributeProto_INT
	case string:
		a.S, typ = []byte(v), onnx.AttributeProto_STRING
	case []float32:
		a.Floats, typ = v, onnx.AttributeProto_FLOATS
	case []int64:
		a.Ints, typ = v, onnx.AttributeProto_INTS
	case []string:
		for _, s := range v {
			a.Strings = append(a.Strings, []byte(s))
		}
		typ = onnx.AttributeProto_STRINGS
	case tensor.Tensor:
		t, err := protoOf(name, v)
		if err != nil {
			return nil, err
		}
		a.T, typ = t, onnx.AttributeProto_TENSOR
	default:
		return nil, fmt.Errorf("attribute %q has no type that onnx-go hands over", name)
	}
	a.Type = &typ
	return a, nil
}

// domains knows to which domain the name of an operator belongs: onnx-go keeps that to itself.
type domains struct {
	opset int
	since map[string]map[string]int // domain and oldest version by name
	used  map[string]bool
}

func newDomains(opset int) (*domains, error) {
	list, err := qrun.Operators()
	if err != nil {
		return nil, err
	}
	d := &domains{opset: opset, since: map[string]map[string]int{}, used: map[string]bool{"": true}}
	for _, o := range list {
		if d.since[o.Name] == nil {
			d.since[o.Name] = map[string]int{}
		}
		d.since[o.Name][o.Domain] = o.Since[0]
	}
	return d, nil
}

// of is ONNX's own domain where that has the operator, else the only one that has.
func (d *domains) of(op string) string {
	in := d.since[op]
	if since, ok := in[""]; ok && since <= d.opset {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if name != "" {
			d.used[name] = true
			return name
		}
	}
	return ""
}

func (d *domains) imports() (list []*onnx.OperatorSetIdProto) {
	for _, name := range slices.Sorted(maps.Keys(d.used)) {
		version := d.opset
		if name != "" {
			version = 1
			for _, in := range d.since {
				version = max(version, in[name])
			}
		}
		list = append(list, &onnx.OperatorSetIdProto{Domain: new(strings.Clone(name)), Version: new(int64(version))})
	}
	return list
}
