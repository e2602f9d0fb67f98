package backend

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestWinograd compares convolutions with sums in float64, and tiers and numbers of blocks with each other.
func TestWinograd(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, g := range []WinogradConv{
		{InH: 14, InW: 14, OutH: 14, OutW: 14, Top: 1, Left: 1},
		{InH: 30, InW: 37, OutH: 28, OutW: 35},
		{InH: 9, InW: 70, OutH: 10, OutW: 71, Top: 2, Left: 1},
		{InH: 3, InW: 5, OutH: 3, OutW: 5, Top: 1, Left: 1},
		{InH: 6, InW: 3, OutH: 6, OutW: 3, Top: 1, Left: 1}, // narrower than a vector
	} {
		for _, size := range [][2]int{{1, 1}, {9, 16}, {70, 3}} {
			m, c := size[0], size[1]
			t.Run(fmt.Sprint(g.OutH, g.OutW, size), func(t *testing.T) {
				x, w, bias := make([]float32, c*g.InH*g.InW), make([]float32, 9*m*c), make([]float32, m)
				for _, s := range [][]float32{x, w, bias} {
					for i := range s {
						s[i] = float32(r.NormFloat64())
					}
				}
				want := make([]float64, m*g.OutH*g.OutW)
				for i := range want {
					ch, y0, x0 := i/(g.OutH*g.OutW), i/g.OutW%g.OutH, i%g.OutW
					sum := float64(bias[ch])
					for k := range 9 * c {
						y, col := y0+k/3%3-g.Top, x0+k%3-g.Left
						if y >= 0 && y < g.InH && col >= 0 && col < g.InW {
							sum += float64(w[ch*9*c+k]) * float64(x[(k/9*g.InH+y)*g.InW+col])
						}
					}
					want[i] = max(sum, 0)
				}
				var first []float32
				for _, k := range All() {
					for _, threads := range []int{1, 3} {
						job := g
						job.W, job.Bias, job.Act = PackWinograd(w, m, c), bias, ActRelu
						job.Init(k, threads)
						padded, scratch, out := make([]float32, job.PaddedLen(c)), make([]float32, job.ScratchLen()), make([]float32, len(want))
						for i := range padded {
							padded[i] = float32(math.NaN()) // what is not written must not matter
						}
						job.Pad(padded, x, c)
						for i := range job.Blocks() {
							job.Block(i, out, padded, scratch)
						}
						for i, v := range out {
							if !(math.Abs(float64(v)-want[i]) < 1e-4*(1+math.Abs(want[i]))) {
								t.Fatalf("%s: element %d is %v, want %v", k.Name(), i, v, want[i])
							}
							if first != nil && first[i] != v {
								t.Fatalf("%s, %d threads: element %d is %v, before %v", k.Name(), threads, i, v, first[i])
							}
						}
						first = out
					}
				}
			})
		}
	}
}
