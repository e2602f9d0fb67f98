package ops

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// widths has a type of every width of elements.
var widths = dtypes{tensor.Bool, tensor.Float16, tensor.Float32, tensor.Int64, tensor.Complex128, tensor.String, tensor.Int4, tensor.Uint2}

// numbered makes a tensor whose elements are their positions, as far as the type can tell them apart.
func numbered(t *testing.T, d tensor.DType, shape ...int) *tensor.Tensor {
	t.Helper()
	x, err := tensor.New(d, shape...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range x.Len() {
		switch bits := d.Bits(); {
		case d == tensor.String:
			tensor.View[string](x)[i] = fmt.Sprint(i)
		case bits < 8:
			setPacked(x.Bytes(), i, bits, byte(i*7+i/3)&(1<<bits-1))
		case bits == 8:
			x.Bytes()[i] = byte(i + i/251)
		case bits == 16:
			binary.LittleEndian.PutUint16(x.Bytes()[2*i:], uint16(i))
		default:
			binary.LittleEndian.PutUint32(x.Bytes()[i*bits/8:], uint32(i+1))
		}
	}
	return x
}

// key is an element in a form that compares.
func key(x *tensor.Tensor, i int) string {
	switch bits := x.DType().Bits(); {
	case x.DType() == tensor.String:
		return tensor.View[string](x)[i]
	case bits < 8:
		return fmt.Sprint(packedAt(x.Bytes(), i, bits))
	default:
		return string(x.Bytes()[i*bits/8 : (i+1)*bits/8])
	}
}

// wantMoved fails unless the element of y at every position is the one of x at from(position); a nil result is zero.
func wantMoved(t *testing.T, y, x *tensor.Tensor, shape []int, from func(pos []int) []int) {
	t.Helper()
	if y.DType() != x.DType() || fmt.Sprint(y.Shape()) != fmt.Sprint(shape) {
		t.Fatalf("got %v, want %v%v", y, x.DType(), shape)
	}
	zero, err := tensor.New(x.DType(), 1)
	if err != nil {
		t.Fatal(err)
	}
	pos := make([]int, len(shape))
	for i := range y.Len() {
		rest := i
		for a := len(shape) - 1; a >= 0; a-- {
			pos[a] = rest % shape[a]
			rest /= shape[a]
		}
		want := key(zero, 0)
		if p := from(pos); p != nil {
			at := 0
			for a, n := range x.Shape() {
				at = at*n + p[a]
			}
			want = key(x, at)
		}
		if got := key(y, i); got != want {
			t.Fatalf("%v at %v: got %q, want %q", y, pos, got, want)
		}
	}
}

// chain is a graph built by hand, for inference with symbols and for operators with bodies.
type chain struct {
	t    *testing.T
	g    *graph.Graph
	vals map[string]*graph.Value
}

func newChain(t *testing.T, outer *chain) *chain {
	c := &chain{t: t, g: &graph.Graph{Opsets: map[string]int{"": 21}}, vals: map[string]*graph.Value{}}
	if outer != nil {
		c.g.Outer = outer.g
		for name, v := range outer.vals {
			c.vals[name] = v
		}
	}
	return c
}

// dims reads dimensions as "batch 12 ?".
func dims(s string) []tensor.Dim {
	var d []tensor.Dim
	for _, f := range strings.Fields(s) {
		var n int
		switch _, err := fmt.Sscan(f, &n); {
		case err == nil:
			d = append(d, tensor.Fixed(n))
		case f == "?":
			d = append(d, tensor.AnyDim)
		default:
			d = append(d, tensor.Dim{Name: f, Size: -1})
		}
	}
	return d
}

func (c *chain) input(name string, d tensor.DType, shape string) {
	v := &graph.Value{Name: name, Spec: tensor.Ranked(d, dims(shape))}
	c.vals[name], c.g.Inputs = v, append(c.g.Inputs, v)
}

func (c *chain) constant(name string, x *tensor.Tensor) {
	c.vals[name] = &graph.Value{Name: name, Spec: x.Spec(), Const: x}
}

// node adds an operator; names are separated by spaces, "-" is an absent one.
func (c *chain) node(op string, opset int, at attrs, in, out string, bodies map[string]*graph.Graph) {
	c.t.Helper()
	def := findDef(c.t, op, opset)
	list := at.list(c.t)
	for name, g := range bodies {
		list = append(list, graph.Attr{Name: name, Type: graph.AttrGraph, G: g})
	}
	n := &graph.Node{Name: out, Type: op, Since: def.Since, Bodies: bodies}
	for _, name := range strings.Fields(in) {
		if name != "-" && c.vals[name] == nil {
			c.t.Fatalf("no value %q", name)
		}
		n.In = append(n.In, c.vals[name])
	}
	for _, name := range strings.Fields(out) {
		v := &graph.Value{Name: name}
		c.vals[name], n.Out = v, append(n.Out, v)
	}
	n.Attrs = graph.NewAttrs("", op, opset, list...)
	n.Attrs.NumIn, n.Attrs.NumOut = len(n.In), len(n.Out)
	var err error
	if n.Op, err = def.New(n.Attrs); err == nil {
		err = n.Attrs.Err(true)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.g.Nodes = append(c.g.Nodes, n)
}

func (c *chain) outputs(names string) {
	for _, name := range strings.Fields(names) {
		c.g.Outputs = append(c.g.Outputs, c.vals[name])
	}
}

// wantSpec fails unless a value is inferred so; call infer first.
func (c *chain) wantSpec(name, want string) {
	c.t.Helper()
	if got := c.vals[name].Spec.String(); got != want {
		c.t.Errorf("%s is inferred as %s, want %s", name, got, want)
	}
}

func (c *chain) infer() {
	c.t.Helper()
	if err := c.g.Infer(); err != nil {
		c.t.Fatal(err)
	}
}

// run executes the graph.
func (c *chain) run(in map[string]*tensor.Tensor) map[string]*tensor.Tensor {
	c.t.Helper()
	c.infer()
	e, err := graph.NewExecutable(c.g, graph.ExecOptions{Threads: 2})
	if err != nil {
		c.t.Fatal(err)
	}
	var out map[string]*tensor.Tensor
	for range 2 { // the second run has the memory of the first
		if out, err = e.Run(c.t.Context(), in, nil); err != nil {
			c.t.Fatal(err)
		}
	}
	return out
}

func wantErrText(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want one with %q", err, text)
	}
}
