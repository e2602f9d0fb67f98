package backend

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
	for i := lo; i < hi; i++ {
		j.task(i, nil, g.B)
	}
}

func (g *GemmF16) job() floatJob {
	return floatJob{k: g.k, l: &g.k.f16, plan: &g.plan, a: g.A, lda: g.LDA, c: g.C, ldc: g.LDC, alpha: g.Alpha, epi: &g.Epi}
}
