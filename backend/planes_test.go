package backend

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestPlanes compares depthwise convolution and pooling of planes with sums in float64, and the tiers with each other.
func TestPlanes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, g := range []Planes{
		{InH: 9, InW: 40, OutH: 9, OutW: 40, KH: 3, KW: 3, Stride: 1, Top: 1, Left: 1},
		{InH: 70, InW: 5, OutH: 70, OutW: 5, KH: 3, KW: 3, Stride: 1, Top: 1, Left: 1},
		{InH: 11, InW: 67, OutH: 6, OutW: 34, KH: 3, KW: 3, Stride: 2, Top: 1, Left: 1},
		{InH: 8, InW: 8, OutH: 4, OutW: 4, KH: 3, KW: 3, Stride: 2, Top: 0, Left: 0},
		{InH: 7, InW: 7, OutH: 7, OutW: 7, KH: 5, KW: 5, Stride: 1, Top: 2, Left: 2},
		{InH: 14, InW: 50, OutH: 7, OutW: 25, KH: 5, KW: 5, Stride: 2, Top: 2, Left: 2},
		{InH: 6, InW: 66, OutH: 3, OutW: 33, KH: 2, KW: 2, Stride: 2},
	} {
		t.Run(fmt.Sprint(g), func(t *testing.T) {
			const n = 3
			x, w, bias := make([]float32, n*g.InH*g.InW), make([]float32, n*g.KH*g.KW), []float32{1, -2, 0.5}
			for i := range x {
				x[i] = float32(r.NormFloat64())
			}
			for i := range w {
				w[i] = float32(r.NormFloat64())
			}
			want := func(f func(p int, acc float64, tap int, x float64) float64, start, outside float64, end func(p int, acc float64) float64) []float64 {
				y := make([]float64, 0, n*g.OutH*g.OutW)
				for p := range n {
					for i := range g.OutH * g.OutW {
						acc := start
						for tap := range g.KH * g.KW {
							row, col := i/g.OutW*g.Stride-g.Top+tap/g.KW, i%g.OutW*g.Stride-g.Left+tap%g.KW
							v := outside
							if row >= 0 && row < g.InH && col >= 0 && col < g.InW {
								v = float64(x[(p*g.InH+row)*g.InW+col])
							}
							acc = f(p, acc, tap, v)
						}
						y = append(y, end(p, acc))
					}
				}
				return y
			}
			check := func(name string, run func(k *Kernels, p *PlanesKernel, g Planes, c []float32) bool, want []float64, g Planes) {
				var first []float32
				for _, k := range All() {
					var p PlanesKernel
					c := make([]float32, len(want))
					if !run(k, &p, g, c) {
						continue
					}
					for i, v := range c {
						if math.Abs(float64(v)-want[i]) > 1e-5*(1+math.Abs(want[i])) {
							t.Fatalf("%s, %s: element %d is %v, want %v", name, k.Name(), i, v, want[i])
						}
						if first != nil && first[i] != v {
							t.Fatalf("%s, %s: element %d is %v, on another tier %v", name, k.Name(), i, v, first[i])
						}
					}
					first = c
				}
			}
			check("depthwise", func(k *Kernels, p *PlanesKernel, g Planes, c []float32) bool {
				if !p.Depthwise(k, g) {
					return false
				}
				p.Run(n, c, x, w, bias, ActRelu, 0, 0)
				return true
			}, want(func(p int, acc float64, tap int, x float64) float64 { return acc + float64(w[p*g.KH*g.KW+tap])*x }, 0, 0,
				func(p int, acc float64) float64 { return max(0, acc+float64(bias[p])) }), g)
			pool := func(k *Kernels, p *PlanesKernel, g Planes, c []float32) bool {
				if !p.Pool(k, g) {
					return false
				}
				p.Run(n, c, x, nil, nil, ActNone, 0, 0)
				return true
			}
			end := func(_ int, acc float64) float64 { return acc }
			check("sum", pool, want(func(_ int, acc float64, _ int, x float64) float64 { return acc + x }, 0, 0, end), g)
			m := g
			m.Max = true
			check("maximum", pool, want(func(_ int, acc float64, _ int, x float64) float64 { return max(acc, x) }, math.Inf(-1), math.Inf(-1), end), m)
		})
	}
}
