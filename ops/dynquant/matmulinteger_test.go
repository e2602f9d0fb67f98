package dynquant

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/tensor"
)

// referenceProduct is MatMulInteger from its definition, in int64: A [batchA, m, k], B [batchB, k, n], zero points as
// functions of the operand's batch and row or column.
func referenceProduct(a, b *tensor.Tensor, batchA, batchB, m, k, n int, za, zb func(batch, i int) float64) []int32 {
	av, bv := values(a), values(b)
	batches := max(batchA, batchB)
	out := make([]int32, 0, batches*m*n)
	for s := range batches {
		x, y := s%batchA, s%batchB
		for i := range m {
			for j := range n {
				acc := int64(0)
				for l := range k {
					acc += int64(av[(x*m+i)*k+l]-za(x, i)) * int64(bv[(y*k+l)*n+j]-zb(y, j))
				}
				out = append(out, int32(acc))
			}
		}
	}
	return out
}

func noZero(int, int) float64 { return 0 }

func TestMatMulIntegerDepths(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, k := range backend.All() {
		for depth := range 71 {
			for _, extreme := range []bool{false, true} {
				for _, da := range byteTypes {
					for _, db := range byteTypes {
						m, n := 1+r.IntN(7), 1+r.IntN(20)
						a, b := randomBytes(t, r, da, extreme, m, depth), randomBytes(t, r, db, extreme, depth, n)
						za, zb := randomBytes(t, r, da, extreme, 1), randomBytes(t, r, db, extreme, n)
						got := mustEval(t, k, "MatMulInteger", 10, nil, a, b, za, zb)
						zav, zbv := values(za), values(zb)
						want := referenceProduct(a, b, 1, 1, m, depth, n, func(_, _ int) float64 { return zav[0] }, func(_, j int) float64 { return zbv[j] })
						if text := sameBits(got, of(t, want, m, n)); text != "" {
							t.Fatalf("%s: %v of %v by %v: %s", k.Name(), depth, a, b, text)
						}
					}
				}
			}
		}
	}
}

// TestMatMulIntegerZeroPoints covers the shapes of zero points that ONNX defines and has no test of.
func TestMatMulIntegerZeroPoints(t *testing.T) {
	const m, k, n = 3, 5, 4
	for _, c := range []struct{ a, b, za, zb []int }{
		{[]int{m, k}, []int{k, n}, []int{m}, nil},
		{[]int{m, k}, []int{k, n}, []int{m, 1}, []int{n}},
		{[]int{m, k}, []int{k, n}, []int{1, 1}, []int{1, n}},
		{[]int{2, m, k}, []int{k, n}, []int{2, m, 1}, []int{n}},
		{[]int{2, m, k}, []int{k, n}, []int{m}, []int{1, n}},
		{[]int{2, m, k}, []int{k, n}, []int{2, 1, 1}, nil},
		{[]int{2, m, k}, []int{k, n}, []int{1, m, 1}, nil},
		{[]int{2, m, k}, []int{2, k, n}, nil, []int{2, 1, n}},
		{[]int{2, m, k}, []int{2, k, n}, []int{m, 1}, []int{n}},
		{[]int{2, m, k}, []int{2, k, n}, nil, []int{1, 1, n}},
		{[]int{2, m, k}, []int{2, k, n}, nil, []int{2, 1, 1}},
		{[]int{m, k}, []int{2, k, n}, []int{m}, []int{2, 1, n}},
		{[]int{2, m, k}, []int{1, k, n}, []int{2, m, 1}, []int{1, 1, n}},
	} {
		r := rand.New(rand.NewPCG(3, 4))
		for _, da := range byteTypes {
			for _, db := range byteTypes {
				a, b := randomBytes(t, r, da, false, c.a...), randomBytes(t, r, db, false, c.b...)
				batchA, batchB := count(leading(c.a)), count(leading(c.b))
				in := []*tensor.Tensor{a, b, nil, nil}
				za, zb := noZero, noZero
				if c.za != nil {
					in[2] = randomBytes(t, r, da, false, c.za...)
					za = rowOf(in[2], m)
				}
				if c.zb != nil {
					in[3] = randomBytes(t, r, db, false, c.zb...)
					zb = columnOf(in[3], n)
				}
				want := referenceProduct(a, b, batchA, batchB, m, k, n, za, zb)
				shape := []int{m, n}
				if batches := max(batchA, batchB); batches > 1 {
					shape = []int{batches, m, n}
				}
				got := mustEval(t, backend.All()[0], "MatMulInteger", 10, nil, in...)
				if text := sameBits(got, of(t, want, shape...)); text != "" {
					t.Errorf("%v: %s", in, text)
				}
			}
		}
	}
}

// rowOf and columnOf look up a zero point of [m], [.., m or 1, 1], [n] or [.., 1, n or 1] by batch and index.
func rowOf(z *tensor.Tensor, m int) func(batch, i int) float64 {
	v, s := values(z), z.Shape()
	rows := s[max(0, len(s)-2)]
	return func(batch, i int) float64 { return v[batch%(len(v)/rows)*rows+i%rows] }
}

func columnOf(z *tensor.Tensor, n int) func(batch, j int) float64 {
	v, s := values(z), z.Shape()
	cols := s[len(s)-1]
	return func(batch, j int) float64 { return v[batch%(len(v)/cols)*cols+j%cols] }
}

func TestMatMulIntegerErrors(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	u8 := func(shape ...int) *tensor.Tensor { return randomBytes(t, r, tensor.Uint8, false, shape...) }
	wantErr(t, "inner sizes 3 and 4 differ", "MatMulInteger", 10, nil, u8(2, 3), u8(4, 2))
	wantErr(t, "does not belong to the rows", "MatMulInteger", 10, nil, u8(2, 3), u8(3, 2), u8(3))
	wantErr(t, "does not belong to the columns", "MatMulInteger", 10, nil, u8(2, 3), u8(3, 2), nil, u8(3))
	wantErr(t, "do not broadcast", "MatMulInteger", 10, nil, u8(2, 3, 3), u8(3, 3, 2))
	wantErr(t, "at least one dimension", "MatMulInteger", 10, nil, u8(), u8(2))
	wantErr(t, "overflows int32", "MatMulInteger", 10, nil, u8(1, backend.MaxDepthI8+1), u8(backend.MaxDepthI8+1, 1))
	wantErr(t, "want the same", "MatMulInteger", 10, nil, u8(2, 3), u8(3, 2), of(t, []int8{1}))
}

// TestMatMulIntegerLongest has the longest depth, where sums that zero points make larger wrap around.
func TestMatMulIntegerLongest(t *testing.T) {
	const k = backend.MaxDepthI8
	a, b := make([]uint8, k), make([]int8, k)
	for i := range a {
		a[i], b[i] = 255, -128
	}
	for _, kern := range backend.All() {
		for _, zero := range []int8{0, 127} {
			got := mustEval(t, kern, "MatMulInteger", 10, nil, of(t, a, 1, k), of(t, b, k, 1), nil, of(t, []int8{zero}))
			sum := int64(k) * 255 * (-128 - int64(zero))
			if text := sameBits(got, of(t, []int32{int32(sum)}, 1, 1)); text != "" {
				t.Error(fmt.Sprint(kern.Name(), " ", zero, ": ", text))
			}
		}
	}
}
