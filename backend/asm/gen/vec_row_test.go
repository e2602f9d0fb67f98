package main

import (
	"fmt"
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
)

func TestVecRow(t *testing.T) {
	scalar := new(asm.Vector)
	reference := []func(*asm.Rows){scalar.Softmax, scalar.LogSoftmax, scalar.LayerNorm, scalar.RMSNorm, scalar.Sums}
	for i, k := range interpreted(vecRowFamily()) {
		fn := i % len(rowFuncs)
		norm := fn >= 2
		for _, n := range vecLengths()[1:] {
			const rows = 2
			step := n + 1
			c := n * 7 % 32 // which of the optional operands are there
			opt := func(bit int, s []float32) []float32 {
				if c&bit == 0 {
					return nil
				}
				return s
			}
			r := asm.Rows{
				N: n, Rows: rows, Dst: make([]float32, step+n), Src: vecValues(2*n, uint64(n)), DstStep: step, SrcStep: n,
				Add: opt(1, vecValues(step+n, 3)), AddStep: step, Scale: 0.3, Eps: 1e-5,
			}
			for j := range r.Src {
				if n%3 != 0 && !(r.Src[j] < 100 && r.Src[j] > -100) { // special values in one case of three only
					r.Src[j] = float32(j)
				}
			}
			if norm {
				r.Bias, r.Gamma, r.Beta = opt(2, vecValues(n, 4)), opt(4, vecValues(n, 5)), opt(8, vecValues(n, 6))
				r.Sum, r.Mean, r.Inv = opt(16, make([]float32, step+n)), make([]float32, rows), make([]float32, rows)
			}
			w := r
			clone := func(s []float32) []float32 { return append([]float32(nil), s...) }
			w.Dst, w.Sum, w.Mean, w.Inv = clone(r.Dst), clone(r.Sum), clone(r.Mean), clone(r.Inv)
			reference[fn](&w)
			args := map[string]any{
				"N": n, "Rows": rows, "DstStep": 4 * step, "SrcStep": 4 * n, "AddStep": 4 * step, "Scale": r.Scale, "Eps": r.Eps,
				"Count": float32(n),
			}
			buffers := []struct {
				name string
				s    []float32
				out  bool
			}{
				{"Dst", r.Dst, true}, {"Src", r.Src, false}, {"Add", r.Add, false}, {"Bias", r.Bias, false}, {"Sum", r.Sum, true},
				{"Gamma", r.Gamma, false}, {"Beta", r.Beta, false}, {"Mean", r.Mean, true}, {"Inv", r.Inv, true},
			}
			if !norm {
				args["Mean"], args["Inv"] = rw(make([]float32, rows)), rw(make([]float32, rows))
			}
			for _, b := range buffers {
				if b.s != nil {
					args[b.name] = ro(b.s)
					args[b.name].(*buffer).writable = b.out
				}
			}
			run(t, k, args)
			what := fmt.Sprintf("%s, %d elements, operands %#x", k.Name, n, c)
			checkVec(t, what, r.Dst, w.Dst)
			checkVec(t, what+", sum", r.Sum, w.Sum)
			checkVec(t, what+", mean", r.Mean, w.Mean)
			checkVec(t, what+", inv", r.Inv, w.Inv)
		}
	}
}
