package graph

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/qrun-onnx/qrun/internal/modeltest"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

// The words in which the tests write models.
var (
	in, hinted, out, node, at, refAttr = modeltest.In, modeltest.Hint, modeltest.Out, modeltest.Node, modeltest.At, modeltest.RefAttr
	graphOf, opsets, modelOf, spec     = modeltest.Graph, modeltest.Opsets, modeltest.Model, modeltest.Spec
	f32                                = tensor.Float32
)

// init32 is a float32 initializer.
func init32(name string, data []float32, shape ...int) *onnx.TensorProto {
	return initOf(name, data, shape...)
}

func initOf[T tensor.Element](name string, data []T, shape ...int) *onnx.TensorProto {
	return modeltest.Init(name, data, shape...)
}

func tensorOf[T tensor.Element](data []T, shape ...int) *tensor.Tensor {
	return modeltest.Tensor(data, shape...)
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
