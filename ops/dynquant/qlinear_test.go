package dynquant

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func clipTo(d tensor.DType, v float64) float64 {
	lo, hi, _ := intRange(d)
	return min(max(v, lo), hi)
}

// TestQLinearMatMulParameters: parameters per row and per column, and batches, as the definition has them.
func TestQLinearMatMulParameters(t *testing.T) {
	const m, k, n = 3, 40, 5
	r := rand.New(rand.NewPCG(15, 16))
	scales := func(count int) *tensor.Tensor {
		v := make([]float32, count)
		for i := range v {
			v[i] = 0.01 + r.Float32()
		}
		return of(t, v, count)
	}
	for _, c := range []struct{ a, b []int }{{[]int{m, k}, []int{k, n}}, {[]int{2, m, k}, []int{2, k, n}}, {[]int{2, m, k}, []int{k, n}}, {[]int{m, k}, []int{2, k, n}}} {
		for _, d := range byteTypes {
			a, b := randomBytes(t, r, d, false, c.a...), randomBytes(t, r, tensor.Int8, false, c.b...)
			za, zb, zy := randomBytes(t, r, d, false, m), randomBytes(t, r, tensor.Int8, false, n), randomBytes(t, r, d, false, 1)
			sa, sb, sy := scales(m), scales(n), of(t, []float32{300})
			batchA, batchB := count(leading(c.a)), count(leading(c.b))
			acc := referenceProduct(a, b, batchA, batchB, m, k, n, rowOf(za, m), columnOf(zb, n))
			want := make([]float64, len(acc))
			for i, v := range acc {
				s := tensor.View[float32](sa)[i/n%m] * tensor.View[float32](sb)[i%n] / 300
				want[i] = clipTo(d, math.RoundToEven(float64(float32(v)*s))+values(zy)[0])
			}
			shape := []int{m, n}
			if batches := max(batchA, batchB); batches > 1 {
				shape = []int{batches, m, n}
			}
			for _, kern := range backend.All() {
				got := mustEval(t, kern, "QLinearMatMul", 21, nil, a, sa, za, b, sb, zb, sy, zy)
				if text := sameBits(got, coded(t, d, want, shape...)); text != "" {
					t.Errorf("%s: %v by %v: %s", kern.Name(), c.a, c.b, text)
				}
			}
		}
	}
}

func TestQGemmForms(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	const m, k, n = 4, 7, 6
	one := of(t, []float32{0.5})
	for _, transA := range []int{0, 1} {
		for _, bias := range [][]int{nil, {}, {n}, {1, n}, {m, 1}, {m, n}} {
			a, b := randomBytes(t, r, tensor.Int8, false, m, k), randomBytes(t, r, tensor.Uint8, false, k, n)
			za, zb := randomBytes(t, r, tensor.Int8, false), randomBytes(t, r, tensor.Uint8, false, n)
			acc := referenceProduct(a, b, 1, 1, m, k, n, func(_, _ int) float64 { return values(za)[0] }, columnOf(zb, n))
			var c *tensor.Tensor
			if bias != nil {
				v := make([]int32, count(bias))
				for i := range v {
					v[i] = int32(r.IntN(2000)) - 1000
				}
				var err error
				if c, err = tensor.New(tensor.Int32, bias...); err != nil {
					t.Fatal(err)
				}
				copy(tensor.View[int32](c), v)
				all := make([]int32, m*n)
				broadcastTo(all, []int{m, n}, v, bias)
				for i := range acc {
					acc[i] += all[i]
				}
			}
			want := make([]float32, len(acc))
			for i, v := range acc {
				want[i] = float32(v) * (2 * 0.5 * 0.25)
			}
			in := a
			if transA == 1 {
				in = of(t, make([]int8, m*k), k, m)
				for i, v := range tensor.View[int8](a) {
					tensor.View[int8](in)[i%k*m+i/k] = v
				}
			}
			attrs := []graph.Attr{intAttr("transA", transA), {Name: "alpha", Type: graph.AttrFloat, F: 2}}
			got := mustEval(t, backend.All()[0], microsoft+".QGemm", 1, attrs, in, one, za, b, of(t, []float32{0.25}), zb, c)
			if text := sameBits(got, of(t, want, m, n)); text != "" {
				t.Errorf("transA=%d, bias %v: %s", transA, bias, text)
			}
		}
	}
	wantErr(t, "neither", microsoft+".QGemm", 1, nil, of(t, []uint8{1}, 1, 1), one, of(t, []uint8{0}), of(t, []uint8{1}, 1, 1), one, of(t, []uint8{0}), nil, one)
}

// TestToFloatRows has what ONNX Runtime gets wrong: with a scale per row, the bias is not scaled.
func TestToFloatRows(t *testing.T) {
	a, b := of(t, []uint8{1, 2, 3, 4}, 2, 2), of(t, []int8{1, -1, 2, 1}, 2, 2)
	got := mustEval(t, backend.All()[0], microsoft+".MatMulIntegerToFloat", 1, nil, a, b, of(t, []float32{2, 10}, 2, 1), of(t, []float32{1}), nil, nil, of(t, []float32{0.5, 100}))
	if text := sameBits(got, of(t, []float32{10.5, 102, 110.5, 110}, 2, 2)); text != "" {
		t.Error(text)
	}
}

func TestQLinearElementwise(t *testing.T) {
	k := backend.All()[0]
	s := func(v float32) *tensor.Tensor { return of(t, []float32{v}) }
	u := func(v uint8) *tensor.Tensor { return of(t, []uint8{v}) }
	a, b := of(t, []uint8{10, 20, 30, 250, 0, 128}, 2, 3), of(t, []uint8{5, 6, 7}, 3)
	for _, c := range []struct {
		op    string
		attrs []graph.Attr
		in    []*tensor.Tensor
		want  *tensor.Tensor
	}{
		{"QLinearAdd", nil, []*tensor.Tensor{a, s(1), u(10), b, s(2), u(5), s(1), u(0)}, of(t, []uint8{0, 12, 24, 240, 0, 122}, 2, 3)},
		{"QLinearAdd", nil, []*tensor.Tensor{of(t, []uint8{1, 2}, 2, 1), s(1), u(0), of(t, []uint8{10, 20}, 1, 2), s(1), u(0), s(1), u(0)}, of(t, []uint8{11, 21, 12, 22}, 2, 2)},
		{"QLinearAdd", nil, []*tensor.Tensor{of(t, []uint8{1, 2}, 2), s(1), u(0), of(t, []uint8{10, 20}, 1, 2), s(1), u(0), s(1), u(0)}, of(t, []uint8{11, 22}, 1, 2)},
		{"QLinearMul", nil, []*tensor.Tensor{a, s(1), u(10), b, s(1), nil, s(2), u(100)}, of(t, []uint8{100, 130, 170, 255, 70, 255}, 2, 3)},
		{"QLinearAdd", nil, []*tensor.Tensor{of(t, []int8{-100, 100}), s(1), of(t, []int8{0}), of(t, []int8{-100}), s(1), nil, s(1), of(t, []int8{1})}, of(t, []int8{-128, 1})},
		{"QLinearLeakyRelu", []graph.Attr{{Name: "alpha", Type: graph.AttrFloat, F: 0.5}}, []*tensor.Tensor{of(t, []int8{-8, 8}), s(1), nil, s(2), of(t, []int8{1})}, of(t, []int8{-1, 5})},
		{"QLinearConcat", []graph.Attr{intAttr("axis", -1)}, []*tensor.Tensor{s(2), u(1), a, s(1), u(0), of(t, []uint8{9, 8}, 2, 1), s(4), u(8)}, of(t, []uint8{6, 11, 16, 3, 126, 1, 65, 1}, 2, 4)},
		{"QLinearGlobalAveragePool", []graph.Attr{intAttr("channels_last", 1)}, []*tensor.Tensor{of(t, []uint8{1, 10, 3, 30}, 1, 2, 2), s(1), u(0), s(1), u(1)}, of(t, []uint8{3, 21}, 1, 1, 2)},
		{"QLinearAveragePool", []graph.Attr{intsAttr("kernel_shape", 2), intsAttr("pads", 1, 0), intAttr("count_include_pad", 1)}, []*tensor.Tensor{of(t, []uint8{10, 20, 30}, 1, 1, 3), s(1), u(0), s(1), u(0)}, of(t, []uint8{5, 15, 25}, 1, 1, 3)},
		{"QLinearSoftmax", []graph.Attr{intAttr("opset", 13), intAttr("axis", 0)}, []*tensor.Tensor{of(t, []int8{-5, 0, -5, 100}, 2, 2), s(1), nil, s(1. / 256), of(t, []int8{-128})}, of(t, []int8{0, -128, 0, 127}, 2, 2)},
		{"QLinearSoftmax", []graph.Attr{intAttr("opset", 11), intAttr("axis", 0)}, []*tensor.Tensor{of(t, []uint8{5, 5, 5, 5}, 2, 2), s(1), nil, s(1. / 256), nil}, of(t, []uint8{64, 64, 64, 64}, 2, 2)},
	} {
		if text := sameBits(mustEval(t, k, microsoft+"."+c.op, 1, c.attrs, c.in...), c.want); text != "" {
			t.Errorf("%s: %s", c.op, text)
		}
	}
	wantErr(t, "do not broadcast", microsoft+".QLinearAdd", 1, nil, a, s(1), u(0), of(t, []uint8{1, 2}), s(1), u(0), s(1), u(0))
	wantErr(t, "differ in dimension 0", microsoft+".QLinearConcat", 1, []graph.Attr{intAttr("axis", 1)}, s(1), u(0), a, s(1), u(0), of(t, []uint8{1}, 1, 1), s(1), u(0))
	wantErr(t, "want one element", microsoft+".QLinearSigmoid", 1, nil, a, of(t, []float32{1, 2}), u(0), s(1), u(0))
}
