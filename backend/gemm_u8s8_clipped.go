package backend

import (
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// clippedRows is scratch memory for a block of rows.
type clippedRows struct {
	a    []uint8 // blocks of 32 rows of A by column
	sums []int32 // 16 columns of 32 rows
	init []int32 // rows of 16 columns
}

// restBlock are 32 rows of a block of at least eight, in groups of eight of which the last may repeat rows.
type restBlock struct{ first, rows int }

// group is the first row of group j, and whether the block needs it.
func (b restBlock) group(j int) (row int, ok bool) {
	return min(b.first+8*j, b.rows-8), b.first+8*j < b.rows
}

// whole says whether no group repeats rows.
func (b restBlock) whole() bool { return b.first+asm.RestRows <= b.rows }

// columns brings a block of rows of A into the order in which the terms of columns read it.
func (g *GemmU8S8) columns(scratch *[]int16, row0, row1, stride int) clippedRows {
	rows := row1 - row0
	blocks, size := ceil(rows, asm.RestRows), stride*asm.RestRows
	bytes := (blocks+1)*size + 4*16*(asm.RestRows+rows)
	at := pointer(grow(scratch, bytes/2))
	c := clippedRows{
		a:    unsafe.Slice((*uint8)(at), (blocks+1)*size),
		sums: unsafe.Slice((*int32)(unsafe.Add(at, (blocks+1)*size)), 16*(asm.RestRows+rows)),
	}
	c.init, c.sums = c.sums[16*asm.RestRows:], c.sums[:16*asm.RestRows]
	groups := c.a[blocks*size:] // of four bytes
	for i := range blocks {
		b := restBlock{asm.RestRows * i, rows}
		args := asm.ArgsTranspose{LDD: 4 * asm.RestRows, LDS: int64(g.LDA), K: int64(stride / 4), Cols: 8}
		for j := range asm.RestRows / 8 {
			if row, ok := b.group(j); ok {
				call := args
				call.Dst = (*float32)(unsafe.Pointer(&groups[32*j]))
				call.Src = (*float32)(unsafe.Pointer(&g.A[(row0+row)*g.LDA]))
				g.k.transpose.Call(&call)
			}
		}
		g.k.columns.Call(&asm.ArgsColumns{Dst: &c.a[i*size], Src: &groups[0], N: int64(stride / 4)})
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
	for p := p0; p < p1; p++ {
		init := g.rest(p, row1-row0, a)
		l.sweep(&g.plan, row0, row1, p, p+1, func(c part) {
			args := g.args(&c, l, &rows, c.row-row0)
			args.A, args.LDA = unsafe.Pointer(&g.A[c.row*g.LDA]), int64(g.LDA)
			args.B, args.K = unsafe.Pointer(&b.clip.data[c.col*l.padded(b.K)]), int64(l.padded(b.K)/clipGroup)
			if init {
				args.Init, args.LDI = &a.init[16*(c.row-row0)], 4*16
			}
			asm.GemmU8C8(c.tile).Call(&args)
		})
	}
	if g.CI == nil {
		col0, col1 := l.span(p0, p1, b.N)
		g.Epi.finish(g.k, g.C, g.LDC, row0, row1, col0, col1)
	}
}

// rest multiplies a block of rows by the terms of a panel, if it has any.
func (g *GemmU8S8) rest(panel, rows int, a *clippedRows) bool {
	c := g.B.clip
	end := len(c.terms)
	if panel+1 < len(c.first) {
		end = c.first[panel+1]
	}
	first := c.first[panel]
	if first == end {
		return false
	}
	col, _ := g.k.u8c8.panel(panel, g.B.N)
	size := len(a.a) / (ceil(rows, asm.RestRows) + 1)
	for i := range ceil(rows, asm.RestRows) {
		b := restBlock{asm.RestRows * i, rows}
		g.k.rest.Call(&asm.ArgsRest{Dst: &a.sums[0], A: &a.a[i*size], Terms: &c.terms[first], Counts: &c.counts[col], Cols: 16})
		args := asm.ArgsTranspose{LDD: 4 * 16, LDS: 4 * asm.RestRows, K: 8, Cols: 16}
		for j := range asm.RestRows / 8 {
			if row, ok := b.group(j); ok {
				call := args
				if b.whole() {
					call.K = asm.RestRows
				}
				call.Dst, call.Src = (*float32)(unsafe.Pointer(&a.init[16*row])), (*float32)(unsafe.Pointer(&a.sums[8*j]))
				g.k.transpose.Call(&call)
				if b.whole() {
					break
				}
			}
		}
	}
	return true
}
