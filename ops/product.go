package ops

import (
	"sync/atomic"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
)

// blockBytes bounds the packed block of a matrix that is packed while running, so that it stays in the second-level
// cache; blockCols is what block widths are multiples of: a whole number of panels on every tier.
const (
	blockBytes = 256 << 10
	blockCols  = 48
)

// blockWidth is the number of columns of B[k,n] that are packed and multiplied at a time.
func blockWidth(k, n int) int {
	w := max(blockBytes/4/max(k, 1)/blockCols*blockCols, blockCols)
	return min(w, (n+blockCols-1)/blockCols*blockCols)
}

// product is the job of batches matrix products C = epilogue(alpha*A*B) whose B is not constant. Its parts are blocks
// of columns: whoever takes one packs it into memory of its own and multiplies. Every element is one GEMM accumulator,
// so its bits depend neither on the blocks nor on the goroutines. Start it with c.For(slots, 1, j).
type product struct {
	k          *backend.Kernels
	batches    int
	m, kk, n   int
	a, b, c    []float32
	lda, ldb   int
	ldc        int
	transB     bool
	offA, offB []int // per batch: first element in a and b
	sizeC      int   // distance of the results of two batches
	alpha      float32
	epi        backend.Epilogue
	rowBias    []float32 // bias per row, groups*m of them: batch i has group i%groups
	groups     int
	late       fusedActivation     // applied after the epilogue
	inPlace    backend.ConvOffsets // of the rows of b, when it is read where it lies; else empty

	width, cols int
	next        atomic.Int64
	slots       []productSlot
	scratch     []float32
	blockLen    int
}

// productSlot is what one goroutine works with.
type productSlot struct {
	gemm   backend.GemmF32
	conv   backend.ConvF32
	packed backend.PackedF32
}

// run computes the product on the run's goroutines.
func (j *product) run(c *graph.RunCtx) error {
	if j.batches == 0 || j.m == 0 || j.n == 0 {
		return nil
	}
	j.width = blockWidth(j.kk, j.n)
	threads := c.Threads()
	if share := (j.batches*j.n + 2*threads - 1) / (2 * threads); threads > 1 && share < j.width {
		j.width = max((share+blockCols-1)/blockCols*blockCols, blockCols)
	}
	j.cols = (j.n + j.width - 1) / j.width
	threads = min(threads, j.batches*j.cols)
	if cap(j.slots) < threads {
		j.slots = make([]productSlot, threads)
	}
	j.slots = j.slots[:threads]
	j.blockLen = (j.k.PackedF32Len(j.kk, j.width) + 15) &^ 15
	j.scratch = floatScratch(c, j.blockLen*threads)
	j.next.Store(0)
	err := c.For(threads, 1, j)
	clear(j.slots)
	j.a, j.b, j.c, j.scratch, j.epi, j.rowBias = nil, nil, nil, nil, backend.Epilogue{}, nil
	return err
}

// Do lets slots lo to hi take blocks until none is left.
func (j *product) Do(lo, hi int) {
	for w := lo; w < hi; w++ {
		for {
			u := int(j.next.Add(1)) - 1
			if u >= j.batches*j.cols {
				break
			}
			j.block(&j.slots[w], j.scratch[w*j.blockLen:(w+1)*j.blockLen], u/j.cols, u%j.cols*j.width)
		}
	}
}

func (j *product) block(s *productSlot, dst []float32, batch, col int) {
	n, at := min(j.width, j.n-col), batch*j.sizeC+col
	epi := j.epi
	if j.epi.Bias != nil {
		epi.Bias = j.epi.Bias[col : col+n]
	}
	if j.epi.Residual != nil {
		epi.Residual = j.epi.Residual[at:]
	}
	if j.rowBias != nil {
		first := batch % j.groups * j.m
		epi.BiasRow = j.rowBias[first : first+j.m]
	}
	a, c := j.a[j.offA[batch]:], j.c[at:]
	if j.inPlace.Len() > 0 {
		s.conv = backend.ConvF32{M: j.m, N: n, A: a, LDA: j.lda, X: j.b[j.offB[batch]+col:], Offsets: &j.inPlace, C: c, LDC: j.ldc, Epi: epi}
		s.conv.Run(j.k)
	} else {
		j.pack(&s.packed, dst, batch, col, n)
		s.gemm = backend.GemmF32{M: j.m, A: a, LDA: j.lda, B: &s.packed, C: c, LDC: j.ldc, Alpha: j.alpha, Epi: epi}
		s.gemm.Init(j.k, 1)
		s.gemm.Do(0, s.gemm.Tasks())
	}
	if f, ok := j.late.unary(); ok {
		for i := range j.m {
			row := j.c[at+i*j.ldc : at+i*j.ldc+n]
			j.k.Unary(f, row, row, j.late.p0, j.late.p1)
		}
	}
}

// pack packs n columns of a batch's B.
func (j *product) pack(p *backend.PackedF32, dst []float32, batch, col, n int) {
	switch {
	case j.kk == 0:
		j.k.PackF32Into(p, dst, nil, 0, n, n, false)
	case j.transB:
		j.k.PackF32Into(p, dst, j.b[j.offB[batch]+col*j.ldb:], j.kk, n, j.ldb, true)
	default:
		j.k.BindF32Into(p, dst, j.b[j.offB[batch]+col:], j.kk, n, j.ldb, false, j.m)
	}
}
