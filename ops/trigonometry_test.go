package ops

import (
	"math"
	"testing"
)

func TestSinCos32(t *testing.T) {
	var xs []float32
	for i := range 200000 {
		xs = append(xs, float32(i)*0.731-70000, math.Float32frombits(uint32(i)*21474+1), -math.Float32frombits(uint32(i)*9001+7))
	}
	nan := float32(math.NaN())
	xs = append(xs, 0, float32(math.Copysign(0, -1)), math.Pi, math.Pi/2, -math.Pi/4, turnLimit, -turnLimit, 1e30, float32(math.Inf(1)), nan)
	for name, f := range map[string]struct {
		got  func(float32) float32
		want func(float64) float64
	}{"sin": {sin32, math.Sin}, "cos": {cos32, math.Cos}} {
		far := 0
		for _, x := range xs {
			got, exact := f.got(x), f.want(float64(x))
			want := float32(exact)
			switch {
			case math.Float32bits(got) == math.Float32bits(want) || got != got && want != want:
			case math.Nextafter32(got, want) == want:
				far++
			default:
				t.Fatalf("%s of %g is %g, want %g", name, x, got, want)
			}
		}
		if far > len(xs)/100000 {
			t.Errorf("%s: %d of %d are not the nearest", name, far, len(xs))
		}
	}
}
