package backend

import (
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// GemmF32 is the job C[M,N] = epilogue(alpha * A[M,K] * B[K,N]). Every result is one accumulator over ascending k with
// a fused multiply-add per step, times Alpha (not applied when 1), so its bits do not depend on tile, tier or threads.
// A's rows are LDA apart; C's LDC.
type GemmF32 struct {
	M     int
	A     []float32
	LDA   int
	B     *PackedF32
	C     []float32
	LDC   int
	Alpha float32 // 0 means 1
	Epi   Epilogue

	k    *Kernels
	plan plan
}

// Init checks the sizes (a violation panics: it is the caller's bug) and plans the tasks for about that many threads.
func (g *GemmF32) Init(k *Kernels, threads int) {
	g.k = k
	g.plan = k.f32.plan(g.M, g.B.N, g.B.K, 4, threads)
	if g.plan.tasks() > 0 {
		needTier(g.B.layout.isa, k.f32.isa)
		j := g.job()
		j.check()
	}
}

// Tasks is the number of independent parts after Init.
func (g *GemmF32) Tasks() int { return g.plan.tasks() }

// Do computes the parts lo <= i < hi.
func (g *GemmF32) Do(lo, hi int) {
	j := g.job()
	for i := lo; i < hi; i++ {
		j.task(i, g.B, nil)
	}
}

func (g *GemmF32) job() floatJob {
	return floatJob{k: g.k, l: &g.k.f32, plan: &g.plan, a: g.A, lda: g.LDA, c: g.C, ldc: g.LDC, alpha: g.Alpha, epi: &g.Epi}
}

// floatJob is a product of float32 by float32 or float16.
type floatJob struct {
	k        *Kernels
	l        *layout
	plan     *plan
	a, c     []float32
	lda, ldc int
	alpha    float32
	epi      *Epilogue
	wide     []float32 // memory for one panel, when B is float16 and widened first
}

func (j *floatJob) check() {
	m, n, k := j.plan.m, j.plan.n, j.plan.k
	need(j.lda >= k && len(j.a) >= extent(m, k, j.lda), "A", len(j.a), extent(m, k, j.lda))
	need(j.ldc >= n && len(j.c) >= extent(m, n, j.ldc), "result", len(j.c), extent(m, n, j.ldc))
	j.epi.check(m, n)
}

// task computes a block of rows by a group of panels of b, or of half when b is nil.
//
//go:noinline
func (j *floatJob) task(i int, b *PackedF32, half *PackedF16) {
	l, p := j.l, j.plan
	row0, row1 := p.rows(i/p.groups, l.mr)
	p0, p1 := p.group(i % p.groups)
	l.sweep(p, row0, row1, p0, p1, func(c part) {
		args := asm.ArgsGemm{
			A: address(j.a, c.row*j.lda), LDA: int64(4 * j.lda), K: int64(p.k),
			C: unsafe.Pointer(&j.c[c.row*j.ldc+c.col]), LDC: int64(4 * j.ldc),
			Tiles: int64(c.tiles), Panels: int64(c.panels), Cols: int64(c.cols), Alpha: j.alpha,
		}
		if j.alpha != 0 && j.alpha != 1 {
			args.Flags = asm.GemmAlpha
		}
		j.epi.set(&args, c.row, c.col)
		switch {
		case b != nil:
			b.set(&args, c)
			asm.GemmF32(c.tile).Call(&args)
		case j.wide != nil:
			j.widened(half, c, args)
		default:
			half.set(&args, c)
			asm.GemmF16(c.tile).Call(&args)
		}
	})
	col0, col1 := l.span(p0, p1, p.n)
	j.epi.finish(j.k, j.c, j.ldc, row0, row1, col0, col1)
}
