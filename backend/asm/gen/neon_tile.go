package main

import "fmt"

// neonTile writes one matrix product kernel of arm64, of mr rows and nv vectors of four columns. All state is in
// registers, as there are enough of them.
type neonTile struct {
	*Kernel
	mr, nv int
	acc    [][]Reg        // by row and vector
	off    map[string]Reg // bytes from the start to the tile's place, by the name of gemmArgs' field
	cols   Reg            // columns of C from the panel on; a partial last vector has as many as its two low bits say
	left   Reg            // tiles of the panel
	op     string         // multiplies an element of A with a vector of B and adds

	nextPanel, nextTile, done Label
}

func newNEONTile(op string, isa *ISA, args *Args, mr, nv int) *neonTile {
	k := NewKernel(fmt.Sprintf("%sTile%dx%d%s", op, mr, 4*nv, isa.Suffix), isa, args)
	k.M, k.N = mr, 4*nv
	return &neonTile{Kernel: k, mr: mr, nv: nv, off: map[string]Reg{}, op: "FMLA.4S"}
}

// begin starts the loops over panels and tiles.
func (t *neonTile) begin() {
	for _, name := range []string{"OffA", "OffC", "OffR", "OffRow", "OffB", "OffCol"} {
		t.off[name] = t.GP(name)
		t.Op("MOVD", Imm(0), t.off[name])
	}
	t.cols, t.left = t.Load("Cols"), t.GP("left")
	t.nextPanel, t.nextTile = t.Label("panel"), t.Label("tile")
	t.Bind(t.nextPanel)
	t.Op("MOVD", t.Field("Tiles"), t.left)
	t.Bind(t.nextTile)
}

// advance moves on to the next tile's rows, or to the first of the next panel, and jumps back while there are any.
func (t *neonTile) advance() {
	ld, rows := t.GP("stride"), t.GP("rows")
	t.Op("MOVD", Imm(t.mr), rows)
	for _, p := range [][2]string{{"OffA", "LDA"}, {"OffC", "LDC"}, {"OffR", "LDR"}} {
		t.Op("MOVD", t.Field(p[1]), ld)
		t.Op("MADD", rows, t.off[p[0]], ld, t.off[p[0]])
	}
	t.Free(ld, rows)
	t.Op("ADD", Imm(4*t.mr), t.off["OffRow"])
	t.Op("SUBS", Imm(1), t.left)
	t.Op("BNE", t.nextTile)
	for _, name := range []string{"OffA", "OffC", "OffR", "OffRow"} {
		t.Op("MOVD", Imm(0), t.off[name])
	}
	panel := t.Load("PanelB")
	t.Op("ADD", panel, t.off["OffB"])
	t.Op("ADD", Imm(4*t.N), t.off["OffCol"])
	t.Op("SUB", Imm(t.N), t.cols)
	t.Op("MOVD", t.Field("Panels"), panel)
	t.Op("SUBS", Imm(1), panel)
	t.Op("MOVD", panel, t.Field("Panels"))
	t.Op("BNE", t.nextPanel)
	t.Free(panel)
	t.Ret()
}

// at is a pointer to the field's memory, moved by an offset.
func (t *neonTile) at(field, off string) Reg {
	p := t.Load(field)
	t.Op("ADD", t.off[off], p)
	return p
}

// rows are pointers to n rows of a matrix from the tile's on.
func (t *neonTile) rows(n int, ptr, stride, off string) []Reg {
	rows := []Reg{t.at(ptr, off)}
	if off != "OffA" {
		t.Op("ADD", t.off["OffCol"], rows[0])
	}
	if n == 1 {
		return rows
	}
	ld := t.Load(stride)
	for i := 1; i < n; i++ {
		r := t.GP(ptr)
		t.Op("ADD", ld, rows[i-1], r)
		rows = append(rows, r)
	}
	t.Free(ld)
	return rows
}

// vectors takes n vector registers.
func (t *neonTile) vectors(n int, name string) []Reg {
	v := make([]Reg, n)
	for i := range v {
		v[i] = t.V(name)
	}
	return v
}

// start takes n accumulators for each of m rows and zeroes them.
func (t *neonTile) start(m, n int) {
	t.acc = nil
	for range m {
		t.acc = append(t.acc, t.vectors(n, "acc"))
	}
	t.each(func(_, _ int, acc Reg) { t.Clear(acc) })
}

// each runs f over the tile's accumulators.
func (t *neonTile) each(f func(r, v int, acc Reg)) {
	for r, row := range t.acc {
		for v, acc := range row {
			f(r, v, acc)
		}
	}
}

// loop writes rounds of unrolled steps and then single steps, n in all.
func (t *neonTile) loop(n Reg, unrolled int, body func(steps int)) {
	round, rest, single, done := t.Label("round"), t.Label("rest"), t.Label("single"), t.Label("summed")
	t.Op("SUBS", Imm(unrolled), n)
	t.Op("BLT", rest)
	t.Bind(round)
	body(unrolled)
	t.Op("SUBS", Imm(unrolled), n)
	t.Op("BGE", round)
	t.Bind(rest)
	t.Op("ADDS", Imm(unrolled), n)
	t.Op("BEQ", done)
	t.Bind(single)
	body(1)
	t.Op("SUBS", Imm(1), n)
	t.Op("BNE", single)
	t.Bind(done)
}

// loadPartial reads the one to three elements that the last vector has.
func (t *neonTile) loadPartial(from Mem, to Reg) {
	two, done := t.Label("loadTwo"), t.Label("loaded")
	t.Op("TBNZ", Imm(1), t.cols, two)
	t.Op("LDR.S", from, to)
	t.Op("B", done)
	t.Bind(two)
	t.Op("LDR.D", from, to)
	t.Op("TBZ", Imm(0), t.cols, done)
	third := t.GP("third")
	t.Op("ADD", Imm(from.Disp+8), from.Base, third)
	t.Op("LD1.S", At(third, 0), to.Lane(2))
	t.Free(third)
	t.Bind(done)
}

// storePartial writes them.
func (t *neonTile) storePartial(from Reg, to Mem) {
	two, done := t.Label("storeTwo"), t.Label("storedPart")
	t.Op("TBNZ", Imm(1), t.cols, two)
	t.Op("STR.S", from, to)
	t.Op("B", done)
	t.Bind(two)
	t.Op("STR.D", from, to)
	t.Op("TBZ", Imm(0), t.cols, done)
	third := t.GP("third")
	t.Op("ADD", Imm(to.Disp+8), to.Base, third)
	t.Op("ST1.S", from.Lane(2), At(third, 0))
	t.Free(third)
	t.Bind(done)
}

// load reads vector v of an array or a row of C's width.
func (t *neonTile) load(base Reg, v int, partial bool, to Reg) {
	if partial && v == t.nv-1 {
		t.loadPartial(At(base, 16*v), to)
		return
	}
	t.Op("LDR.Q", At(base, 16*v), to)
}

// finish writes the epilogue, once for whole panels and once for those whose last vector is partial, and ends the kernel.
func (t *neonTile) finish(ints bool) {
	t.done = t.Label("stored")
	partial := t.Label("partial")
	t.Op("CMP", Imm(t.N), t.cols)
	t.Op("BLT", partial)
	t.epilogue(ints, false)
	t.Op("B", t.done)
	t.Bind(partial)
	t.epilogue(ints, true)
	t.Bind(t.done)
	t.advance()
}
