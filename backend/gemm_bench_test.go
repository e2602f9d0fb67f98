package backend

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// BenchmarkGemm measures products on one thread, as a share of what the processor can do at most: the register-only
// loop of the same instruction, timed in the same rounds, as clocks drift and hosts are shared. Both are the tenth
// percentile of many short samples; -benchtime 1x is enough.
func BenchmarkGemm(b *testing.B) {
	for _, k := range All() {
		for _, kind := range []string{"u8s8", "u8s8flat", "f32", "f16"} {
			for _, kn := range [][2]int{{384, 384}, {384, 1536}, {1536, 384}, {768, 3072}} {
				for _, m := range []int{1, 8, 32, 128} {
					if k.Name() == "scalar" || kind == "u8s8flat" && k.u8c8.isa == asm.Scalar {
						continue
					}
					b.Run(fmt.Sprintf("%s/%s/K%dN%d/M%d", kind, k.Name(), kn[0], kn[1], m), func(b *testing.B) {
						benchGemm(b, k, kind, m, kn[1], kn[0])
					})
				}
			}
		}
	}
}

// benchJob makes the product and returns its run, its instruction set and the bytes of B.
func benchJob(k *Kernels, kind string, m, n, depth int) (run func(), isa asm.ISA, bytes int) {
	r := rand.New(rand.NewPCG(1, 2))
	f := func() float32 { return float32(r.NormFloat64()) }
	c, epi := make([]float32, m*n), Epilogue{Bias: random(n, f)}
	switch kind {
	case "u8s8", "u8s8flat": // weights as of a trained layer, and so large throughout that they have no clipped form
		lda := k.StrideU8(depth)
		values := weights(r, depth*n)
		if kind == "u8s8flat" {
			values = random(depth*n, func() int8 { return int8(r.Uint32()) })
		}
		b := k.PackI8(values, depth, n, n, false, random(n, f), nil)
		g := &GemmU8S8{M: m, A: random(m*lda, func() uint8 { return uint8(r.Uint32()) }), LDA: lda, ZeroA: make([]int32, m),
			ScaleA: random(m, f), B: b, C: c, LDC: n, Epi: epi}
		return func() { g.Init(k, 1); g.Do(0, g.Tasks()) }, k.u8s8.isa, depth * n
	case "f32":
		g := &GemmF32{M: m, A: random(m*depth, f), LDA: depth, B: k.PackF32(random(depth*n, f), depth, n, n, false), C: c, LDC: n, Epi: epi}
		return func() { g.Init(k, 1); g.Do(0, g.Tasks()) }, k.f32.isa, 4 * depth * n
	}
	g := &GemmF16{M: m, A: random(m*depth, f), LDA: depth, B: k.PackF16(random(depth*n, f), depth, n, n, false), C: c, LDC: n, Epi: epi}
	return func() { g.Init(k, 1); g.Do(0, g.Tasks()) }, k.f16.isa, 2 * depth * n
}

func benchGemm(b *testing.B, k *Kernels, kind string, m, n, depth int) {
	run, isa, bytes := benchJob(k, kind, m, n, depth)
	peak := asm.PeakScalar
	for i, p := range asm.PeakKernels {
		if p.ISA == isa && strings.HasPrefix(kind, "u8s8") == !strings.Contains(p.Name, "FMA") {
			peak = asm.Peak(i)
		}
	}
	var runs, peaks []time.Duration
	const rounds = 2000
	config := asm.TileConfig(32, 32)
	run()
	for stop := time.Now().Add(60 * time.Millisecond); time.Now().Before(stop); {
		t := time.Now()
		peak.Call(&asm.ArgsPeak{N: rounds, Config: &config[0]})
		peaks = append(peaks, time.Since(t))
		for range 4 {
			t = time.Now()
			run()
			runs = append(runs, time.Since(t))
		}
	}
	slices.Sort(runs)
	slices.Sort(peaks)
	d, p10 := asm.PeakKernels[peak], runs[len(runs)/10].Seconds()
	rate, top := float64(m*n*depth)/p10, float64(rounds*d.M*d.N)/peaks[len(peaks)/10].Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(2*rate/1e9, "GOPS")
	b.ReportMetric(100*rate/top, "%peak")
	if m == 1 {
		b.ReportMetric(float64(bytes)/p10/1e9, "GB/s")
	}
}
