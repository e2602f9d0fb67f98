package graph

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

// Parts of a graph for graphOf.
type (
	inPart   struct{ v *onnx.ValueInfoProto }
	outPart  struct{ v *onnx.ValueInfoProto }
	hintPart struct{ v *onnx.ValueInfoProto }
)

func in(name string, s tensor.Spec) inPart { return inPart{onnx.NewValueInfo(name, s)} }

func hinted(name string, s tensor.Spec) hintPart { return hintPart{onnx.NewValueInfo(name, s)} }

func out(names ...string) (list []any) {
	for _, n := range names {
		list = append(list, outPart{onnx.NewValueInfo(n, tensor.Spec{})})
	}
	return list
}

// init32 is a float32 initializer.
func init32(name string, data []float32, shape ...int) *onnx.TensorProto {
	return initOf(name, data, shape...)
}

func initOf[T tensor.Element](name string, data []T, shape ...int) *onnx.TensorProto {
	p, err := onnx.NewTensorProto(name, tensorOf(data, shape...))
	if err != nil {
		panic(err)
	}
	return p
}

func tensorOf[T tensor.Element](data []T, shape ...int) *tensor.Tensor {
	t, err := tensor.Of(data, shape...)
	if err != nil {
		panic(err)
	}
	return t
}

// node is a node with space-separated inputs and outputs, "_" for an absent one. op may be "domain:Op"; it may be
// followed by "@name" for the node's name.
func node(op, ins, outs string, attrs ...*onnx.AttributeProto) *onnx.NodeProto {
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

func at(name string, v any) *onnx.AttributeProto {
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

// refAttr is an attribute that refers to one of the function around.
func refAttr(name, ref string, typ onnx.AttributeProto_AttributeType) *onnx.AttributeProto {
	return &onnx.AttributeProto{Name: &name, RefAttrName: &ref, Type: &typ}
}

// graphOf puts inputs, outputs, initializers and nodes together, lists of them too.
func graphOf(parts ...any) *onnx.GraphProto {
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

func opsets(pairs ...any) (list []*onnx.OperatorSetIdProto) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, &onnx.OperatorSetIdProto{Domain: new(pairs[i].(string)), Version: new(int64(pairs[i+1].(int)))})
	}
	return list
}

func modelOf(g *onnx.GraphProto, funcs ...*onnx.FunctionProto) *onnx.Model {
	return &onnx.Model{Proto: &onnx.ModelProto{IrVersion: new(int64(8)), OpsetImport: opsets("", 17), Graph: g, Functions: funcs}}
}

func mustBuild(t testing.TB, m *onnx.Model, more ...Def) *Graph {
	t.Helper()
	g, err := Build(m, testRegistry(t, more...))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// buildErr fails unless Build's error contains every text.
func buildErr(t *testing.T, m *onnx.Model, texts ...string) error {
	t.Helper()
	_, err := Build(m, testRegistry(t))
	if err == nil {
		t.Fatalf("no error, want one with %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not contain %q", err, text)
		}
	}
	return err
}

// show writes a graph with one node a line: outputs = Type(inputs).
func show(g *Graph) string {
	var b strings.Builder
	names := func(vs []*Value) string {
		var l []string
		for _, v := range vs {
			switch {
			case v == nil:
				l = append(l, "_")
			case v.Const != nil && v.Const.Len() <= 4 && v.Const.DType() == tensor.Float32:
				l = append(l, fmt.Sprint(tensor.View[float32](v.Const)))
			default:
				l = append(l, v.Name)
			}
		}
		return strings.Join(l, " ")
	}
	for _, n := range g.Nodes {
		fmt.Fprintf(&b, "%s = %s(%s)\n", names(n.Out), qualified(n.Domain, n.Type), names(n.In))
		for _, name := range bodyNames(n) {
			fmt.Fprintf(&b, "%s {\n%s}\n", name, show(n.Bodies[name]))
		}
	}
	return b.String()
}

func wantGraph(t *testing.T, g *Graph, lines ...string) {
	t.Helper()
	got := strings.TrimSpace(show(g))
	if want := strings.Join(lines, "\n"); got != want {
		t.Errorf("graph is\n%s\nwant\n%s", got, want)
	}
}

// eval interprets a graph: outputs by name.
func eval(t testing.TB, g *Graph, feeds map[string]*tensor.Tensor) map[string]*tensor.Tensor {
	t.Helper()
	vals := map[*Value]*tensor.Tensor{}
	for _, v := range g.Inputs {
		vals[v] = feeds[v.Name]
	}
	evalNodes(t, g, vals)
	res := map[string]*tensor.Tensor{}
	for _, v := range g.Outputs {
		if res[v.Name] = vals[v]; v.Const != nil {
			res[v.Name] = v.Const
		}
	}
	return res
}

func evalNodes(t testing.TB, g *Graph, vals map[*Value]*tensor.Tensor) {
	t.Helper()
	for _, n := range g.Nodes {
		in := make([]*tensor.Tensor, len(n.In))
		for i, v := range n.In {
			if v != nil {
				if in[i] = vals[v]; v.Const != nil {
					in[i] = v.Const
				}
			}
		}
		c := &RunCtx{Ctx: context.Background(), In: in, Out: make([]*tensor.Tensor, len(n.Out)), node: n}
		f := &interpFrame{run: func(b *Graph) []*tensor.Tensor {
			evalNodes(t, b, vals)
			var out []*tensor.Tensor
			for _, v := range b.Outputs {
				if v.Const != nil {
					out = append(out, v.Const)
				} else {
					out = append(out, vals[v])
				}
			}
			return out
		}}
		c.frame = f
		if len(n.Bodies) == 0 {
			specs, err := InferNode(n, in, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range specs {
				if shape, ok := s.Shape(); ok {
					if c.Out[i], err = tensor.New(s.DType, shape...); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if err := n.Op.Run(c); err != nil {
			t.Fatalf("%s %q: %v", n.Type, n.Name, err)
		}
		for i, v := range n.Out {
			if v != nil {
				vals[v] = c.Out[i]
			}
		}
	}
}

// interpFrame runs bodies in the interpreter.
type interpFrame struct {
	evalFrame
	run func(*Graph) []*tensor.Tensor
}

func (f *interpFrame) runBody(_ context.Context, n *Node, name string, _ []*tensor.Tensor) ([]*tensor.Tensor, error) {
	return f.run(n.Bodies[name]), nil
}

var f32 = tensor.Float32

func spec(d tensor.DType, dims ...any) tensor.Spec {
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
