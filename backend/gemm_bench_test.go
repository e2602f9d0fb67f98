package backend

import (
	"cmp"
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
// instruction, and for few rows also a loop that only reads the packed B. As clocks drift and hosts are shared, loops and
// products take turns in slices of some tens of microseconds, each part of a product is compared with the loops right
// before and after it, and the result is the median of the quarter of turns in which the loops were fastest;
// -benchtime 1x is enough.
// The loop of u8s8 on the tier avx2 is VPMADDWD and VPADDD: products of clipped weights can exceed it. u8s8flat has
// weights so large throughout that there is no clipped form.
func BenchmarkGemm(b *testing.B) {
	for _, k := range All() {
		for _, kind := range []string{"u8s8", "u8s8flat", "f32", "f16"} {
			if k.Name() == "scalar" || kind == "u8s8flat" && k.u8c8.isa == asm.Scalar {
				continue
			}
			for _, kn := range [][2]int{{384, 384}, {384, 1536}, {1536, 384}, {768, 768}, {768, 3072}, {3072, 768}, {1024, 4096}, {4096, 1024}} {
				for _, m := range []int{1, 2, 3, 4, 8, 9, 12, 16, 32, 48, 64, 100, 128, 256, 512} {
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
	few   bool     // so few rows that reading B takes long
}

func newBench(k *Kernels, kind string, m, n, depth, threads int) *gemmBench {
	r := rand.New(rand.NewPCG(1, 2))
	f := func() float32 { return float32(r.NormFloat64()) }
	c, epi := make([]float32, m*n), Epilogue{Bias: random(n, f)}
	x := &gemmBench{few: m <= 4}
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
	config := asm.TileConfig(32, 32)
	d := asm.PeakKernels[x.peak]
	var next atomic.Int64
	share := func(lo, hi int, do func(thread, i int)) {
		next.Store(int64(lo))
		run(func(thread int) {
			for i := int(next.Add(1)) - 1; i < hi; i = int(next.Add(1)) - 1 {
				do(thread, i)
			}
		})
	}
	const calls, rounds = 8, 500 // of the loop
	peak := func() {
		share(0, calls*threads, func(int, int) { x.peak.Call(&asm.ArgsPeak{N: rounds, Config: &config[0]}) })
	}
	var sums [2][8]uint64
	const call = 1 << 12 // words that a call reads
	read := func() {
		share(0, (len(x.bytes)+call-1)/call, func(thread, i int) {
			part := x.bytes[i*call : min(len(x.bytes), (i+1)*call)]
			x.read.Call(&asm.ArgsRead{Dst: &sums[thread][0], Src: &part[0], N: int64(len(part))})
		})
	}
	clock := func(f func()) float64 {
		t := time.Now()
		f()
		return time.Since(t).Seconds()
	}
	tasks := x.init()
	share(0, tasks, func(_, i int) { x.do(i, i+1) })
	var turns []turn
	before, readBefore := clock(peak), 0.0
	if x.few {
		readBefore = clock(read)
	}
	group := max(1, min(tasks, int(float64(tasks)*30e6/float64(products)))) * threads // parts of a slice
	for stop := time.Now().Add(150 * time.Millisecond); time.Now().Before(stop) || len(turns) < 20; {
		u := turn{slowest: before}
		for lo := 0; lo < tasks; lo += group {
			t := clock(func() {
				if lo == 0 {
					x.init()
				}
				share(lo, min(tasks, lo+group), func(_, i int) { x.do(i, i+1) })
			})
			after := clock(peak)
			u.time, u.loops, u.slowest = u.time+t, u.loops+t/(before+after)*2, max(u.slowest, after)
			before = after
		}
		if x.few {
			readAfter := clock(read)
			u.read = (readBefore + readAfter) / 2 / u.time
			readBefore = readAfter
			before = clock(peak)
		}
		turns = append(turns, u)
	}
	slices.SortFunc(turns, func(a, b turn) int { return cmp.Compare(a.slowest, b.slowest) })
	turns = turns[:max(len(turns)/4, 5)]
	middle := func(of func(u turn) float64) float64 {
		slices.SortFunc(turns, func(a, b turn) int { return cmp.Compare(of(a), of(b)) })
		return of(turns[len(turns)/2])
	}
	time := middle(func(u turn) float64 { return u.time })
	loop := float64(calls * threads * rounds * d.M * d.N)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(2*float64(products)/time/1e9, "GOPS")
	b.ReportMetric(100*float64(products)/loop/middle(func(u turn) float64 { return u.loops }), "%peak")
	if x.few {
		b.ReportMetric(8*float64(len(x.bytes))/time/1e9, "GB/s")
		b.ReportMetric(100*middle(func(u turn) float64 { return u.read }), "%read")
	}
}

// turn is one product between loops.
type turn struct {
	time    float64
	loops   float64 // time in times of the loop
	slowest float64 // of the loops
	read    float64 // time of reading as a share
}
