package ops

import (
	"fmt"
	"math"
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// packedOp is an operator after Prepack, which must not read the inputs it took over.
type packedOp struct {
	graph.Op
	used []int
}

func (p packedOp) Run(c *graph.RunCtx) error {
	in := append([]*tensor.Tensor(nil), c.In...)
	for _, i := range p.used {
		in[i] = nil
	}
	c.In = in
	return p.Op.Run(c)
}

// bothWays runs an operator with all inputs dynamic, and again with those from first on constant, on every tier; all
// results must have the same bits, and output 0 is returned.
func bothWays(t *testing.T, op string, opset int, at attrs, first int, in ...*tensor.Tensor) *tensor.Tensor {
	t.Helper()
	out := runOp(t, op, opset, at, in...)
	for _, k := range backend.All() {
		def := findDef(t, op, opset)
		for _, d := range Defs(k) {
			if d.Domain == def.Domain && d.Op == def.Op && d.Since == def.Since {
				def = d
			}
		}
		inner := def.New
		def.New = func(a *graph.Attrs) (graph.Op, error) {
			o, err := inner(a)
			if err != nil {
				return nil, err
			}
			pre, ok := o.(graph.Prepacker)
			if !ok {
				return o, nil
			}
			consts := make([]*tensor.Tensor, len(in))
			copy(consts[first:], in[first:])
			o, used, err := pre.Prepack(consts)
			return packedOp{o, used}, err
		}
		got, err := graph.Eval(def, graph.NewAttrs(def.Domain, def.Op, opset, at.list(t)...), in, 1)
		if err != nil {
			t.Fatalf("%s with constants on %s: %v", op, k.Name(), err)
		}
		if k.Name() == "scalar" {
			wantClose(t, got[0], out, 1e-5) // the scalar tier may round exp and its like differently
		} else {
			wantTensor(t, got[0], out)
		}
	}
	return out
}

// slowMatMul is numpy.matmul in float64 of operands of at least two dimensions.
func slowMatMul(t *testing.T, a, b *tensor.Tensor) *tensor.Tensor {
	t.Helper()
	sa, sb := a.Shape(), b.Shape()
	m, k, n := sa[len(sa)-2], sa[len(sa)-1], sb[len(sb)-1]
	spec, err := broadcastSpecs(tensor.Float32, tensor.SpecOf(tensor.Float32, sa[:len(sa)-2]...), tensor.SpecOf(tensor.Float32, sb[:len(sb)-2]...))
	if err != nil {
		t.Fatal(err)
	}
	batch, _ := spec.Shape()
	out, err := tensor.New(tensor.Float32, append(append([]int{}, batch...), m, n)...)
	if err != nil {
		t.Fatal(err)
	}
	var p plan
	p.init(batch, sa[:len(sa)-2], sb[:len(sb)-2])
	count, _ := tensor.Count(batch)
	x, y, z := tensor.View[float32](a), tensor.View[float32](b), tensor.View[float32](out)
	p.each(0, count, func(at, runLen int, off [maxOperands]int) {
		for r := range runLen {
			oa, ob := off[0]+r*p.stride[0][0], off[1]+r*p.stride[1][0]
			for i := range m {
				for j := range n {
					var sum float64
					for q := range k {
						sum += float64(x[oa*m*k+i*k+q]) * float64(y[ob*k*n+q*n+j])
					}
					z[(at+r)*m*n+i*n+j] = float32(sum)
				}
			}
		}
	})
	return out
}

func TestMatMul(t *testing.T) {
	for _, tc := range []struct{ a, b []int }{
		{[]int{3, 4}, []int{4, 5}},
		{[]int{1, 1}, []int{1, 1}},
		{[]int{65, 130}, []int{130, 97}},
		{[]int{2, 3, 7, 5}, []int{5, 6}},
		{[]int{7, 5}, []int{2, 3, 5, 6}},
		{[]int{2, 1, 7, 5}, []int{3, 5, 6}},
		{[]int{2, 3, 7, 5}, []int{2, 3, 5, 1}},
		{[]int{1, 2, 3}, []int{2, 3, 4}},
		{[]int{4, 2, 3}, []int{1, 1, 3, 4}},
		{[]int{2, 0}, []int{0, 3}},
		{[]int{0, 2}, []int{2, 3}},
		{[]int{2, 0, 3, 4}, []int{4, 2}},
	} {
		t.Run(fmt.Sprint(tc.a, tc.b), func(t *testing.T) {
			a, b := ramp(t, tc.a...), ramp(t, tc.b...)
			wantClose(t, bothWays(t, "MatMul", 13, nil, 1, a, b), slowMatMul(t, a, b), 2e-5)
		})
	}
}

func TestMatMulVectors(t *testing.T) {
	v3, m34 := of(t, []float32{1, 2, 3}), ramp(t, 3, 4)
	row, err := v3.Reshape(1, 3)
	if err != nil {
		t.Fatal(err)
	}
	want, err := slowMatMul(t, row, m34).Reshape(4)
	if err != nil {
		t.Fatal(err)
	}
	wantClose(t, bothWays(t, "MatMul", 9, nil, 1, v3, m34), want, 1e-6)
	wantClose(t, bothWays(t, "MatMul", 9, nil, 1, v3, v3), tensor.Scalar[float32](14), 0)
	got := bothWays(t, "MatMul", 9, nil, 1, of(t, []float32{1, 0, 2, 0, 1, 1}, 1, 2, 3), v3)
	wantTensor(t, got, of(t, []float32{7, 5}, 1, 2))
}

func TestMatMulOtherTypes(t *testing.T) {
	a, b := []int64{1, 2, 3, 4, 5, 6}, []int64{1, -1, 0, 2, 1 << 40, 1}
	wantTensor(t, runOp(t, "MatMul", 9, nil, of(t, a, 2, 3), of(t, b, 3, 2)), of(t, []int64{1 + 3<<40, 6, 4 + 6<<40, 12}, 2, 2))
	wantTensor(t, runOp(t, "MatMul", 9, nil, of(t, []uint32{1 << 31, 1}, 1, 2), of(t, []uint32{2, 7}, 2, 1)), of(t, []uint32{7}, 1, 1))
	wantTensor(t, runOp(t, "MatMul", 9, nil, of(t, []float64{1e300, 1}, 1, 2), of(t, []float64{2, 7}, 2, 1)), of(t, []float64{2e300}, 1, 1))
	half := of(t, []tensor.F16{0x3c00, 0x4000}, 1, 2) // 1, 2
	wantTensor(t, bothWays(t, "MatMul", 13, nil, 1, half, of(t, []tensor.F16{0x4200, 0x3800}, 2, 1)), of(t, []tensor.F16{0x4400}, 1, 1))
	bf := of(t, []tensor.BF16{0x3f80, 0x4000}, 1, 2)
	wantTensor(t, bothWays(t, "MatMul", 13, nil, 1, bf, of(t, []tensor.BF16{0x4040, 0x3f00}, 2, 1)), of(t, []tensor.BF16{0x4080}, 1, 1))
}

func TestMatMulErrors(t *testing.T) {
	wantErr(t, "inner sizes 3 and 4 differ", "MatMul", 13, nil, ramp(t, 2, 3), ramp(t, 4, 5))
	wantErr(t, "cannot broadcast", "MatMul", 13, nil, ramp(t, 2, 1, 3), ramp(t, 3, 3, 5))
	wantErr(t, "at least one dimension", "MatMul", 13, nil, tensor.Scalar[float32](1), ramp(t, 3, 3))
	wantErr(t, "the same", "MatMul", 13, nil, ramp(t, 3, 3), of(t, []int64{1, 2, 3}))
	wantErr(t, "input 1 is missing", "MatMul", 13, nil, ramp(t, 3, 3))
	wantErr(t, "not supported: matrix product of type int8", "MatMul", 13, nil, of(t, []int8{1}, 1, 1), of(t, []int8{1}, 1, 1))
}

// moved is a float32 tensor with the dimensions taken in the order perm.
func moved(t *testing.T, x *tensor.Tensor, perm ...int) *tensor.Tensor {
	t.Helper()
	return runOp(t, "Transpose", 13, attrs{"perm": perm}, x)
}

func TestFusedMatMulForms(t *testing.T) {
	a, b := ramp(t, 2, 5, 7), ramp(t, 2, 7, 6)
	want := slowMatMul(t, a, b)
	for i, v := range tensor.View[float32](want) {
		tensor.View[float32](want)[i] = v * 0.5
	}
	at, bt := moved(t, a, 0, 2, 1), moved(t, b, 0, 2, 1)
	ms := "com.microsoft.FusedMatMul"
	wantClose(t, bothWays(t, ms, 1, attrs{"alpha": 0.5, "transA": 1, "transB": 1}, 1, at, bt), want, 1e-5)
	wantClose(t, bothWays(t, ms, 1, attrs{"alpha": 0.5, "transB": 1}, 1, a, bt), want, 1e-5)
	wantClose(t, bothWays(t, ms, 1, attrs{"alpha": 0.5, "transBatchA": 1}, 1, moved(t, a, 1, 0, 2), b), want, 1e-5)
	wantClose(t, bothWays(t, ms, 1, attrs{"alpha": 0.5, "transBatchA": 1, "transA": 1}, 1, moved(t, at, 1, 0, 2), b), want, 1e-5)
	wantClose(t, bothWays(t, ms, 1, attrs{"alpha": 0.5, "transBatchB": 1}, 1, a, moved(t, b, 1, 0, 2)), want, 1e-5)
	wantClose(t, bothWays(t, ms, 1, attrs{"alpha": 0.5, "transBatchB": 1, "transB": 1}, 1, a, moved(t, bt, 1, 0, 2)), want, 1e-5)
	zero := bothWays(t, ms, 1, attrs{"alpha": 0.0}, 1, a, b)
	wantTensor(t, zero, of(t, make([]float32, 60), 2, 5, 6))
}

func TestFusedMatMulEpilogue(t *testing.T) {
	a, b, bias, res := ramp(t, 3, 5, 7), ramp(t, 7, 6), ramp(t, 6), ramp(t, 3, 5, 6)
	want := slowMatMul(t, a, b)
	w := tensor.View[float32](want)
	for i := range w {
		y := w[i] + tensor.View[float32](bias)[i%6]
		w[i] = max(y, 0) + tensor.View[float32](res)[i]
	}
	wantClose(t, bothWays(t, "qrun.FusedMatMul", 1, attrs{"activation": "Relu"}, 1, a, b, bias, res), want, 1e-5)
	wantErr(t, "bias float32[5] does not fit", "qrun.FusedMatMul", 1, nil, a, b, ramp(t, 5))
	wantErr(t, "residual float32[3 5 7] does not have the shape", "qrun.FusedMatMul", 1, nil, a, b, nil, a)
	wantErr(t, `activation "Cosh"`, "qrun.FusedMatMul", 1, attrs{"activation": "Cosh"}, a, b)
}

func TestGemm(t *testing.T) {
	const m, k, n = 5, 7, 50
	a, b := ramp(t, m, k), ramp(t, k, n)
	at, bt := moved(t, a, 1, 0), moved(t, b, 1, 0)
	prod := tensor.View[float32](slowMatMul(t, a, b))
	for _, shapeC := range [][]int{nil, {}, {1}, {n}, {1, n}, {m, 1}, {1, 1}, {m, n}} {
		var c *tensor.Tensor
		want := make([]float32, m*n)
		var p plan
		if shapeC != nil {
			c = ramp(t, shapeC...)
			p.init([]int{m, n}, shapeC)
		}
		for i, v := range prod {
			want[i] = v * 0.25
		}
		if c != nil {
			p.each(0, m*n, func(at, runLen int, off [maxOperands]int) {
				for i := range runLen {
					want[at+i] += 0.5 * tensor.View[float32](c)[off[0]+i*p.stride[0][0]]
				}
			})
		}
		w := of(t, want, m, n)
		wantClose(t, bothWays(t, "Gemm", 13, attrs{"alpha": 0.25, "beta": 0.5}, 1, a, b, c), w, 1e-5)
		wantClose(t, bothWays(t, "Gemm", 7, attrs{"alpha": 0.25, "beta": 0.5, "transA": 1}, 1, at, b, c), w, 1e-5)
		wantClose(t, bothWays(t, "Gemm", 11, attrs{"alpha": 0.25, "beta": 0.5, "transB": 1}, 1, a, bt, c), w, 1e-5)
		for i, v := range want {
			want[i] = float32(math.Tanh(float64(v)))
		}
		wantClose(t, bothWays(t, "com.microsoft.FusedGemm", 1, attrs{"alpha": 0.25, "beta": 0.5, "activation": "Tanh"}, 1, a, b, c), w, 1e-5)
	}
	wantErr(t, "inner sizes 7 and 5 differ", "Gemm", 13, nil, a, a)
	wantErr(t, "C float32[5 3] cannot be broadcast to the result float32[5 50]", "Gemm", 13, nil, a, b, ramp(t, 5, 3))
	wantErr(t, "is not a matrix", "Gemm", 13, nil, ramp(t, 1, 2, 3), b)
	wantTensor(t, runOp(t, "Gemm", 13, attrs{"transA": 1}, of(t, []int32{1, 2, 3, 4}, 2, 2), of(t, []int32{1, 0, 0, 1}, 2, 2), of(t, []int32{1, 1}, 2)),
		of(t, []int32{2, 4, 3, 5}, 2, 2))
}
