package backend

import (
	"math"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// WinogradF32 are the kernels of a 3x3 convolution as Winograd's F(4x4, 3x3) multiplies by them: 36 matrices [M, C].
type WinogradF32 struct {
	M, C int
	data []float32
}

// winogradF is the number of elements of a transformed tile, winogradTiles that of tiles in a block.
const (
	winogradF     = 36
	winogradTiles = 48
)

// PackWinograd transforms kernels [m, c, 3, 3].
func PackWinograd(w []float32, m, c int) *WinogradF32 {
	need(len(w) >= 9*m*c, "weights", len(w), 9*m*c)
	p := &WinogradF32{M: m, C: c, data: aligned[float32](winogradF * m * c)}
	for i := range m {
		p.row(w, i)
	}
	return p
}

//go:noinline
func (p *WinogradF32) row(w []float32, i int) {
	for j := i * p.C; j < (i+1)*p.C; j++ {
		asm.WinogradWeights(p.data[j:], p.M*p.C, w[9*j:9*j+9])
	}
}

// WinogradConv is the job of a 3x3 convolution of stride 1 of one image. Tiles of 4x4 results are taken row by row; a
// block of them is transformed, multiplied and transformed back at a time. The sums of products are GemmF32's, over
// ascending channels, and the transforms have one order, so bits depend neither on tier, block nor goroutine.
type WinogradConv struct {
	W                    *WinogradF32
	InH, InW, OutH, OutW int
	Top, Left            int
	Bias                 []float32 // one per channel, or nil
	Act                  Activation
	Lo, Hi               float32 // with ActClip

	k       *Kernels
	isa     asm.ISA
	lanes   int
	pitch   int // tiles of a row: those of the results, and what makes rows of the input end before the next begin
	tiles   int
	width   int // tiles of a block
	rows    int // channels that are multiplied at a time
	phase   int // elements of every fourth row of a channel of the padded input
	plane   int // elements of a channel of the padded input
	blocks  asm.PlanesBlocks
	outside []float32
	padding asm.PoolPlanes
	kernels [2]asm.Winograd // of the input, of the output
}

// Init plans the blocks for about that many threads.
func (g *WinogradConv) Init(k *Kernels, threads int) {
	g.k, g.isa, g.lanes = k, k.f32.isa, 8
	switch g.isa {
	case asm.AVX2:
		g.kernels = [2]asm.Winograd{asm.WinogradInputAVX2, asm.WinogradOutputAVX2}
	case asm.AVX512:
		g.kernels, g.lanes = [2]asm.Winograd{asm.WinogradInputAVX512, asm.WinogradOutputAVX512}, 16
	case asm.NEON:
		g.kernels, g.lanes = [2]asm.Winograd{asm.WinogradInputNEON, asm.WinogradOutputNEON}, 4
	default:
		g.kernels = [2]asm.Winograd{}
	}
	g.pitch = ceil(g.OutW+2, 4)
	g.tiles = ceil(g.OutH, 4) * g.pitch
	most := winogradTiles
	for most > 16 && 4*winogradF*g.W.C*most > 1200<<10 {
		most -= 16
	}
	n := ceil(g.tiles, most)
	if threads > 1 {
		n = max(n, min(2*threads, ceil(g.tiles, 16)))
	}
	g.width = ceil(ceil(g.tiles, n), 16) * 16
	g.rows = 32
	if g.W.C <= 64 {
		g.rows = 64
	}
	g.rows = min(g.rows, g.W.M)
	g.phase = 4*(g.pitch+g.Blocks()*g.width) + 16
	g.plane = (ceil(4*g.phase, 16) | 1) * 16
	g.padding = 0
	if g.InW >= asm.LeastPlanesWidth(g.isa) {
		g.padding = asm.PoolPlanes(planesKernel(asm.PoolPlanesKernels[:], "poolPlanesSum1x1Stride1", g.isa))
		g.blocks.Set(g.lanes, 1, 1, g.Left, g.InW, 4*g.pitch)
	}
	if len(g.outside) != g.InW {
		g.outside = make([]float32, g.InW)
	}
}

// Blocks is the number of independent parts after Init.
func (g *WinogradConv) Blocks() int { return ceil(g.tiles, g.width) }

// PaddedLen is the number of float32 of the padded input of n channels.
func (g *WinogradConv) PaddedLen(n int) int { return n * g.plane }

// Pad writes n channels of the input to dst as Block reads them: with zeros around them, each fourth row together.
func (g *WinogradConv) Pad(dst, x []float32, n int) {
	in := g.InH * g.InW
	need(len(x) >= n*in, "input", len(x), n*in)
	need(len(dst) >= n*g.plane, "padded input", len(dst), n*g.plane)
	rows := ceil(g.OutH, 4) + 1
	for i := range n {
		for p := range 4 {
			first := (p - g.Top%4 + 4) % 4 // the first row of the input in this phase
			h := 0
			if first < g.InH {
				h = ceil(g.InH-first, 4)
			} else {
				first = 0
			}
			a := asm.ArgsPlanes{
				Dst: &dst[i*g.plane+p*g.phase], X: unsafe.Pointer(&x[i*in+first*g.InW]), Outside: &g.outside[0], Masks: unsafe.SliceData(g.blocks.Masks),
				Planes: 1, LDX: int64(16 * g.InW), LDC: int64(16 * g.pitch), H: int64(h), Rows: int64(rows),
				Row: int64((p - g.Top - (p-g.Top%4+4)%4) / 4), Pad: int64(4 * g.Left),
				Lead: int64(g.blocks.Lead), Inner: int64(g.blocks.Inner), Trail: int64(g.blocks.Trail),
				KH: 1, KW: 1, Stride: 1, InW: int64(g.InW), OutW: int64(4 * g.pitch),
			}
			g.padding.Call(&a)
			clear(dst[i*g.plane+p*g.phase+4*g.pitch*rows:][:8]) // under the last tile, whose results do not need it
		}
	}
}

// ScratchLen is the number of float32 that Block needs.
func (g *WinogradConv) ScratchLen() int {
	return g.matrices(g.W.C) + g.matrices(g.rows) + 16*g.rows*g.width + 16*winogradF
}

// matrices is the room of 36 matrices of n rows, an odd number of cache lines apart.
func (g *WinogradConv) matrices(n int) int { return winogradF * g.step(n) }
func (g *WinogradConv) step(n int) int     { return n*g.width + 16 }

// Block computes part i of the results c from the padded input x.
func (g *WinogradConv) Block(i int, c, x, scratch []float32) {
	depth, m := g.W.C, g.W.M
	need(len(x) >= depth*g.plane, "padded input", len(x), depth*g.plane)
	need(len(c) >= m*g.OutH*g.OutW, "result", len(c), m*g.OutH*g.OutW)
	need(len(scratch) >= g.ScratchLen(), "scratch", len(scratch), g.ScratchLen())
	need(g.Bias == nil || len(g.Bias) >= m, "bias", len(g.Bias), m)
	in, scratch := scratch[:g.matrices(depth)], scratch[g.matrices(depth):]
	out, scratch := scratch[:g.matrices(g.rows)], scratch[g.matrices(g.rows):]
	results, tmp := scratch[:16*g.rows*g.width], scratch[16*g.rows*g.width:]
	vectors := g.width / g.lanes
	most := max(1, callCycles/(600*vectors)) // channels of a call
	for ch := 0; ch < depth; ch += most {
		a := asm.ArgsWinograd{
			Dst: &in[ch*g.width], Src: &x[ch*g.plane+4*i*g.width], Scratch: &tmp[0], N: int64(vectors), Channels: int64(min(most, depth-ch)),
			StepDst: int64(4 * g.width), StepSrc: int64(4 * g.plane), StepF: int64(4 * g.step(depth)),
			StepRow: int64(4 * g.phase), NextRow: int64(16 * g.pitch), Lanes: int64(g.lanes), Input: 1,
		}
		g.kernels[0].Call(&a)
	}
	for row := 0; row < m; row += g.rows {
		rows := min(g.rows, m-row)
		g.multiply(in, out, row, rows)
		for r := 0; r < rows; r += most {
			a := asm.ArgsWinograd{
				Dst: &results[16*r*g.width], Src: &out[r*g.width], Scratch: &tmp[0], N: int64(vectors), Channels: int64(min(most, rows-r)),
				StepDst: int64(64 * g.width), StepSrc: int64(4 * g.width), StepF: int64(4 * g.step(g.rows)), StepRow: int64(16 * g.width),
				Lo: float32(math.Inf(-1)), Hi: float32(math.Inf(1)), Lanes: int64(g.lanes),
			}
			if g.Bias != nil {
				a.Bias = &g.Bias[row+r]
			}
			switch g.Act {
			case ActRelu:
				a.Lo = 0
			case ActClip:
				a.Lo, a.Hi = g.Lo, g.Hi
			}
			g.kernels[1].Call(&a)
		}
		for r := range rows {
			g.place(c[(row+r)*g.OutH*g.OutW:(row+r+1)*g.OutH*g.OutW], results[16*r*g.width:16*(r+1)*g.width], i*g.width)
		}
	}
}

// multiply computes the products of some rows of the weights.
func (g *WinogradConv) multiply(in, out []float32, row, rows int) {
	depth, m := g.W.C, g.W.M
	for f := range winogradF {
		g.product(out[f*g.step(g.rows):], g.W.data[(f*m+row)*depth:], in[f*g.step(depth):][:depth*g.width], rows)
	}
}

// product is GemmF32's, of rows of weights a and the matrix b in place.
//
//go:noinline
func (g *WinogradConv) product(c, a, b []float32, rows int) {
	l := &g.k.f32
	p := plan{m: rows, n: g.width, k: g.W.C, panels: l.panels(g.width)}
	l.sweep(&p, 0, rows, 0, p.panels, func(t part) {
		args := asm.ArgsGemm{
			A: unsafe.Pointer(&a[t.row*p.k]), LDA: int64(4 * p.k), B: unsafe.Pointer(&b[t.col]), LDB: int64(4 * g.width),
			PanelB: int64(4 * t.nv * l.vec), K: int64(p.k), C: unsafe.Pointer(&c[t.row*g.width+t.col]), LDC: int64(4 * g.width),
			Tiles: int64(t.tiles), Panels: int64(t.panels), Cols: int64(t.cols), Flags: asm.GemmTail,
		}
		asm.GemmF32(t.tile).Call(&args)
	})
}

// place copies the results of a channel, from that tile on, to where they belong.
//
//go:noinline
func (g *WinogradConv) place(c, results []float32, tile int) {
	for t := tile; t < min(tile+g.width, g.tiles); {
		y, x := t/g.pitch, t%g.pitch
		n := min(g.pitch-x, tile+g.width-t)
		for r := range min(4, g.OutH-4*y) {
			if cols := min(4*(x+n), g.OutW) - 4*x; cols > 0 {
				at := (4*y+r)*g.OutW + 4*x
				copy(c[at:at+cols], results[4*(r*g.width+t-tile):])
			}
		}
		t += n
	}
}
