package backend

// PackedI8 is an int8 matrix B[K,N] in the panel layout of one tier's kernel, with its column sums.
type PackedI8 struct {
	K, N  int
	Scale []float32 // N, or nil when only integer results are asked for
	Zero  []int32   // N zero points of B, nil when all are 0
	sums  []int32   // per column: the sum of its elements minus K times its zero point
	data  []int8
}

// MaxDepthI8 is the largest K for which the int32 sum of u8 x s8 products cannot overflow.
const MaxDepthI8 = (1<<31 - 1) / (255 * 128)

// PackI8 packs B, given as b[i*ldb+j] (row-major [K,N]) or, with trans, as b[j*ldb+i]. scale and zero may be nil, of
// length 1 or of length N. A uint8 matrix is packed as int8 by the caller's x^0x80 with zero points less 128.
func (k *Kernels) PackI8(b []int8, K, N, ldb int, trans bool, scale []float32, zero []int32) *PackedI8 {
	p := &PackedI8{K: K, N: N, data: make([]int8, K*N), sums: make([]int32, N)}
	if scale != nil {
		p.Scale = make([]float32, N)
		for j := range N {
			p.Scale[j] = scale[min(j, len(scale)-1)]
		}
	}
	for j := range zero {
		if zero[j] != 0 {
			p.Zero = make([]int32, N)
			for n := range N {
				p.Zero[n] = zero[min(n, len(zero)-1)]
			}
			break
		}
	}
	for j := range N {
		for i := range K {
			v := b[i*ldb*b2i(!trans)+j*b2i(!trans)+j*ldb*b2i(trans)+i*b2i(trans)]
			p.data[i*N+j] = v
			p.sums[j] += int32(v)
		}
		if p.Zero != nil {
			p.sums[j] -= int32(K) * p.Zero[j]
		}
	}
	return p
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// StrideU8 is the distance between rows of a quantized A[M,K]: K rounded up for the kernels, which read whole groups.
// The bytes from K to the stride must be zero.
func (k *Kernels) StrideU8(K int) int { return (K + 63) &^ 63 }

// GemmU8S8 is the job of an exact integer product of quantized A (uint8) and packed B (int8):
//
//	acc[m,n] = sum over k of (A[m,k]-ZeroA[m]) * (B[k,n]-B.Zero[n])                     in int32
//	C[m,n]   = epilogue(float32(acc) * (ScaleA[m]*B.Scale[n]))       each step rounded to float32, no FMA
//
// or, with CI set, CI[m,n] = acc. All tiers give the same bits.
type GemmU8S8 struct {
	M       int
	A       []uint8
	LDA     int       // StrideU8(K), or another multiple of 64
	ZeroA   []int32   // one, or one per row
	ScaleA  []float32 // one, or one per row
	RowSumA []int32   // sum over k of A[m,k]; needed only when B.Zero is not nil
	B       *PackedI8
	C       []float32
	LDC     int
	Epi     Epilogue
	CI      []int32 // result in place of C

	k     *Kernels
	tasks int
}

// Init checks the sizes (a violation panics: it is the caller's bug) and plans the tasks for about that many threads.
func (g *GemmU8S8) Init(k *Kernels, threads int) { g.k, g.tasks = k, g.M }

// Tasks is the number of independent parts after Init.
func (g *GemmU8S8) Tasks() int { return g.tasks }

// Do computes the parts lo <= i < hi.
func (g *GemmU8S8) Do(lo, hi int) {
	for m := lo; m < hi; m++ {
		za := g.ZeroA[min(m, len(g.ZeroA)-1)]
		for n := range g.B.N {
			acc := -za * g.B.sums[n]
			for i := range g.B.K {
				acc += int32(g.A[m*g.LDA+i]) * int32(g.B.data[i*g.B.N+n])
			}
			if g.B.Zero != nil {
				acc -= g.B.Zero[n] * g.RowSumA[m]
			}
			if g.CI != nil {
				g.CI[m*g.LDC+n] = acc
				continue
			}
			s := g.ScaleA[min(m, len(g.ScaleA)-1)] * g.B.Scale[n]
			g.C[m*g.LDC+n] = g.Epi.apply(float32(float32(acc)*s), m, n)
		}
	}
}
