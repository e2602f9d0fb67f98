// Package modeltest writes ONNX models in few words, for tests.
package modeltest

import (
	"fmt"
	"strings"

	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

// Parts of a graph for Graph.
type (
	inPart   struct{ v *onnx.ValueInfoProto }
	outPart  struct{ v *onnx.ValueInfoProto }
	hintPart struct{ v *onnx.ValueInfoProto }
)

// In is an input of the graph.
func In(name string, s tensor.Spec) any { return inPart{onnx.NewValueInfo(name, s)} }

// Hint is an entry of value_info.
func Hint(name string, s tensor.Spec) any { return hintPart{onnx.NewValueInfo(name, s)} }

// Out lists outputs of the graph, of which nothing is said.
func Out(names ...string) (list []any) {
	for _, n := range names {
		list = append(list, outPart{onnx.NewValueInfo(n, tensor.Spec{})})
	}
	return list
}

// Init is an initializer.
func Init[T tensor.Element](name string, data []T, shape ...int) *onnx.TensorProto {
	p, err := onnx.NewTensorProto(name, Tensor(data, shape...))
	if err != nil {
		panic(err)
	}
	return p
}

// Tensor is tensor.Of for what is known to fit.
func Tensor[T tensor.Element](data []T, shape ...int) *tensor.Tensor {
	t, err := tensor.Of(data, shape...)
	if err != nil {
		panic(err)
	}
	return t
}

// Node is a node with space-separated inputs and outputs, "_" for an absent one. op may be "domain:Op"; it may be
// followed by "@name" for the node's name.
func Node(op, ins, outs string, attrs ...*onnx.AttributeProto) *onnx.NodeProto {
	op, name, _ := strings.Cut(op, "@")
	domain, typ, ok := strings.Cut(op, ":")
	if !ok {
		domain, typ = "", op
	}
	fields := func(s string) []string {
		f := strings.Fields(s)
		for i := range f {
			if f[i] == "_" {
				f[i] = ""
			}
		}
		return f
	}
	return &onnx.NodeProto{OpType: &typ, Domain: &domain, Name: &name, Input: fields(ins), Output: fields(outs), Attribute: attrs}
}

// At is an attribute: an int, float32, string, []int64, []float32, []string, a tensor, sparse tensor or graph.
func At(name string, v any) *onnx.AttributeProto {
	a := &onnx.AttributeProto{Name: &name}
	typ := onnx.AttributeProto_INT
	switch v := v.(type) {
	case int:
		a.I = new(int64(v))
	case float32:
		a.F, typ = &v, onnx.AttributeProto_FLOAT
	case string:
		a.S, typ = []byte(v), onnx.AttributeProto_STRING
	case []int64:
		a.Ints, typ = v, onnx.AttributeProto_INTS
	case []float32:
		a.Floats, typ = v, onnx.AttributeProto_FLOATS
	case []string:
		typ = onnx.AttributeProto_STRINGS
		for _, s := range v {
			a.Strings = append(a.Strings, []byte(s))
		}
	case *onnx.TensorProto:
		a.T, typ = v, onnx.AttributeProto_TENSOR
	case *onnx.SparseTensorProto:
		a.SparseTensor, typ = v, onnx.AttributeProto_SPARSE_TENSOR
	case *onnx.GraphProto:
		a.G, typ = v, onnx.AttributeProto_GRAPH
	default:
		panic(fmt.Sprintf("attribute of type %T", v))
	}
	a.Type = &typ
	return a
}

// RefAttr is an attribute that refers to one of the function around.
func RefAttr(name, ref string, typ onnx.AttributeProto_AttributeType) *onnx.AttributeProto {
	return &onnx.AttributeProto{Name: &name, RefAttrName: &ref, Type: &typ}
}

// Graph puts inputs, outputs, initializers and nodes together, lists of them too.
func Graph(parts ...any) *onnx.GraphProto {
	g := &onnx.GraphProto{Name: new("g")}
	var add func(p any)
	add = func(p any) {
		switch p := p.(type) {
		case inPart:
			g.Input = append(g.Input, p.v)
		case outPart:
			g.Output = append(g.Output, p.v)
		case hintPart:
			g.ValueInfo = append(g.ValueInfo, p.v)
		case *onnx.TensorProto:
			g.Initializer = append(g.Initializer, p)
		case *onnx.SparseTensorProto:
			g.SparseInitializer = append(g.SparseInitializer, p)
		case *onnx.NodeProto:
			g.Node = append(g.Node, p)
		case []any:
			for _, x := range p {
				add(x)
			}
		default:
			panic(fmt.Sprintf("part of type %T", p))
		}
	}
	for _, p := range parts {
		add(p)
	}
	return g
}

// Opsets imports domains in versions, given in pairs.
func Opsets(pairs ...any) (list []*onnx.OperatorSetIdProto) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, &onnx.OperatorSetIdProto{Domain: new(pairs[i].(string)), Version: new(int64(pairs[i+1].(int)))})
	}
	return list
}

// Model is a model of opset 17 with a graph and functions.
func Model(g *onnx.GraphProto, funcs ...*onnx.FunctionProto) *onnx.Model {
	return &onnx.Model{Proto: &onnx.ModelProto{IrVersion: new(int64(8)), OpsetImport: Opsets("", 17), Graph: g, Functions: funcs}}
}

// Spec is a tensor of that type; a dimension is an int, or a string that names an open one.
func Spec(d tensor.DType, dims ...any) tensor.Spec {
	s := tensor.Spec{DType: d, Ranked: true, Dims: []tensor.Dim{}}
	for _, x := range dims {
		switch x := x.(type) {
		case int:
			s.Dims = append(s.Dims, tensor.Dim{Size: x})
		case string:
			s.Dims = append(s.Dims, tensor.Dim{Name: x, Size: -1})
		}
	}
	return s
}
