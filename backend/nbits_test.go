package backend

import (
	"math"
	"testing"
)

func TestDotNBits(t *testing.T) {
	const rows, blocks, chunks, n = 3, 2, 1, 50
	w := &NBitsRows{Codes: make([]uint8, rows*blocks*chunks*16), Scale: make([]float32, rows*blocks), Zero: []float32{8}, Blocks: blocks, Chunks: chunks}
	for i := range w.Codes {
		w.Codes[i] = uint8(i*57 + 3)
	}
	for i := range w.Scale {
		w.Scale[i] = float32(i+1) / 8
	}
	x, a := make([]float32, n), make([]float32, blocks*chunks*32)
	for i := range x {
		x[i] = float32(i%7) - 2.5
	}
	for i := range a {
		a[i] = 99
	}
	NBitsVector(a, x)
	for r := range rows {
		want := 0.0
		for i, v := range x {
			c := w.Codes[r*32+i/2] >> (i % 2 * 4) & 15
			want += (float64(c) - 8) * float64(w.Scale[r*blocks+i/32]) * float64(v)
		}
		for _, k := range All() {
			if got := k.DotNBits(w, r, a); math.Abs(float64(got)-want) > 1e-4 {
				t.Errorf("%s: row %d is %v, want %v", k.Name(), r, got, want)
			}
			wide, sum := make([]float32, len(a)), 0.0
			k.WidenNBits(wide, w, r)
			for i, v := range wide {
				sum += float64(v) * float64(a[i])
			}
			if math.Abs(sum-want) > 1e-4 {
				t.Errorf("%s: row %d times the vector is %v, want %v", k.Name(), r, sum, want)
			}
		}
	}
}
