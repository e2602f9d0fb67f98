package backend

import "testing"

func TestTurnHalves(t *testing.T) {
	const rows, half, step = 3, 5, 12
	x, cos, sin := make([]float32, rows*step), make([]float32, 2*half), make([]float32, 2*half)
	for i := range x {
		x[i] = float32(i%7) - 3
	}
	for i := range cos {
		cos[i], sin[i] = float32(i)/4, float32(3-i)/4
	}
	for _, k := range All() {
		for _, n := range []int{half, 2 * half} {
			dst := make([]float32, rows*2*half)
			k.TurnHalves(&Turns{Dst: dst, DstStep: 2 * half, X: x, XStep: step, Rows: rows, Half: half, Cos: cos[:n], Sin: sin[:n]})
			for i, v := range dst {
				r, c := i/(2*half), i%(2*half)
				want := x[r*step+c]*cos[c%n] - x[r*step+(c+half)%(2*half)]*sin[c%n]
				if c >= half {
					want = x[r*step+c]*cos[c%n] + x[r*step+c-half]*sin[c%n]
				}
				if v != want {
					t.Errorf("%s: element %d with %d angles is %v, want %v", k.Name(), i, n, v, want)
				}
			}
		}
	}
}
