package backend

import (
	"math"
	"slices"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// ConvOffsets are where in an input the elements under a moving kernel lie, one per channel and kernel position,
// relative to the first output's. The zero value has none.
type ConvOffsets struct {
	bytes []int64
	reach int
}

// Reset removes all offsets.
func (o *ConvOffsets) Reset() { o.bytes, o.reach = o.bytes[:0], 0 }

// Add appends an offset of n elements, at least 0.
func (o *ConvOffsets) Add(n int) {
	o.bytes, o.reach = append(o.bytes, int64(4*n)), max(o.reach, n)
}

// Repeat appends the last n offsets so many times more, each time step elements further on, at least 0.
func (o *ConvOffsets) Repeat(n, times, step int) {
	for i := range o.bytes[len(o.bytes)-n:] {
		o.reach = max(o.reach, int(o.bytes[len(o.bytes)-n+i]/4)+times*step)
	}
	o.bytes = slices.Grow(o.bytes, n*times)
	for range times {
		for _, b := range o.bytes[len(o.bytes)-n:] {
			o.bytes = append(o.bytes, b+int64(4*step))
		}
	}
}

// Len is the number of offsets.
func (o *ConvOffsets) Len() int { return len(o.bytes) }

// Gather writes the elements of x at the offsets.
func (o *ConvOffsets) Gather(dst, x []float32) {
	for i, b := range o.bytes {
		dst[i] = x[b/4]
	}
}

// ConvF32 computes C[m,n] = epilogue(sum over k of A[m,k] * X[Offsets[k]+n]) for n < N: a convolution over adjacent
// output positions of stride 1. The sum is GemmF32's, with the same bits as if the elements of X were packed.
type ConvF32 struct {
	M, N    int
	A       []float32
	LDA     int
	X       []float32
	Offsets *ConvOffsets
	C       []float32
	LDC     int
	Epi     Epilogue
}

// Run computes it on this goroutine.
func (g *ConvF32) Run(k *Kernels) {
	depth := len(g.Offsets.bytes)
	if g.M == 0 || g.N == 0 {
		return
	}
	need(g.LDA >= depth && len(g.A) >= extent(g.M, depth, g.LDA), "A", len(g.A), extent(g.M, depth, g.LDA))
	need(depth == 0 || len(g.X) >= g.Offsets.reach+g.N, "input", len(g.X), g.Offsets.reach+g.N)
	need(g.LDC >= g.N && len(g.C) >= extent(g.M, g.N, g.LDC), "result", len(g.C), extent(g.M, g.N, g.LDC))
	g.Epi.check(g.M, g.N)
	if g.M == 1 && depth > 0 && g.Epi.Bias == nil && g.Epi.Residual == nil {
		g.row(k)
	} else {
		g.tiles(k)
	}
	g.Epi.finish(k, g.C, g.LDC, 0, g.M, 0, g.N)
}

func (g *ConvF32) tiles(k *Kernels) {
	l := &k.f32
	p := plan{m: g.M, n: g.N, k: len(g.Offsets.bytes)}
	if kernels, ok := l.patches(); ok && g.M >= packedRows && p.k > l.packedDepth() {
		g.packed(k, &p, kernels)
		return
	}
	g.inPlace(k, &p)
}

// packedRows is the number of rows from which packing what the kernel moves over costs less than reading it in place.
const packedRows = 24

// packedDepth is the number of steps up to which a panel is read in place by all rows: its lines of memory stay in the
// cache, and a panel of half a kilobyte costs less to read than to copy.
func (l *layout) packedDepth() int {
	if l.isa == asm.AVX2 {
		return 1200
	}
	return 320
}

// convWeights is how many bytes of weights are swept over all columns at a time, convRows of how many rows at least.
const (
	convWeights = 768 << 10
	convRows    = 64
)

// patches are the kernels that pack panels of that many vectors, if there are any.
func (l *layout) patches() (kernels [4]asm.Patches, ok bool) {
	switch l.isa {
	case asm.AVX512:
		return [4]asm.Patches{1: asm.Patches16AVX512, 2: asm.Patches32AVX512, 3: asm.Patches48AVX512}, true
	case asm.AVX2:
		return [4]asm.Patches{2: asm.Patches16AVX2}, true
	}
	return kernels, false
}

// packed packs one panel after the other and multiplies it.
func (g *ConvF32) packed(k *Kernels, p *plan, kernels [4]asm.Patches) {
	l := &k.f32
	memory := k.floats.Get().(*[]float32)
	defer k.floats.Put(memory)
	if need := p.k * l.vec * l.nv; cap(*memory) < need {
		*memory = aligned[float32](need)
	}
	// Weights that all panels read again stay in the second-level cache, for which panels are packed again.
	panels := l.panels(g.N)
	if p.blocks = 1; panels > 2 {
		p.blocks = max(1, min(ceil(4*g.M*p.k, convWeights), g.M/convRows))
	}
	for b := range p.blocks {
		row0, row1 := p.rows(b, l.mr)
		for i := range panels {
			col, nv := l.panel(i, g.N)
			width := nv * l.vec
			cols := min(width, g.N-col)
			panel := (*memory)[:p.k*width]
			g.pack(kernels[nv], panel, col, cols, width)
			b := PackedF32{K: p.k, N: cols, layout: l, data: panel}
			g.multiply(k, &b, row0, row1, col)
		}
	}
}

// pack copies columns of all rows, a bounded part per call.
func (g *ConvF32) pack(kernel asm.Patches, panel []float32, col, cols, width int) {
	const most = 4096
	for r := 0; r < len(g.Offsets.bytes); r += most {
		a := asm.ArgsPatches{
			Dst: &panel[r*width], X: unsafe.Add(pointer(g.X), 4*col), Offset: &g.Offsets.bytes[r],
			K: int64(min(most, len(g.Offsets.bytes)-r)), Cols: int64(cols), Width: int64(width),
		}
		kernel.Call(&a)
	}
}

// multiply multiplies by a packed panel, whose first column is col.
//
//go:noinline
func (g *ConvF32) multiply(k *Kernels, b *PackedF32, row0, row1, col int) {
	l := &k.f32
	p := plan{m: g.M, n: b.N, k: b.K, panels: 1}
	l.sweep(&p, row0, row1, 0, 1, func(c part) {
		args := asm.ArgsGemm{
			A: unsafe.Add(pointer(g.A), 4*c.row*g.LDA), LDA: int64(4 * g.LDA), K: int64(p.k),
			C: unsafe.Pointer(&g.C[c.row*g.LDC+col]), LDC: int64(4 * g.LDC),
			Tiles: int64(c.tiles), Panels: int64(c.panels), Cols: int64(c.cols), Alpha: 1,
		}
		g.Epi.set(&args, c.row, col)
		b.set(&args, c)
		asm.GemmF32(c.tile).Call(&args)
	})
}

// inPlace reads the input where it lies.
//
//go:noinline
func (g *ConvF32) inPlace(k *Kernels, p *plan) {
	l := &k.f32
	rows := g.M
	if p.k < shallow { // few rows at a time, as writing many at once costs more than reading the input again
		rows = l.mr * 2
	}
	for row := 0; row < g.M; row += rows {
		g.rowsInPlace(l, p, row, min(row+rows, g.M))
	}
}

// shallow is a number of steps below which a product takes less time than writing its results.
const shallow = 64

func (g *ConvF32) rowsInPlace(l *layout, p *plan, row0, row1 int) {
	l.sweep(p, row0, row1, 0, l.panels(g.N), func(c part) {
		var e asm.ArgsGemm
		g.Epi.set(&e, c.row, c.col)
		args := asm.ArgsConv{
			A: unsafe.Add(pointer(g.A), 4*c.row*g.LDA), LDA: int64(4 * g.LDA), K: int64(p.k),
			X: unsafe.Add(pointer(g.X), 4*c.col), Offset: unsafe.SliceData(g.Offsets.bytes),
			C: unsafe.Pointer(&g.C[c.row*g.LDC+c.col]), LDC: int64(4 * g.LDC),
			Tiles: int64(c.tiles), Panels: int64(c.panels), PanelB: int64(4 * c.nv * l.vec), Cols: int64(c.cols), Flags: e.Flags | asm.GemmTail,
			Bias: e.Bias, BiasRow: e.BiasRow, Residual: e.Residual, LDR: e.LDR, Lo: e.Lo, Hi: e.Hi,
		}
		asm.ConvF32(c.tile).Call(&args) // its kernels have the numbers of GemmF32's
	})
}

// row computes a single row by the kernel for that, a bounded part per call.
//
//go:noinline
func (g *ConvF32) row(k *Kernels) {
	kernel := asm.DepthwiseScalar
	switch k.f32.isa {
	case asm.AVX2:
		kernel = asm.DepthwiseAVX2
	case asm.AVX512:
		kernel = asm.DepthwiseAVX512
	case asm.NEON:
		kernel = asm.DepthwiseNEON
	}
	var e asm.ArgsGemm
	g.Epi.set(&e, 0, 0)
	depth := len(g.Offsets.bytes)
	most := max(callCycles*k.f32.rate/4/depth&^127, 128)
	for at := 0; at < g.N; at += most {
		args := asm.ArgsDepthwise{
			Dst: &g.C[at], X: unsafe.Add(pointer(g.X), 4*at), Offset: &g.Offsets.bytes[0], W: &g.A[0],
			K: int64(depth), N: int64(min(most, g.N-at)), Bias: e.BiasRow, Lo: float32(math.Inf(-1)), Hi: float32(math.Inf(1)),
		}
		if e.Flags&asm.GemmClip != 0 {
			args.Lo, args.Hi = e.Lo, e.Hi
		}
		kernel.Call(&args)
	}
}
