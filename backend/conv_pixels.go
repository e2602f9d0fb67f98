package backend

import (
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// ConvPixels computes C[p][m] = act(bias[m] + sum over k of X[Offsets[k]+p*Step] * B[k][m]): a convolution with packed
// weights B[K, M], whose product has output positions for rows and reads them in place, any step apart. The sum is
// GemmF32's, with the same bits as if the elements of X were brought together.
type ConvPixels struct {
	Step    int // elements of X between positions
	Offsets *ConvOffsets
	B       *PackedF32
	Bias    []float32 // of all M, or nil
	Act     Activation
	P0, P1  float32
}

// InKernel reports whether kernels of products apply the activation themselves, as ConvPixels does with these only.
func (a Activation) InKernel() bool { return a.inKernel() }

// ConvPixelsShort reports whether runs of n positions make tiles of ConvPixels so low that they waste time.
func (k *Kernels) ConvPixelsShort(n int) bool { return n < 4*ceil(n, k.f32.mr) && k.f32.mr > 1 }

// Run computes n positions of panel p of B. x starts under the first position, c at its result for the panel's first
// column; rows of c are ldc apart.
func (g *ConvPixels) Run(k *Kernels, c []float32, ldc int, x []float32, n, p int) {
	l, depth := g.B.layout, g.B.K
	if n == 0 {
		return
	}
	col, nv := l.panel(p, g.B.N)
	width := nv * l.vec
	cols := min(width, g.B.N-col)
	needTier(l.isa, k.f32.isa)
	need(g.Offsets.Len() == depth, "offsets", g.Offsets.Len(), depth)
	reach := g.Offsets.reach + (n-1)*g.Step + 1
	need(depth == 0 || len(x) >= reach, "input", len(x), reach)
	need(ldc >= cols && len(c) >= extent(n, cols, ldc), "result", len(c), extent(n, cols, ldc))
	need(g.Bias == nil || len(g.Bias) >= g.B.N, "bias", len(g.Bias), g.B.N)
	tiles := ceil(n, l.mr)
	height, tall := n/tiles, n%tiles // that many tiles have a row more
	most := max(1, callCycles*l.rate/(width*max(depth, 1)*(height+1)))
	epi := Epilogue{Bias: g.Bias, Act: g.Act, P0: g.P0, P1: g.P1}
	for at := 0; at < n; {
		h, count := height, tiles
		if tall > 0 {
			h, count = height+1, tall
		}
		count = min(count, most)
		var e asm.ArgsGemm
		epi.set(&e, 0, col)
		a := asm.ArgsPixels{
			A: address(x, at*g.Step), LDA: int64(4 * g.Step), Offset: unsafe.SliceData(g.Offsets.bytes),
			B: address(g.B.data, col*depth), K: int64(depth), C: unsafe.Pointer(&c[at*ldc]), LDC: int64(4 * ldc),
			Tiles: int64(count), Panels: 1, Cols: int64(cols), Flags: e.Flags, Bias: e.Bias, Lo: e.Lo, Hi: e.Hi,
		}
		asm.PixelsF32(l.tiles[h][nv]).Call(&a) // its kernels have the numbers of GemmF32's
		at += count * h
		tiles -= count
		tall -= min(tall, count)
	}
}
