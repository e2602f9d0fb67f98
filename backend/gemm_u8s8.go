package backend

import (
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

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
	ZeroA   []int32   // one, or one per row, each 0 to 255
	ScaleA  []float32 // one, or one per row
	RowSumA []int32   // sum over k of A[m,k]; needed only when B.Zero is not nil
	B       *PackedI8
	C       []float32
	LDC     int
	Epi     Epilogue
	CI      []int32 // result in place of C

	k    *Kernels
	plan plan
}

// StrideU8 is the distance between rows of a quantized A[M,K]: K rounded up for the kernels, which read whole groups.
// The bytes from K to the stride must be zero.
func (k *Kernels) StrideU8(K int) int { return (K + 63) &^ 63 }

// Init checks the sizes (a violation panics: it is the caller's bug) and plans the tasks for about that many threads.
// It does not read A, whose values may still be computed until Do.
func (g *GemmU8S8) Init(k *Kernels, threads int) {
	g.k = k
	b, out := g.B, len(g.C)
	g.plan = k.u8s8.plan(g.M, b.N, b.K, 1, threads)
	if g.plan.tasks() == 0 {
		return
	}
	if g.CI != nil {
		out = len(g.CI)
	} else {
		need(len(b.Scale) >= b.N, "scale of B", len(b.Scale), b.N)
		need(len(g.ScaleA) == 1 || len(g.ScaleA) >= g.M, "scale of A", len(g.ScaleA), g.M)
		g.Epi.check(g.M, b.N)
	}
	stride := k.StrideU8(b.K)
	need(g.LDA >= stride && len(g.A) >= extent(g.M, stride, g.LDA), "A", len(g.A), extent(g.M, stride, g.LDA))
	need(g.LDC >= b.N && out >= extent(g.M, b.N, g.LDC), "result", out, extent(g.M, b.N, g.LDC))
	need(len(g.ZeroA) == 1 || len(g.ZeroA) >= g.M, "zero point of A", len(g.ZeroA), g.M)
	need(b.Zero == nil || len(g.RowSumA) >= g.M, "row sums of A", len(g.RowSumA), g.M)
	needTier(b.layout.isa, k.u8s8.isa)
}

// Tasks is the number of independent parts after Init.
func (g *GemmU8S8) Tasks() int { return g.plan.tasks() }

// Do computes the parts lo <= i < hi.
func (g *GemmU8S8) Do(lo, hi int) {
	if g.B.big {
		g.doBig(lo, hi)
		return
	}
	if g.k.form == bytesA {
		lda := g.LDA
		if g.B.K == 0 {
			lda = 0 // A may be empty
		}
		var sums *[]int16
		var at unsafe.Pointer
		if g.k.u8s8.isa == asm.AMX {
			sums = g.k.scratch.Get().(*[]int16)
			at = pointer(grow(sums, 2*tileSums*(maxRows/16+1)))
		}
		for i := lo; i < hi; i++ {
			row0, row1 := g.plan.rows(i/g.plan.groups, g.k.u8s8.mr)
			g.task(i, row0, row1, address(g.A, row0*g.LDA), lda, (*int32)(at))
		}
		if sums != nil {
			g.k.scratch.Put(sums)
		}
		return
	}
	made := g.k.scratch.Get().(*[]int16)
	stride, block := g.k.StrideU8(g.B.K), -1
	var lda int
	var columns clippedRows
	for i := lo; i < hi; i++ {
		row0, row1 := g.plan.rows(i/g.plan.groups, g.k.u8s8.mr)
		clip := g.B.clip != nil && row1-row0 >= clipRows
		if b := i / g.plan.groups; b != block {
			block = b
			if clip {
				columns = g.columns(made, row0, row1, stride)
			} else {
				lda = g.prepare(made, row0, row1, stride)
			}
		}
		if clip {
			g.clippedTask(i, row0, row1, &columns)
		} else {
			g.task(i, row0, row1, pointer(*made), lda, nil)
		}
	}
	g.k.scratch.Put(made)
}

// tileSums is the number of sums that AMX kernels keep of a tile.
const tileSums = 1024

// chunk is how many of n steps of 64 several tiles do before the next: B then stays in the first cache level.
func chunk(n int) int {
	const steps = 8
	return max(1, ceil(n, max(1, ceil(n, steps))))
}

// grow returns n elements of the scratch memory.
func grow(s *[]int16, n int) []int16 {
	if cap(*s) < n {
		*s = aligned[int16](n)
	}
	return (*s)[:n]
}

// rowArgs are what kernels read per row of a block.
type rowArgs struct {
	zero, sum [maxRows]int32
	scale     [maxRows]float32
}

// rows are the zero points, sums and scales of a block of rows.
func (g *GemmU8S8) rows(row0, row1 int) (a rowArgs) {
	for r := row0; r < row1; r++ {
		a.zero[r-row0] = g.k.form.zero(g.ZeroA[min(r, len(g.ZeroA)-1)])
	}
	if g.B.zero != nil {
		for r := row0; r < row1; r++ {
			a.sum[r-row0] = g.RowSumA[r] - int32(g.B.K)*g.k.form.less()
		}
	}
	if g.CI == nil {
		for r := row0; r < row1; r++ {
			a.scale[r-row0] = g.ScaleA[min(r, len(g.ScaleA)-1)]
		}
	}
	return a
}

// args are the arguments of a kernel of a layout, all but A, B and K, for a part that starts in row r of a block.
func (g *GemmU8S8) args(c *part, l *layout, rows *rowArgs, r int) asm.ArgsGemm {
	b := g.B
	args := asm.ArgsGemm{
		PanelB: int64(c.nv * l.vec * l.padded(b.K)), LDC: int64(4 * g.LDC),
		Tiles: int64(c.tiles), Panels: int64(c.panels), Cols: int64(c.cols),
		Comp: &b.comp[c.col], ZeroA: &rows.zero[r],
	}
	if b.zero != nil {
		args.ZeroB, args.RowSum = &b.zero[c.col], &rows.sum[r]
	}
	if g.CI != nil {
		args.C, args.Flags = unsafe.Pointer(&g.CI[c.row*g.LDC+c.col]), asm.GemmInt
	} else {
		args.C, args.ScaleA, args.ScaleB = unsafe.Pointer(&g.C[c.row*g.LDC+c.col]), &rows.scale[r], &b.scale[c.col]
		g.Epi.set(&args, c.row, c.col)
	}
	return args
}

// task computes a block of rows, which lie at a, by a group of panels. sums is memory for AMX.
//
//go:noinline
func (g *GemmU8S8) task(i, row0, row1 int, a unsafe.Pointer, lda int, sums *int32) {
	l, b := &g.k.u8s8, g.B
	rows := g.rows(row0, row1)
	p0, p1 := g.plan.group(i % g.plan.groups)
	l.sweep(&g.plan, row0, row1, p0, p1, func(c part) {
		args := g.args(&c, l, &rows, c.row-row0)
		args.A, args.LDA = unsafe.Add(a, (c.row-row0)*lda), int64(lda)
		args.B, args.K = b.at(c.col), int64(ceil(b.K, l.depth))
		kernel := asm.GemmU8S8(c.tile)
		if d := &asm.GemmU8S8Kernels[kernel]; d.ISA == asm.AMX {
			config := asm.TileConfig(c.height, d.M)
			args.K, args.Rows, args.Config, args.Scratch = int64(ceil(b.K, l.pad)), int64(c.height), &config[0], sums
			args.Chunk = max(args.K, 1)
			if c.tiles > 1 {
				args.Chunk = int64(chunk(int(args.K)))
			}
			if args.Chunk < args.K {
				args.TileS = 4 * tileSums
			}
		}
		kernel.Call(&args)
	})
	if g.CI == nil {
		col0, col1 := l.span(p0, p1, b.N)
		g.Epi.finish(g.k, g.C, g.LDC, row0, row1, col0, col1)
	}
}
