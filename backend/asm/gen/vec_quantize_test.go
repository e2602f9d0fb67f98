package main

import (
	"bytes"
	"fmt"
	"testing"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

func TestVecQuantize(t *testing.T) {
	for _, k := range interpreted(vecQuantizeFamily()) {
		for _, n := range vecLengths()[1:] {
			const rows = 2
			step := (n+15)&^15 + n%3*16
			src := vecValues(rows*n, uint64(n))
			for i := range src {
				switch {
				case n%5 == 0 && i < n:
					src[i] = 0
				case n%4 != 0 && !(src[i] < 1e6 && src[i] > -1e6):
					src[i] = float32(i)
				}
			}
			q, scale, zero, sum := make([]uint8, rows*step), make([]float32, rows), make([]int32, rows), make([]int32, rows)
			for i := range q {
				q[i] = 99
			}
			q0, scale0, zero0, sum0 := make([]uint8, rows*step), make([]float32, rows), make([]int32, rows), make([]int32, rows)
			new(asm.Vector).QuantizeRows(q0, step, src, n, n, rows, scale0, zero0, sum0)
			run(t, k, map[string]any{
				"Dst": rw(q), "Src": ro(src), "N": n, "Rows": rows, "DstStep": step, "SrcStep": 4 * n, "Scale": rw(scale), "Zero": rw(zero), "Sum": rw(sum),
			})
			what := fmt.Sprintf("%s, %d elements", k.Name, n)
			checkVec(t, what, scale, scale0)
			if fmt.Sprint(zero, sum) != fmt.Sprint(zero0, sum0) || !bytes.Equal(q, q0) {
				t.Fatalf("%s: zero points %v, sums %v, want %v, %v; bytes %v, want %v", what, zero, sum, zero0, sum0, q, q0)
			}
		}
	}
}

func TestVecConvert(t *testing.T) {
	for i, k := range interpreted(vecConvertFamily()) {
		fn := convertFuncs[i%len(convertFuncs)]
		for _, n := range []int{16, 32, 80} {
			src := bytesOf(vecValues(n, uint64(n)))[:n*fn.from]
			if fn.from < 4 {
				for j := range src {
					src[j] = byte(j * 37)
				}
			}
			got, want := make([]byte, n*fn.to), make([]byte, n*fn.to)
			run(t, k, map[string]any{"Dst": rw(got), "Src": ro(src), "N": n, "Scale": float32(0.031), "Zero": int32(77), "Bias": int32(-70), "Low": int32(0)})
			ref := asm.ArgsVecConvert{F: int64(i % len(convertFuncs)), N: int64(n), Scale: 0.031, Zero: 77, Bias: -70}
			ref.Dst, ref.Src = unsafe.Pointer(&want[0]), unsafe.Pointer(&src[0])
			asm.VecConvertScalar.Call(&ref)
			if fn.to >= 4 {
				checkVec(t, k.Name, unsafe.Slice((*float32)(unsafe.Pointer(&got[0])), n*fn.to/4), unsafe.Slice((*float32)(unsafe.Pointer(&want[0])), n*fn.to/4))
			} else if !bytes.Equal(got, want) {
				t.Fatalf("%s: %v, want %v", k.Name, got, want)
			}
		}
	}
}
