package backend

// PackedF32 is a float32 matrix B[K,N] in the panel layout of one tier's kernel.
type PackedF32 struct {
	K, N int
	data []float32
}

// PackedF32Len is the number of float32 that PackF32Into needs for a [K,N] matrix.
func (k *Kernels) PackedF32Len(K, N int) int { return K * N }

// PackF32 packs B, given as b[i*ldb+j] (row-major [K,N]) or, with trans, as b[j*ldb+i] (row-major [N,K]).
func (k *Kernels) PackF32(b []float32, K, N, ldb int, trans bool) *PackedF32 {
	p := new(PackedF32)
	k.PackF32Into(p, make([]float32, k.PackedF32Len(K, N)), b, K, N, ldb, trans)
	return p
}

// PackF32Into is PackF32 into caller's memory, for matrices that are computed during the run.
func (k *Kernels) PackF32Into(p *PackedF32, dst []float32, b []float32, K, N, ldb int, trans bool) {
	*p = PackedF32{K: K, N: N, data: dst[:K*N]}
	for i := range K {
		for j := range N {
			if trans {
				dst[i*N+j] = b[j*ldb+i]
			} else {
				dst[i*N+j] = b[i*ldb+j]
			}
		}
	}
}

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

	k     *Kernels
	tasks int
}

// Init checks the sizes (a violation panics: it is the caller's bug) and plans the tasks for about that many threads.
func (g *GemmF32) Init(k *Kernels, threads int) {
	g.k, g.tasks = k, g.M
}

// Tasks is the number of independent parts after Init.
func (g *GemmF32) Tasks() int { return g.tasks }

// Do computes the parts lo <= i < hi.
func (g *GemmF32) Do(lo, hi int) {
	for m := lo; m < hi; m++ {
		for n := range g.B.N {
			var acc float32
			for i := range g.B.K {
				acc = fma32(g.A[m*g.LDA+i], g.B.data[i*g.B.N+n], acc)
			}
			if g.Alpha != 0 && g.Alpha != 1 {
				acc *= g.Alpha
			}
			g.C[m*g.LDC+n] = g.Epi.apply(acc, m, n)
		}
	}
}
