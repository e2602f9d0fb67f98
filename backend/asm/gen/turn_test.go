package main

import (
	"bytes"
	"math"
	"testing"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

func TestTurn(t *testing.T) {
	for _, k := range interpreted(turnFamily()) {
		for _, cols := range []int{16, 48} {
			lds, ldd := cols+3, k.M+5
			src := make([]byte, (k.M-1)*lds+cols)
			for i := range src {
				src[i] = byte(i*7 + i>>8 + 1)
			}
			got, want := make([]byte, (cols-1)*ldd+k.M), make([]byte, (cols-1)*ldd+k.M)
			asm.TurnScalar.Call(&asm.ArgsTurn{Dst: &want[0], LDD: int64(ldd), Src: &src[0], LDS: int64(lds), Cols: int64(cols), Rows: int64(k.M), Flip: 0x1a1a1a1a})
			run(t, k, map[string]any{"Dst": rw(got), "LDD": ldd, "Src": ro(src), "LDS": lds, "Cols": cols, "Flip": int32(0x1a1a1a1a)})
			if !bytes.Equal(got, want) {
				t.Fatalf("%s, %d columns: %v, want %v", k.Name, cols, got, want)
			}
		}
	}
}

func TestRequantize(t *testing.T) {
	for i, k := range interpreted(requantizeFamily()) {
		for _, size := range [][2]int{{1, 16}, {3, 48}} {
			rows, cols := size[0], size[1]
			for _, ldd := range []int{cols + 8, 9} { // apart, and each over the end of the one before
				if i%2 == 0 && ldd < cols {
					continue
				}
				src, bias, scale := make([]int32, rows*(cols+1)), make([]int32, cols), make([]float32, max(rows, cols))
				for j := range src {
					if src[j] = int32(j*37%1001 - 500); i%2 == 1 {
						src[j] = int32(math.Float32bits(float32(j*37%1001)/2 - 200))
					}
				}
				for j := range scale {
					scale[j] = 0.03 + float32(j)/16
				}
				for j := range bias {
					bias[j] = int32(j - 20)
				}
				got, want := make([]byte, (rows-1)*ldd+cols), make([]byte, (rows-1)*ldd+cols)
				asm.RequantizeScalar.Call(&asm.ArgsRequantize{Dst: &want[0], LDD: int64(ldd), Src: unsafe.Pointer(&src[0]), LDS: int64(4 * (cols + 1)),
					Scale: &scale[0], Bias: &bias[0], Rows: int64(rows), Cols: int64(cols), F: int64(i % 2), Zero: -7, Low: -128})
				run(t, k, map[string]any{"Dst": rw(got), "LDD": ldd, "Src": ro(src), "LDS": 4 * (cols + 1), "Scale": ro(scale), "Bias": ro(bias),
					"Rows": rows, "Cols": cols, "Zero": int32(-7), "Low": int32(-128)})
				if !bytes.Equal(got, want) {
					t.Fatalf("%s, %v: %v, want %v", k.Name, size, got, want)
				}
			}
		}
	}
}
