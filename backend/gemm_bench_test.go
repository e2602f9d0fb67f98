package backend

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// BenchmarkGemm measures products as a share of what the processor can do at most: the register-only loop of the same
// instruction, and for one row also a loop that only reads the packed B. Loops and products are timed in turns, as
// clocks drift and hosts are shared, and each is the tenth percentile of many short samples; -benchtime 1x is enough.
// The loop of u8s8 on the tier avx2 is VPMADDWD and VPADDD: products of clipped weights can exceed it. u8s8flat has
// weights so large throughout that there is no clipped form.
func BenchmarkGemm(b *testing.B) {
	for _, k := range All() {
		for _, kind := range []string{"u8s8", "u8s8flat", "f32", "f16"} {
			if k.Name() == "scalar" || kind == "u8s8flat" && k.u8c8.isa == asm.Scalar {
				continue
			}
			for _, kn := range [][2]int{{384, 384}, {384, 1536}, {1536, 384}, {768, 768}, {768, 3072}, {3072, 768}} {
				for _, m := range []int{1, 8, 32, 128, 512} {
					for threads := 1; threads <= 2; threads++ {
						b.Run(fmt.Sprintf("%s/%s/K%dN%d/M%d/T%d", kind, k.Name(), kn[0], kn[1], m, threads), func(b *testing.B) {
							if threads > runtime.GOMAXPROCS(0) {
								b.Skip("fewer processors")
							}
							newBench(k, kind, m, kn[1], kn[0], threads).report(b, threads, m*kn[0]*kn[1])
						})
					}
				}
			}
		}
	}
}

// gemmBench is a product, and what its time is compared with.
type gemmBench struct {
	init  func() (tasks int)
	do    func(lo, hi int)
	peak  asm.Peak
	read  asm.Read
	bytes []uint64 // packed B
	one   bool     // M is 1
}

func newBench(k *Kernels, kind string, m, n, depth, threads int) *gemmBench {
	r := rand.New(rand.NewPCG(1, 2))
	f := func() float32 { return float32(r.NormFloat64()) }
	c, epi := make([]float32, m*n), Epilogue{Bias: random(n, f)}
	x := &gemmBench{one: m == 1}
	isa := k.f32.isa
	switch kind {
	case "u8s8", "u8s8flat":
		lda := k.StrideU8(depth)
		values := weights(r, depth*n)
		if kind == "u8s8flat" {
			values = random(depth*n, func() int8 { return int8(r.Uint32()) })
		}
		g := &GemmU8S8{M: m, A: random(m*lda, func() uint8 { return uint8(r.Uint32()) }), LDA: lda, ZeroA: make([]int32, m),
			ScaleA: random(m, f), B: k.PackI8(values, depth, n, n, false, random(n, f), nil), C: c, LDC: n, Epi: epi}
		x.init, x.do, x.bytes, isa = func() int { g.Init(k, threads); return g.Tasks() }, g.Do, words(g.B.data), k.u8s8.isa
	case "f32":
		g := &GemmF32{M: m, A: random(m*depth, f), LDA: depth, B: k.PackF32(random(depth*n, f), depth, n, n, false), C: c, LDC: n, Epi: epi}
		x.init, x.do, x.bytes = func() int { g.Init(k, threads); return g.Tasks() }, g.Do, words(g.B.data)
	case "f16":
		g := &GemmF16{M: m, A: random(m*depth, f), LDA: depth, B: k.PackF16(random(depth*n, f), depth, n, n, false), C: c, LDC: n, Epi: epi}
		x.init, x.do, x.bytes = func() int { g.Init(k, threads); return g.Tasks() }, g.Do, words(g.B.data)
	}
	for i, p := range asm.PeakKernels {
		if p.ISA == isa && strings.HasPrefix(kind, "u8s8") == !strings.Contains(p.Name, "FMA") {
			x.peak = asm.Peak(i)
		}
	}
	for i, d := range asm.ReadKernels {
		if d.ISA == k.f32.isa {
			x.read = asm.Read(i)
		}
	}
	return x
}

// words is the memory of s in whole rounds of the reading loop.
func words[T any](s []T) []uint64 {
	n := len(s) * int(unsafe.Sizeof(s[0])) / 512 * 64
	return unsafe.Slice((*uint64)(unsafe.Pointer(&s[0])), n)
}

// team runs f on goroutines that spin between calls, so that waking up is not measured.
func team(threads int) (run func(f func(i int)), end func()) {
	var work atomic.Pointer[func(i int)]
	var busy atomic.Int32
	var stop atomic.Bool
	for i := 1; i < threads; i++ {
		go func() {
			for !stop.Load() {
				if f := work.Swap(nil); f != nil { // of two goroutines there is one other
					(*f)(i)
					busy.Add(-1)
				}
			}
		}()
	}
	run = func(f func(i int)) {
		if threads > 1 {
			busy.Store(1)
			work.Store(&f)
		}
		f(0)
		for busy.Load() > 0 {
		}
	}
	return run, func() { stop.Store(true) }
}

// report times the loops and the product in turns.
func (x *gemmBench) report(b *testing.B, threads, products int) {
	run, end := team(threads)
	defer end()
	const rounds = 2000
	config := asm.TileConfig(32, 32)
	var next atomic.Int64
	product := func() {
		tasks := x.init()
		next.Store(0)
		run(func(int) {
			for i := int(next.Add(1)) - 1; i < tasks; i = int(next.Add(1)) - 1 {
				x.do(i, i+1)
			}
		})
	}
	peak := func() { run(func(int) { x.peak.Call(&asm.ArgsPeak{N: rounds, Config: &config[0]}) }) }
	var sums [2][8]uint64
	read := func() {
		run(func(i int) {
			part := x.bytes[len(x.bytes)/64*i/threads*64 : len(x.bytes)/64*(i+1)/threads*64]
			const call = 1 << 16 // a kernel must not take long
			for ; len(part) > 0; part = part[min(call, len(part)):] {
				x.read.Call(&asm.ArgsRead{Dst: &sums[i][0], Src: &part[0], N: int64(min(call, len(part)))})
			}
		})
	}
	var runs, peaks, reads []float64
	clock := func(times *[]float64, f func()) {
		t := time.Now()
		f()
		*times = append(*times, time.Since(t).Seconds())
	}
	product()
	for stop := time.Now().Add(60 * time.Millisecond); time.Now().Before(stop) || len(peaks) < 20; {
		clock(&peaks, peak)
		for range 4 {
			if x.one {
				clock(&reads, read)
			}
			clock(&runs, product)
		}
	}
	d, p10 := asm.PeakKernels[x.peak], tenth(runs)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(2*float64(products)/p10/1e9, "GOPS")
	b.ReportMetric(100*float64(products)/p10/(float64(threads*rounds*d.M*d.N)/tenth(peaks)), "%peak")
	if x.one {
		b.ReportMetric(8*float64(len(x.bytes))/p10/1e9, "GB/s")
		b.ReportMetric(100*tenth(reads)/p10, "%read")
	}
}

// tenth is the tenth percentile.
func tenth(times []float64) float64 {
	slices.Sort(times)
	return times[len(times)/10]
}
