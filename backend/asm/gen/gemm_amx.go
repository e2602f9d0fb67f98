package main

// amx writes the integer products with tile registers: up to 32 rows (kernel two) or 16 by panels of 32 columns, 64
// bytes of K per step. The number of rows is an argument, as it is in the tile configuration. Sums go through Scratch,
// from where rows are finished one by one.
type amx struct {
	*Kernel
	two bool // rows in two tiles

	masks [2]Reg
}

const (
	amxCols  = 32
	amxGroup = 4 * amxCols   // bytes of a group of four of K
	amxStep  = 16 * amxGroup // bytes of a step
	amxRow   = 4 * amxCols   // bytes of a row of sums
)

func amxKernel(two bool) *Kernel {
	name, rows := "gemmU8S8Tile16x32AMX", 16
	if two {
		name, rows = "gemmU8S8Tile32x32AMX", 32
	}
	t := &amx{Kernel: NewKernel(name, AMX, gemmArgs), two: two}
	t.M, t.N = rows, amxCols
	t.Doc = "Tiles have Rows rows, at most so many."
	t.write()
	return t.Kernel
}

func tmm(n int) Reg { return Reg{KindTile, n} }

// write writes the kernel: two iterations over the sequence of tiles, one that sums, and one that finishes a tile when
// its sums are complete.
func (t *amx) write() {
	cfg := t.Load("Config")
	t.Op("LDTILECFG", At(cfg, 0))
	t.Free(cfg)
	t.masks = [2]Reg{t.Mask("first"), t.Mask("second")}
	for _, p := range [][2]string{{"Tiles", "Left"}, {"Tiles", "LeftA"}, {"Panels", "PanelsA"}} {
		r := t.Load(p[0])
		t.Op("MOVQ", r, t.Field(p[1]))
		t.Free(r)
	}
	next := t.Label("next")
	t.Bind(next)
	t.spans("PanelsA", t.sums)
	t.spans("PanelsA", t.spill)
	t.advanceSums()
	t.Op("CMPQ", t.Field("Pending"), Imm(0))
	t.Op("JZ", next)
	t.finish()
	t.advance()
	t.Op("CMPQ", t.Field("Panels"), Imm(0))
	t.Op("JNZ", next)
	t.Op("TILERELEASE")
	t.Ret()
}

// spans writes f for the number of panels side by side that the count of panels left allows.
func (t *amx) spans(panels string, f func(span int)) {
	if t.two {
		f(1)
		return
	}
	one, done := t.Label("one"), t.Label("both")
	t.Op("CMPQ", t.Field(panels), Imm(2))
	t.Op("JL", one)
	f(2)
	t.Op("JMP", done)
	t.Bind(one)
	f(1)
	t.Bind(done)
}

// spanOf is that number.
func (t *amx) spanOf(panels string) Reg {
	n, one := t.GP("span"), t.Label("span")
	t.Op("MOVQ", Imm(1), n)
	if !t.two {
		t.Op("CMPQ", t.Field(panels), Imm(2))
		t.Op("JL", one)
		t.Op("MOVQ", Imm(2), n)
		t.Bind(one)
	}
	return n
}

// at is field + offset.
func (t *amx) at(field string, offsets ...string) Reg {
	r := t.Load(field)
	for _, o := range offsets {
		t.Op("ADDQ", t.Field(o), r)
	}
	return r
}

// half is the number of rows in the first of two tiles.
func (t *amx) half() Reg {
	r := t.Load("Rows")
	t.Op("INCQ", r)
	t.Op("SHRQ", Imm(1), r)
	return r
}

// sums adds the products of the next steps of K, Chunk at most, to the sums of the next tile.
func (t *amx) sums(span int) {
	a, lda, b, n, stride := t.at("A", "OffA"), t.Load("LDA"), t.at("B", "OffB"), t.Load("K"), t.GP("stride")
	whole, zero, start := t.Label("whole"), t.Label("zero"), t.Label("start")
	t.Op("SUBQ", t.Field("DoneK"), n)
	t.Op("CMPQ", n, t.Field("Chunk"))
	t.Op("JLE", whole)
	t.Op("MOVQ", t.Field("Chunk"), n)
	t.Bind(whole)
	t.Op("MOVQ", n, t.Field("Steps"))
	t.Op("MOVQ", Imm(amxGroup), stride)
	t.Op("CMPQ", t.Field("DoneK"), Imm(0))
	t.Op("JZ", zero)
	t.stored(span, stride, func(m Mem, c Reg) { t.Op("TILELOADD", m, c) })
	k := t.Load("DoneK")
	t.Op("SHLQ", Imm(6), k)
	t.Op("ADDQ", k, a)
	t.Op("SHLQ", Imm(5), k)
	t.Op("ADDQ", k, b)
	t.Free(k)
	t.Op("JMP", start)
	t.Bind(zero)
	for i := range 4 {
		t.Op("TILEZERO", tmm(i))
	}
	t.Bind(start)
	second := t.GP("second") // rows of the second tile, or the second panel
	switch {
	case t.two:
		h := t.half()
		t.Op("IMULQ", lda, h)
		t.Op("LEAQ", At(a, 0).Idx(h, 1), second)
		t.Free(h)
	case span == 2:
		t.Op("MOVQ", t.Field("PanelB"), second)
		t.Op("ADDQ", b, second)
	}
	next := t.next(b)
	loop, done := t.Label("step"), t.Label("steps")
	t.Op("TESTQ", n, n)
	t.Op("JZ", done)
	t.Bind(loop)
	t.step(span, At(a, 0).Idx(lda, 1), At(second, 0).Idx(lda, 1), At(b, 0).Idx(stride, 1), At(second, 0).Idx(stride, 1))
	t.Op("ADDQ", Imm(64), a)
	t.Op("ADDQ", Imm(amxStep), b)
	switch {
	case t.two:
		t.Op("ADDQ", Imm(64), second)
	case span == 2:
		t.Op("ADDQ", Imm(amxStep), second)
	}
	t.prefetch(next)
	t.Op("DECQ", n)
	t.Op("JNZ", loop)
	t.Bind(done)
	t.Free(a, lda, b, n, second, stride)
	t.Free(next...)
}

// step adds the products of 64 of K.
func (t *amx) step(span int, a, a1, b, b1 Mem) {
	if t.two {
		t.Op("TILELOADD", b, tmm(6))
		t.Op("TILELOADD", a, tmm(4))
		t.Op("TDPBUSD", tmm(6), tmm(4), tmm(0))
		t.Op("TILELOADD", b.Add(64), tmm(7))
		t.Op("TDPBUSD", tmm(7), tmm(4), tmm(1))
		t.Op("TILELOADD", a1, tmm(5))
		t.Op("TDPBUSD", tmm(6), tmm(5), tmm(2))
		t.Op("TDPBUSD", tmm(7), tmm(5), tmm(3))
		return
	}
	t.Op("TILELOADD", a, tmm(4))
	for i := range 2 * span {
		m := [4]Mem{b, b.Add(64), b1, b1.Add(64)}[i]
		t.Op("TILELOADD", m, tmm(5+i%3))
		t.Op("TDPBUSD", tmm(5+i%3), tmm(4), tmm(i))
	}
}

// spill stores the sums of the tile.
func (t *amx) spill(span int) {
	stride := t.GP("stride")
	t.Op("MOVQ", Imm(amxGroup), stride)
	t.stored(span, stride, func(m Mem, c Reg) { t.Op("TILESTORED", c, m) })
	t.Free(stride)
}

// stored runs f on the sums' registers and their place in Scratch: rows of 32, all rows of a panel before those of the
// next.
func (t *amx) stored(span int, stride Reg, f func(m Mem, c Reg)) {
	to, more := t.at("Scratch", "OffS"), t.Load("Rows")
	if t.two {
		t.Free(more)
		more = t.half()
	}
	f(At(to, 0).Idx(stride, 1), tmm(0))
	f(At(to, 64).Idx(stride, 1), tmm(1))
	if t.two || span == 2 {
		t.Op("IMULQ", stride, more)
		t.Op("ADDQ", more, to)
		f(At(to, 0).Idx(stride, 1), tmm(2))
		f(At(to, 64).Idx(stride, 1), tmm(3))
	}
	t.Free(to, more)
}

// advanceSums moves on to what sums does next: the next tile, the next steps of K, the next panels.
func (t *amx) advanceSums() {
	r, more, pending := t.Load("Steps"), t.Label("sumsLeft"), t.Label("notLast")
	t.Op("ADDQ", t.Field("DoneK"), r)
	t.Op("CMPQ", r, t.Field("K"))
	t.Op("JL", pending)
	t.Op("MOVQ", Imm(1), t.Field("Pending"))
	t.Bind(pending)
	rows := t.Load("Rows")
	t.Op("IMULQ", t.Field("LDA"), rows)
	t.Op("ADDQ", rows, t.Field("OffA"))
	t.Op("MOVQ", t.Field("TileS"), rows)
	t.Op("ADDQ", rows, t.Field("OffS"))
	t.Op("DECQ", t.Field("LeftA"))
	t.Op("JNZ", more)
	t.Op("MOVQ", t.Field("Tiles"), rows)
	t.Op("MOVQ", rows, t.Field("LeftA"))
	t.Op("MOVQ", Imm(0), t.Field("OffA"))
	t.Op("MOVQ", Imm(0), t.Field("OffS"))
	t.Op("MOVQ", r, t.Field("DoneK"))
	t.Op("CMPQ", r, t.Field("K"))
	t.Op("JL", more)
	t.Op("MOVQ", Imm(0), t.Field("DoneK"))
	t.Free(rows)
	n := t.spanOf("PanelsA")
	t.Op("SUBQ", n, t.Field("PanelsA"))
	t.Op("IMULQ", t.Field("PanelB"), n)
	t.Op("ADDQ", n, t.Field("OffB"))
	t.Free(n, r)
	t.Bind(more)
}

// advance moves on to the tile that is finished next.
func (t *amx) advance() {
	more := t.Label("rowsLeft")
	t.Op("MOVQ", Imm(0), t.Field("Pending"))
	rows := t.Load("Rows")
	for _, p := range [][2]string{{"OffC", "LDC"}, {"OffR", "LDR"}} {
		r := t.Load(p[1])
		t.Op("IMULQ", rows, r)
		t.Op("ADDQ", r, t.Field(p[0]))
		t.Free(r)
	}
	t.Op("SHLQ", Imm(2), rows)
	t.Op("ADDQ", rows, t.Field("OffRow"))
	t.Op("MOVQ", t.Field("TileS"), rows)
	t.Op("ADDQ", rows, t.Field("OffT"))
	t.Free(rows)
	t.Op("DECQ", t.Field("Left"))
	t.Op("JNZ", more)
	for _, off := range []string{"OffC", "OffR", "OffRow", "OffT"} {
		t.Op("MOVQ", Imm(0), t.Field(off))
	}
	r := t.Load("Tiles")
	t.Op("MOVQ", r, t.Field("Left"))
	t.Free(r)
	n := t.spanOf("Panels")
	t.Op("SUBQ", n, t.Field("Panels"))
	t.Op("SHLQ", Imm(5), n)
	t.Op("SUBQ", n, t.Field("Cols"))
	t.Op("SHLQ", Imm(2), n)
	t.Op("ADDQ", n, t.Field("OffCol"))
	t.Free(n)
	t.Bind(more)
}
