package ops

import (
	"math"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

// Every pair of shapes must give what indexing element by element gives.
func TestBroadcast(t *testing.T) {
	for _, c := range []struct{ a, b, want []int }{
		{[]int{2, 3}, []int{2, 3}, []int{2, 3}},
		{[]int{2, 3}, []int{}, []int{2, 3}},
		{[]int{}, []int{2, 3}, []int{2, 3}},
		{[]int{}, []int{}, []int{}},
		{[]int{4, 5, 3}, []int{3}, []int{4, 5, 3}},
		{[]int{4, 5, 3}, []int{5, 1}, []int{4, 5, 3}},
		{[]int{4, 1, 3}, []int{5, 1}, []int{4, 5, 3}},
		{[]int{2, 4, 5, 3}, []int{2, 1, 1, 3}, []int{2, 4, 5, 3}},
		{[]int{2, 1, 5, 1, 2, 1}, []int{3, 1, 4, 1, 2}, []int{2, 3, 5, 4, 2, 2}},
		{[]int{1, 3, 1, 2, 1, 3, 1, 2, 1, 2}, []int{2, 1, 2, 1, 2, 1, 2, 1, 2, 1}, []int{2, 3, 2, 2, 2, 3, 2, 2, 2, 2}},
		{[]int{0, 3}, []int{3}, []int{0, 3}},
		{[]int{0, 3}, []int{1, 1}, []int{0, 3}},
		{[]int{1, 3}, []int{0, 1}, []int{0, 3}},
		{[]int{200, 90}, []int{90}, []int{200, 90}},
		{[]int{200, 1}, []int{1, 90}, []int{200, 90}},
		{[]int{1, 2, 90, 100}, []int{1, 2, 90, 1}, []int{1, 2, 90, 100}},
	} {
		for _, swap := range []bool{false, true} {
			a, b := int64Ramp(t, 3, c.a...), int64Ramp(t, 1000, c.b...)
			sa, sb := c.a, c.b
			if swap {
				a, b, sa, sb = b, a, sb, sa
			}
			n, err := tensor.Count(c.want)
			if err != nil {
				t.Fatal(err)
			}
			want := make([]int64, n)
			for i := range want {
				want[i] = tensor.View[int64](a)[broadcastIndex(i, c.want, sa)] - tensor.View[int64](b)[broadcastIndex(i, c.want, sb)]
			}
			wantTensor(t, runOp(t, "Sub", 14, nil, a, b), of(t, want, c.want...))
			f := runOp(t, "Sub", 14, nil, asType(t, a, tensor.Float32), asType(t, b, tensor.Float32))
			wantTensor(t, asType(t, f, tensor.Int64), of(t, want, c.want...))
		}
	}
	wantErr(t, "cannot broadcast int64[2 3] and int64[2]", "Add", 14, nil, int64Ramp(t, 1, 2, 3), int64Ramp(t, 1, 2))
	wantErr(t, "inputs of types int64 and float32", "Add", 14, nil, int64Ramp(t, 1, 2, 3), ramp(t, 3))
}

func int64Ramp(t *testing.T, mul int64, shape ...int) *tensor.Tensor {
	t.Helper()
	x, err := tensor.New(tensor.Int64, shape...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range tensor.View[int64](x) {
		tensor.View[int64](x)[i] = int64(i) * mul
	}
	return x
}

// asType converts between int64 and float32.
func asType(t *testing.T, x *tensor.Tensor, d tensor.DType) *tensor.Tensor {
	t.Helper()
	y, err := tensor.New(d, x.Shape()...)
	if err != nil {
		t.Fatal(err)
	}
	if d == tensor.Float32 {
		for i, v := range tensor.View[int64](x) {
			tensor.View[float32](y)[i] = float32(v)
		}
		return y
	}
	for i, v := range tensor.View[float32](x) {
		tensor.View[int64](y)[i] = int64(v)
	}
	return y
}

// broadcastIndex is the index in a tensor of shape s of element i of a result of shape out.
func broadcastIndex(i int, out, s []int) int {
	at, stride := 0, 1
	for d := len(out) - 1; d >= 0; d-- {
		k := d - len(out) + len(s)
		if k >= 0 {
			if s[k] != 1 {
				at += i % out[d] * stride
			}
			stride *= s[k]
		}
		i /= out[d]
	}
	return at
}

func TestArithmeticTypes(t *testing.T) {
	a, b := []int8{-7, 7, 100, -128}, []int8{2, -2, 100, -1}
	wantTensor(t, runOp(t, "Div", 14, nil, of(t, a), of(t, b)), of(t, []int8{-3, -3, 1, -128}))
	wantTensor(t, runOp(t, "Mul", 14, nil, of(t, a), of(t, b)), of(t, []int8{-14, -14, 16, -128}))
	wantTensor(t, runOp(t, "Add", 14, nil, of(t, []uint64{math.MaxUint64}), of(t, []uint64{2})), of(t, []uint64{1}))
	wantTensor(t, runOp(t, "Sub", 14, nil, of(t, []float64{1.5}), of(t, []float64{0.25, 3})), of(t, []float64{1.25, -1.5}))
	wantErr(t, "integer division by zero", "Div", 14, nil, of(t, []int32{1}), of(t, []int32{0}))
	wantErr(t, "not supported: input of type string", "Add", 14, nil, of(t, []string{"x"}), of(t, []string{"y"}))
	half := of(t, []tensor.F16{tensor.ToF16(1), tensor.ToF16(2048)})
	wantTensor(t, runOp(t, "Add", 14, nil, half, half), of(t, []tensor.F16{tensor.ToF16(2), tensor.ToF16(4096)}))
	bf := of(t, []tensor.BF16{tensor.ToBF16(3), tensor.ToBF16(-1)})
	wantTensor(t, runOp(t, "Mul", 14, nil, bf, bf), of(t, []tensor.BF16{tensor.ToBF16(9), tensor.ToBF16(1)}))
}

func TestLegacyBroadcast(t *testing.T) {
	a := ramp(t, 2, 3, 4)
	at := func(v float32) *tensor.Tensor { return of(t, []float32{v, v + 1, v + 2}) }
	want := runOp(t, "Add", 7, nil, a, of(t, []float32{1, 2, 3}, 3, 1))
	wantTensor(t, runOp(t, "Add", 6, attrs{"broadcast": 1, "axis": 1}, a, at(1)), want)
	wantTensor(t, runOp(t, "Add", 6, attrs{"broadcast": 1, "axis": -2}, a, at(1)), want)
	wantErr(t, "cannot broadcast", "Add", 6, nil, a, at(1))
	wantErr(t, "axis 3 does not fit", "Add", 6, attrs{"broadcast": 1, "axis": 3}, a, at(1))
	wantErr(t, `attribute "axis" is not known`, "Add", 7, attrs{"axis": 1}, a, a)
}

func TestVariadic(t *testing.T) {
	nan := float32(math.NaN())
	a, b, c := of(t, []float32{1, 5, nan}), of(t, []float32{4, 2, 0}), of(t, []float32{3, 3, 3}, 1, 3)
	for _, x := range []struct {
		op   string
		want []float32
	}{{"Max", []float32{4, 5, nan}}, {"Min", []float32{1, 2, nan}}, {"Sum", []float32{8, 10, nan}}, {"Mean", []float32{8. / 3, 10. / 3, nan}}} {
		wantTensor(t, runOp(t, x.op, 13, nil, a, b, c), of(t, x.want, 1, 3))
		wantTensor(t, runOp(t, x.op, 13, nil, a), a)
	}
	wantTensor(t, runOp(t, "Max", 13, nil, of(t, []int8{-1, 3}), of(t, []int8{0})), of(t, []int8{0, 3}))
	wantErr(t, "of type int8", "Sum", 13, nil, of(t, []int8{1}))
	wantErr(t, "input 0 is missing", "Sum", 13, nil)
}
