package dynquant

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/tensor"
)

// TestWarmRunsDoNotAllocate: a copy of a quantized operator costs a warm run as many allocations as one of Relu, which
// are those of its output.
func TestWarmRunsDoNotAllocate(t *testing.T) {
	tiers := backend.All()
	scalar := tiers[len(tiers)-1] // others keep memory in a sync.Pool, which loses some of it under the race detector
	r := rand.New(rand.NewPCG(23, 24))
	b := func(d tensor.DType, s ...int) *tensor.Tensor { return randomBytes(t, r, d, false, s...) }
	f := func(s ...int) *tensor.Tensor {
		v := make([]float32, count(s))
		for i := range v {
			v[i] = 0.5 + r.Float32()
		}
		return of(t, v, s...)
	}
	one, zero := f(1), b(tensor.Uint8, 1)
	cases := []struct {
		domain, op string
		nOut       int
		in         []*tensor.Tensor // all but the first are constants
	}{
		{"", "Relu", 1, []*tensor.Tensor{f(30, 100)}},
		{"", "DynamicQuantizeLinear", 3, []*tensor.Tensor{f(100000)}},
		{"", "QuantizeLinear", 1, []*tensor.Tensor{f(30, 100), one, zero}},
		{"", "DequantizeLinear", 1, []*tensor.Tensor{b(tensor.Uint8, 30, 100), one, zero}},
		{"", "MatMulInteger", 1, []*tensor.Tensor{b(tensor.Int8, 30, 100), b(tensor.Int8, 100, 50), b(tensor.Int8, 1), b(tensor.Int8, 50)}},
		{microsoft, "DynamicQuantizeMatMul", 1, []*tensor.Tensor{f(30, 100), b(tensor.Int8, 100, 50), f(50), b(tensor.Int8, 50), f(50)}},
		{"", "QLinearMatMul", 1, []*tensor.Tensor{b(tensor.Uint8, 30, 100), one, zero, b(tensor.Int8, 100, 50), f(50), b(tensor.Int8, 50), one, zero}},
		{"", "ConvInteger", 1, []*tensor.Tensor{b(tensor.Uint8, 1, 16, 20, 20), b(tensor.Int8, 32, 16, 3, 3), zero, b(tensor.Int8, 32)}},
		{"", "QLinearConv", 1, []*tensor.Tensor{b(tensor.Int8, 1, 16, 20, 20), one, b(tensor.Int8, 1), b(tensor.Int8, 32, 16, 3, 3), f(32), b(tensor.Int8, 32), one, zero}},
		{microsoft, "QLinearAdd", 1, []*tensor.Tensor{b(tensor.Uint8, 30, 100), one, zero, b(tensor.Uint8, 100), one, zero, one, zero}},
		{microsoft, "QLinearSigmoid", 1, []*tensor.Tensor{b(tensor.Uint8, 30, 100), one, zero, one, zero}},
	}
	base := 0.0
	for i, c := range cases {
		var allocs [2]float64
		for k, copies := range []int{1, 11} {
			var types []tensor.DType
			consts, feeds := map[int]*tensor.Tensor{}, map[string]*tensor.Tensor{}
			for i, x := range c.in {
				if types = append(types, x.DType()); i == 0 {
					feeds[fmt.Sprint(i)] = x
				} else {
					consts[i] = x
				}
			}
			e := oneNode(t, scalar, c.domain, c.op, copies, c.nOut, types, consts)
			run := func() {
				if _, err := e.Run(context.Background(), feeds, nil); err != nil {
					t.Fatal(err)
				}
			}
			run()
			allocs[k] = testing.AllocsPerRun(20, run)
		}
		perCopy := (allocs[1] - allocs[0]) / 10
		if i == 0 {
			base = perCopy
		}
		if perCopy > base+0.05 {
			t.Errorf("%s: %.2f allocations a copy, want %.2f", c.op, perCopy, base)
		}
	}
}
