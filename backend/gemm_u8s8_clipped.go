package backend

import (
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// clippedRows is scratch memory for a block of rows.
type clippedRows struct {
	a      []uint8 // rows of A by column, block after block
	sums   []int32 // columns of a block's rows
	init   []int32 // rows of columns
	panels int     // of 16 of these columns, at most
	blocks [maxRows/asm.RestRows + asm.RestRows/asm.RestFew + 1]restBlock
	n      int // blocks
}

// restBlock are rows that a kernel takes at once, in groups of eight of which the last may repeat rows.
type restBlock struct {
	first, rows int // rows of the kernel
	of          int // rows of all blocks, at least 8
	at          int // where its bytes begin
}

// group is the first row of group j, and whether the block needs it.
func (b *restBlock) group(j int) (row int, ok bool) {
	return min(b.first+8*j, b.of-8), b.first+8*j < b.of
}

// whole says whether no group repeats rows.
func (b *restBlock) whole() bool { return b.first+b.rows <= b.of }

// cut makes the blocks of a number of rows.
func (c *clippedRows) cut(rows, stride int) (bytes int) {
	for first := 0; first < rows; {
		size := asm.RestFew
		if rows-first > asm.RestRows/2 {
			size = asm.RestRows
		}
		c.blocks[c.n] = restBlock{first, size, max(rows, asm.RestFew), bytes}
		c.n++
		first += size
		bytes += size * stride
	}
	return bytes
}

// initPanels is how many panels the sums of terms of a number of rows are made for at a time: so many that they stay in
// the first cache level, and that few calls are needed for few rows.
func initPanels(rows int) int { return max(1, min(8, 256/rows)) }

// columns brings a block of rows of A into the order in which the terms of columns read it.
func (g *GemmU8S8) columns(scratch *[]int16, row0, row1, stride int) (c clippedRows) {
	rows := row1 - row0
	all := max(rows, asm.RestFew)
	size := c.cut(rows, stride)
	rest := stride * asm.RestRows
	c.panels = initPanels(all)
	sums := 16 * c.panels * asm.RestRows
	ints := sums + 16*c.panels*all
	at := pointer(grow(scratch, (size+rest+4*ints)/2))
	c.a = unsafe.Slice((*uint8)(at), size+rest)
	c.sums = unsafe.Slice((*int32)(unsafe.Add(at, size+rest)), ints)
	c.init, c.sums = c.sums[sums:], c.sums[:sums]
	a, lda, groups := g.A[row0*g.LDA:], g.LDA, c.a[size:] // groups of four bytes
	if rows < all {
		few := groups[asm.RestFew*stride:]
		for r := range all {
			copy(few[r*stride:(r+1)*stride], a[min(r, rows-1)*lda:])
		}
		a, lda = few, stride
	}
	for i := range c.n {
		b := &c.blocks[i]
		args := asm.ArgsTranspose{LDD: int64(4 * b.rows), LDS: int64(lda), K: int64(stride / 4), Cols: 8}
		for j := range b.rows / 8 {
			if row, ok := b.group(j); ok {
				call := args
				call.Dst = (*float32)(unsafe.Pointer(&groups[32*j]))
				call.Src = (*float32)(unsafe.Pointer(&a[row*lda]))
				g.k.transpose.Call(&call)
			}
		}
		kernel := g.k.columns
		if b.rows == asm.RestFew {
			kernel = g.k.columnsFew
		}
		kernel.Call(&asm.ArgsColumns{Dst: &c.a[b.at], Src: &groups[0], N: int64(stride / 4), Rows: int64(b.rows)})
	}
	return c
}

// clippedTask is task with the clipped form of B.
//
//go:noinline
func (g *GemmU8S8) clippedTask(i, row0, row1 int, a *clippedRows) {
	l, b := &g.k.u8c8, g.B
	rows := g.rows(row0, row1)
	p0, p1 := g.plan.group(i % g.plan.groups)
	for p := p0; p < p1; p += a.panels {
		end := min(p+a.panels, p1)
		first, width := 16*p, 16*(end-p)
		init := g.rest(p, end, a)
		l.sweep(&g.plan, row0, row1, p, end, func(c part) {
			args := g.args(&c, l, &rows, c.row-row0)
			args.A, args.LDA = unsafe.Pointer(&g.A[c.row*g.LDA]), int64(g.LDA)
			args.B, args.K = unsafe.Pointer(&b.clip.data[c.col*l.padded(b.K)]), int64(l.padded(b.K)/clipGroup)
			if init {
				args.Init, args.LDI = &a.init[(c.row-row0)*width+c.col-first], int64(4*width)
			}
			asm.GemmU8C8(c.tile).Call(&args)
		})
	}
	if g.CI == nil {
		col0, col1 := l.span(p0, p1, b.N)
		g.Epi.finish(g.k, g.C, g.LDC, row0, row1, col0, col1)
	}
}

// rest multiplies a block of rows by the terms of panels, if they have any.
func (g *GemmU8S8) rest(panel, end int, a *clippedRows) bool {
	terms := g.B.clip.of(panel, end)
	if len(terms) == 0 {
		return false
	}
	cols := 16 * (end - panel)
	for i := range a.n {
		b := &a.blocks[i]
		kernel := g.k.rest
		if b.rows == asm.RestFew {
			kernel = g.k.restFew
		}
		kernel.Call(&asm.ArgsRest{
			Dst: &a.sums[0], A: &a.a[b.at], Terms: &terms[0], N: int64(len(terms)),
			Skip: int64(4 * b.rows * 16 * panel), Cols: int64(cols), Rows: int64(b.rows),
		})
		args := asm.ArgsTranspose{LDD: int64(4 * cols), LDS: int64(4 * b.rows), K: 8, Cols: int64(cols)}
		for j := range b.rows / 8 {
			if row, ok := b.group(j); ok {
				call := args
				if b.whole() {
					call.K = int64(b.rows)
				}
				call.Dst, call.Src = (*float32)(unsafe.Pointer(&a.init[cols*row])), (*float32)(unsafe.Pointer(&a.sums[8*j]))
				g.k.transpose.Call(&call)
				if b.whole() {
					break
				}
			}
		}
	}
	return true
}
