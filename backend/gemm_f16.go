package backend

import (
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// GemmF16 is GemmF32 with float16 weights, widened exactly when read: same order of operations, same bits as GemmF32
// over the widened matrix.
type GemmF16 struct {
	M     int
	A     []float32
	LDA   int
	B     *PackedF16
	C     []float32
	LDC   int
	Alpha float32 // 0 means 1
	Epi   Epilogue

	k    *Kernels
	plan plan
}

// Init checks the sizes (a violation panics: it is the caller's bug) and plans the tasks for about that many threads.
func (g *GemmF16) Init(k *Kernels, threads int) {
	g.k = k
	g.plan = k.f16.plan(g.M, g.B.N, g.B.K, 2, threads)
	if g.plan.tasks() > 0 {
		needTier(g.B.layout.isa, k.f16.isa)
		j := g.job()
		j.check()
	}
}

// Tasks is the number of independent parts after Init.
func (g *GemmF16) Tasks() int { return g.plan.tasks() }

// Do computes the parts lo <= i < hi.
func (g *GemmF16) Do(lo, hi int) {
	j := g.job()
	if g.M >= widenRows {
		wide := g.k.floats.Get().(*[]float32)
		if n := g.B.K * j.l.nv * j.l.vec; cap(*wide) < n {
			*wide = aligned[float32](n)
		}
		j.wide = (*wide)[:cap(*wide)]
		defer g.k.floats.Put(wide)
	}
	for i := lo; i < hi; i++ {
		j.task(i, nil, g.B)
	}
}

// widenRows is the number of rows from which on it is quicker to widen a panel to float32 once than for each tile.
const widenRows = 40

// widened computes a part by panels of float32.
func (j *floatJob) widened(half *PackedF16, c part, args asm.ArgsGemm) {
	w := c.nv * j.l.vec
	n := w * half.K
	tile := asm.GemmF32(j.k.f32.tiles[c.height][c.nv])
	b := PackedF32{K: half.K, layout: j.l, data: j.wide}
	for i := range c.panels {
		j.k.HalfToFloat(j.wide[:n], half.data[c.col*half.K+i*n:][:n])
		a := args
		b.set(&a, part{nv: c.nv})
		a.Panels, a.Cols = 1, min(int64(w), args.Cols-int64(i*w))
		a.C = unsafe.Add(args.C, 4*i*w)
		if args.Bias != nil {
			a.Bias = (*float32)(unsafe.Add(unsafe.Pointer(args.Bias), 4*i*w))
		}
		if args.Residual != nil {
			a.Residual = (*float32)(unsafe.Add(unsafe.Pointer(args.Residual), 4*i*w))
		}
		tile.Call(&a)
	}
}

func (g *GemmF16) job() floatJob {
	return floatJob{k: g.k, l: &g.k.f16, plan: &g.plan, a: g.A, lda: g.LDA, c: g.C, ldc: g.LDC, alpha: g.Alpha, epi: &g.Epi}
}
