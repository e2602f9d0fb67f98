package main

import (
	"fmt"
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// checkVec fails the test unless the results are the same.
func checkVec(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if !sameBits(got[i], want[i]) {
			t.Fatalf("%s: element %d of %d is %g, want %g", what, i, len(want), got[i], want[i])
		}
	}
}

func TestVecBinary(t *testing.T) {
	scalar := new(asm.Vector)
	per := 3*len(binaryFuncs) + 1
	for i, k := range interpreted(vecBinaryFamily()) {
		f, form := asm.Binary(i%per/3), i%per%3
		for _, n := range vecLengths() {
			a, b := vecValues(n, uint64(n)), vecValues(n, uint64(n)+1000)
			want, got := make([]float32, n), make([]float32, n)
			args := map[string]any{"Dst": rw(got), "A": ro(a), "B": ro(b), "N": n}
			switch {
			case i%per == per-1:
				args["B"] = ro([]float32{1.1})
				copy(want, b)
				copy(got, b)
				scalar.Axpy(want, a, 1.1)
			case form == 0:
				scalar.Binary(f, want, a, b)
			case form == 1:
				args["B"] = ro([]float32{1.7})
				scalar.BinaryVS(f, want, a, 1.7)
			case form == 2:
				args["A"] = ro([]float32{1.7})
				scalar.BinarySV(f, want, 1.7, b)
			}
			run(t, k, args)
			checkVec(t, k.Name, got, want)
		}
	}
}

func TestVecReduce(t *testing.T) {
	for i, k := range interpreted(vecReduceFamily()) {
		name := reduceFuncs[i%len(reduceFuncs)]
		for _, n := range vecLengths() {
			for seed := range uint64(2) {
				a, b := vecValues(n, seed+uint64(n)), vecValues(n, seed+1000)
				want, got := vecValues(32, 7), vecValues(32, 7)
				for j := range got {
					if got[j] != got[j] {
						got[j], want[j] = 1, 1
					}
				}
				args := map[string]any{"A": ro(a), "B": ro(b), "Acc": rw(got), "N": n}
				run(t, k, args)
				ref := asm.ArgsVecReduce{F: int64(i % len(reduceFuncs)), N: int64(n), Acc: &want[0]}
				if n > 0 {
					ref.A, ref.B = &a[0], &b[0]
				}
				asm.VecReduceScalar.Call(&ref)
				if name == "MinMax" && ref.Flag != 0 {
					continue // the lanes are void
				}
				checkVec(t, fmt.Sprintf("%s, %d elements", k.Name, n), got, want)
			}
		}
	}
}
