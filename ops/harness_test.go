package ops

import (
	"math"
	"strings"
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// attrs are the attributes of an operator under test: Go values of the types int, float64, string, []int, []float64,
// []string and *tensor.Tensor.
type attrs map[string]any

func (m attrs) list(t *testing.T) []graph.Attr {
	t.Helper()
	var l []graph.Attr
	for name, v := range m {
		a := graph.Attr{Name: name}
		switch v := v.(type) {
		case int:
			a.Type, a.I = graph.AttrInt, int64(v)
		case float64:
			a.Type, a.F = graph.AttrFloat, float32(v)
		case string:
			a.Type, a.S = graph.AttrString, v
		case []int:
			a.Type = graph.AttrInts
			for _, x := range v {
				a.Ints = append(a.Ints, int64(x))
			}
		case []float64:
			a.Type = graph.AttrFloats
			for _, x := range v {
				a.Floats = append(a.Floats, float32(x))
			}
		case []string:
			a.Type, a.Strings = graph.AttrStrings, v
		case *tensor.Tensor:
			a.Type, a.T = graph.AttrTensor, v
		default:
			t.Fatalf("attribute %s of type %T", name, v)
		}
		l = append(l, a)
	}
	return l
}

// findDef returns the definition that a model of this opset gets. op is a name, of another domain as "com.microsoft.Gelu".
func findDef(t *testing.T, op string, opset int) graph.Def {
	t.Helper()
	domain := ""
	if i := strings.LastIndexByte(op, '.'); i >= 0 {
		domain, op = op[:i], op[i+1:]
	}
	var best graph.Def
	for _, d := range Defs(backend.All()[0]) {
		if d.Domain == domain && d.Op == op && d.Since <= opset && d.Since > best.Since {
			best = d
		}
	}
	if best.New == nil {
		t.Fatalf("no operator %s in domain %q at opset %d", op, domain, opset)
	}
	return best
}

// tryOp runs an operator by itself and returns its outputs or its error.
func tryOp(t *testing.T, op string, opset int, at attrs, nOut int, in ...*tensor.Tensor) ([]*tensor.Tensor, error) {
	t.Helper()
	def := findDef(t, op, opset)
	return graph.Eval(def, graph.NewAttrs(def.Domain, def.Op, opset, at.list(t)...), in, nOut)
}

// runOp is tryOp for a call that must succeed; it returns output 0.
func runOp(t *testing.T, op string, opset int, at attrs, in ...*tensor.Tensor) *tensor.Tensor {
	t.Helper()
	out, err := tryOp(t, op, opset, at, 1, in...)
	if err != nil {
		t.Fatalf("%s-%d: %v", op, opset, err)
	}
	return out[0]
}

// wantErr fails unless the operator's error contains text.
func wantErr(t *testing.T, text, op string, opset int, at attrs, in ...*tensor.Tensor) {
	t.Helper()
	_, err := tryOp(t, op, opset, at, 1, in...)
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("%s-%d: error %v, want one with %q", op, opset, err, text)
	}
}

// of makes a tensor; a shape of none is a scalar or one dimension.
func of[T tensor.Element](t *testing.T, data []T, shape ...int) *tensor.Tensor {
	t.Helper()
	x, err := tensor.Of(data, shape...)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// ramp makes a float32 tensor of the shape, filled with values between -2 and 2 in no simple order.
func ramp(t *testing.T, shape ...int) *tensor.Tensor {
	t.Helper()
	n, err := tensor.Count(shape)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]float32, n)
	for i := range data {
		data[i] = float32((i*7919+13)%4001)/1000 - 2
	}
	x, err := tensor.New(tensor.Float32, shape...)
	if err != nil {
		t.Fatal(err)
	}
	copy(tensor.View[float32](x), data)
	return x
}

// wantTensor fails unless got has want's type, shape and elements.
func wantTensor(t *testing.T, got, want *tensor.Tensor) {
	t.Helper()
	wantClose(t, got, want, 0)
}

// wantClose fails unless got has want's type and shape, and elements that differ by at most tol*max(1, |want|) where
// the type is a float32 or float64. NaN equals NaN.
func wantClose(t *testing.T, got, want *tensor.Tensor, tol float64) {
	t.Helper()
	if got == nil {
		t.Fatalf("got nothing, want %v", want)
	}
	if got.Spec().String() != want.Spec().String() {
		t.Fatalf("got %v, want %v", got, want)
	}
	g, w := elements(got), elements(want)
	bad := 0
	for i := range w {
		if same(g[i], w[i], tol) {
			continue
		}
		if bad++; bad <= 5 {
			t.Errorf("element %d of %v: got %v, want %v", i, want, g[i], w[i])
		}
	}
	if bad > 5 {
		t.Errorf("%d of %d elements differ", bad, len(w))
	}
}

func same(g, w any, tol float64) bool {
	gf, ok1 := g.(float64)
	wf, ok2 := w.(float64)
	if !ok1 || !ok2 {
		return g == w
	}
	if math.IsNaN(gf) || math.IsNaN(wf) || math.IsInf(gf, 0) || math.IsInf(wf, 0) {
		return gf == wf || math.IsNaN(gf) && math.IsNaN(wf)
	}
	return math.Abs(gf-wf) <= tol*max(1, math.Abs(wf))
}

// elements returns the elements of a tensor, floats as float64, packed types by the byte.
func elements(x *tensor.Tensor) []any {
	switch x.DType() {
	case tensor.Float32:
		return list(tensor.View[float32](x), func(v float32) any { return float64(v) })
	case tensor.Float64:
		return list(tensor.View[float64](x), func(v float64) any { return v })
	case tensor.Int64:
		return list(tensor.View[int64](x), func(v int64) any { return v })
	case tensor.Int32:
		return list(tensor.View[int32](x), func(v int32) any { return v })
	case tensor.String:
		return list(tensor.View[string](x), func(v string) any { return v })
	}
	return list(x.Bytes(), func(v byte) any { return v })
}

func list[T any](s []T, f func(T) any) []any {
	l := make([]any, len(s))
	for i, v := range s {
		l[i] = f(v)
	}
	return l
}
