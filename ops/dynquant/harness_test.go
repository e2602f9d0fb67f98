package dynquant

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// evalOp runs the definition of an operator ("com.microsoft.QGemm" for another domain) that a model of this opset gets.
func evalOp(k *backend.Kernels, op string, opset, nOut int, attrs []graph.Attr, in ...*tensor.Tensor) ([]*tensor.Tensor, error) {
	domain := ""
	if i := strings.LastIndexByte(op, '.'); i >= 0 {
		domain, op = op[:i], op[i+1:]
	}
	var best graph.Def
	for _, d := range Defs(k) {
		if d.Domain == domain && d.Op == op && d.Since <= opset && d.Since > best.Since {
			best = d
		}
	}
	return graph.Eval(best, graph.NewAttrs(domain, op, opset, attrs...), in, nOut)
}

func mustEval(t *testing.T, k *backend.Kernels, op string, opset int, attrs []graph.Attr, in ...*tensor.Tensor) *tensor.Tensor {
	t.Helper()
	out, err := evalOp(k, op, opset, 1, attrs, in...)
	if err != nil {
		t.Fatalf("%s-%d: %v", op, opset, err)
	}
	return out[0]
}

func wantErr(t *testing.T, text, op string, opset int, attrs []graph.Attr, in ...*tensor.Tensor) {
	t.Helper()
	if _, err := evalOp(backend.All()[0], op, opset, 1, attrs, in...); err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("%s-%d: error %v, want one with %q", op, opset, err, text)
	}
}

func intAttr(name string, v int) graph.Attr {
	return graph.Attr{Name: name, Type: graph.AttrInt, I: int64(v)}
}

func intsAttr(name string, v ...int64) graph.Attr {
	return graph.Attr{Name: name, Type: graph.AttrInts, Ints: v}
}

func of[T tensor.Element](t *testing.T, data []T, shape ...int) *tensor.Tensor {
	t.Helper()
	x, err := tensor.Of(data, shape...)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// randomBytes makes a tensor of 8-bit integers: of all values, or of the extremes alone.
func randomBytes(t *testing.T, r *rand.Rand, d tensor.DType, extreme bool, shape ...int) *tensor.Tensor {
	t.Helper()
	x, err := tensor.New(d, shape...)
	if err != nil {
		t.Fatal(err)
	}
	edges := []uint8{0, 255, 128, 127}
	for i := range x.Bytes() {
		if x.Bytes()[i] = uint8(r.Uint32()); extreme {
			x.Bytes()[i] = edges[r.IntN(len(edges))]
		}
	}
	return x
}
