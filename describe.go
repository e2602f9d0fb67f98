package qrun

import (
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

// ModelInfo describes a model file.
type ModelInfo struct {
	IRVersion    int64
	Opsets       map[string]int // by domain; "" is ai.onnx
	Producer     string
	Nodes        int            // bodies of If, Loop and Scan included, Constant nodes left out
	Operators    map[string]int // how many nodes of each; with the domain in front unless it is ai.onnx
	Parameters   int64          // elements of the constants
	WeightsBytes int64          // bytes of the constants
}

// Unsupported is an operator of a model that is not implemented.
type Unsupported struct {
	Operator string // as GridSample-16 or com.acme:Foo
	Nodes    int
	First    string // label of the first node
}

// Info is what Describe finds.
type Info struct {
	ModelInfo
	Inputs      []Input
	Outputs     []Output
	Unsupported []Unsupported
}

// Describe reads a model file and says what is in it, also when it has operators that are not implemented.
func Describe(path string) (*Info, error) {
	m, err := onnx.Open(path)
	if err != nil {
		return nil, err
	}
	e, err := newEngine("", nil)
	if err != nil {
		return nil, err
	}
	info := &Info{ModelInfo: modelInfo(m)}
	g, err := graph.Build(m, e.reg)
	var unsupported *graph.UnsupportedError
	if err != nil && !errors.As(err, &unsupported) {
		return nil, err
	}
	if unsupported != nil {
		for _, u := range unsupported.Ops {
			info.Unsupported = append(info.Unsupported, Unsupported{Operator: u.Label(), Nodes: u.Nodes, First: u.First})
		}
		return info, fileValues(m, info)
	}
	info.Inputs, info.Outputs = graphInputs(g), graphOutputs(g)
	return info, nil
}

// fileValues takes inputs and outputs from the file as they are declared there.
func fileValues(m *onnx.Model, info *Info) error {
	constant := map[string]bool{}
	for _, t := range m.Proto.GetGraph().GetInitializer() {
		constant[t.GetName()] = true
	}
	for _, v := range m.Proto.GetGraph().GetInput() {
		if constant[v.GetName()] {
			continue
		}
		s, err := onnx.SpecOf(v.GetType())
		if err != nil {
			return err
		}
		info.Inputs = append(info.Inputs, Input{Name: v.GetName(), Spec: s})
	}
	for _, v := range m.Proto.GetGraph().GetOutput() {
		s, err := onnx.SpecOf(v.GetType())
		if err != nil {
			return err
		}
		info.Outputs = append(info.Outputs, Output{Name: v.GetName(), Spec: s})
	}
	return nil
}

func modelInfo(m *onnx.Model) ModelInfo {
	p := m.Proto
	info := ModelInfo{IRVersion: p.GetIrVersion(), Opsets: map[string]int{}, Operators: map[string]int{},
		Producer: strings.TrimSpace(p.GetProducerName() + " " + p.GetProducerVersion())}
	for _, o := range p.GetOpsetImport() {
		domain := o.GetDomain()
		if domain == "ai.onnx" {
			domain = ""
		}
		info.Opsets[domain] = int(o.GetVersion())
	}
	countNodes(p.GetGraph().GetNode(), &info)
	onnx.EachTensor(p, func(t *onnx.TensorProto) {
		n := int64(1)
		for _, d := range t.GetDims() {
			if d < 0 || d > 0 && n > math.MaxInt/16/d {
				return // the loader says what is wrong with it
			}
			n *= d
		}
		info.Parameters += n
		if d := tensor.DType(t.GetDataType()); d.Valid() {
			info.WeightsBytes += int64(d.ByteLen(int(n)))
		}
	})
	return info
}

func countNodes(nodes []*onnx.NodeProto, info *ModelInfo) {
	for _, n := range nodes {
		name := n.GetOpType()
		if d := n.GetDomain(); d != "" && d != "ai.onnx" {
			name = d + ":" + name
		}
		if name == "Constant" {
			continue
		}
		info.Operators[name]++
		info.Nodes++
		for _, a := range n.GetAttribute() {
			for _, g := range append(slices.Clone(a.GetGraphs()), a.GetG()) {
				countNodes(g.GetNode(), info)
			}
		}
	}
}

// describe fills in what a session says about its model.
func (s *Session) describe(m *onnx.Model, g *graph.Graph) {
	s.model, s.inputs, s.outputs = modelInfo(m), graphInputs(g), graphOutputs(g)
}

func graphInputs(g *graph.Graph) []Input {
	var list []Input
	for _, v := range g.Inputs {
		list = append(list, Input{Name: v.Name, Spec: v.Spec, Limit: tableSize(g, v)})
	}
	return list
}

func graphOutputs(g *graph.Graph) []Output {
	var list []Output
	for _, v := range g.Outputs {
		list = append(list, Output{Name: v.Name, Spec: v.Spec})
	}
	return list
}

// tableSize is the smallest size of a table that v indexes, directly or through nodes that keep its values.
func tableSize(g *graph.Graph, v *graph.Value) int64 {
	if !v.Spec.DType.IsInteger() {
		return 0
	}
	same := map[*graph.Value]bool{v: true}
	limit := int64(0)
	for _, n := range g.Nodes {
		switch {
		case n.Is("Cast", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Identity", "Transpose") && same[n.Arg(0)]:
			same[n.Out[0]] = true
		case n.Is("Gather") && same[n.Arg(1)]:
			axis := 0
			if a, ok := n.Attrs.Lookup("axis"); ok {
				axis = int(a.I)
			}
			dims := n.Arg(0).Spec.Dims
			if axis < 0 {
				axis += len(dims)
			}
			if axis >= 0 && axis < len(dims) && dims[axis].Known() && (limit == 0 || int64(dims[axis].Size) < limit) {
				limit = int64(dims[axis].Size)
			}
		}
	}
	return limit
}
