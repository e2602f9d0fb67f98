package asm

import (
	"testing"
)

// BenchmarkVector reports the time for an element of a 128 x 384 matrix or of 12 x 128 rows of 128.
func BenchmarkVector(b *testing.B) {
	const n, width = 128 * 384, 384
	x, y, dst := vecValues(n, 1, false), vecValues(n, 2, false), make([]float32, n)
	gamma, mean := vecValues(width, 3, false), make([]float32, n/128)
	q, ints, half := make([]uint8, n), make([]int32, n/128), make([]uint16, n)
	for name, v := range vectorSets() {
		for _, bm := range []struct {
			name string
			f    func()
		}{
			{"exp", func() { v.Unary(UnaryExp, dst, x, 0, 0) }},
			{"gelu", func() { v.Unary(UnaryGelu, dst, x, 0, 0) }},
			{"tanh", func() { v.Unary(UnaryTanh, dst, x, 0, 0) }},
			{"sigmoid", func() { v.Unary(UnarySigmoid, dst, x, 0, 0) }},
			{"gelutanh", func() { v.Unary(UnaryGeluTanh, dst, x, 0, 0) }},
			{"log", func() { v.Unary(UnaryLog, dst, x, 0, 0) }},
			{"relu", func() { v.Unary(UnaryRelu, dst, x, 0, 0) }},
			{"add", func() { v.Binary(BinaryAdd, dst, x, y) }},
			{"sum", func() { v.Sum(x) }},
			{"minmax", func() { v.MinMax(x) }},
			{"softmax128", func() {
				v.Softmax(&Rows{N: 128, Rows: n / 128, Dst: dst, Src: x, DstStep: 128, SrcStep: 128, Scale: 0.125})
			}},
			{"layernorm384", func() {
				v.LayerNorm(&Rows{N: width, Rows: n / width, Dst: dst, Src: x, DstStep: width, SrcStep: width, Gamma: gamma, Beta: gamma, Eps: 1e-5})
			}},
			{"addlayernorm384", func() {
				v.LayerNorm(&Rows{N: width, Rows: n / width, Dst: dst, Src: x, Add: y, Bias: gamma, DstStep: width, SrcStep: width, AddStep: width, Gamma: gamma, Beta: gamma, Eps: 1e-5})
			}},
			{"quantizerows384", func() { v.QuantizeRows(q, width, x, width, width, n/width, mean, ints, ints) }},
			{"quantize", func() { v.QuantizeU8(q, x, 0.1, 128) }},
			{"tohalf", func() { v.FloatToHalf(half, x) }},
		} {
			b.Run(name+"/"+bm.name, func(b *testing.B) {
				for b.Loop() {
					bm.f()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/elem")
			})
		}
	}
}
