package main

// ahead is how far before its use B is prefetched to the first cache level.
const ahead = 4096

// prefetches says whether the tile prefetches more than B's next steps: AVX-512's, which work so fast that the first
// tile of a panel waits for B from beyond the second cache level, and a store for C.
func (t *tile) prefetches() bool { return t.evex() && t.mr >= 4 }

// results prefetches the tile's part of C, so that it is there when the sums are.
func (t *tile) results() {
	if !t.prefetches() {
		return
	}
	at, _, free := t.rows("C", "LDC", "OffC")
	for r := range t.mr {
		for v := range t.nv {
			t.Op("PREFETCHT0", at(r, v*t.ISA.Width))
		}
	}
	free()
}

// panelAhead brings the next panel to the second cache level while this one is used: each of the first tiles of a panel
// fetches one line per step of n, which together are as many as B has. fetch is to be called once for some steps; taken
// are the registers to free.
func (t *tile) panelAhead(n Reg) (taken []Reg, fetch func(steps int)) {
	if !t.prefetches() {
		return nil, func(int) {}
	}
	next, share, lines := t.Load("Tiles"), t.Label("share"), (t.nv*t.bWidth+63)/64
	t.Op("SUBQ", t.Field("Left"), next)
	t.Op("CMPQ", next, Imm(lines))
	t.Op("JL", share)
	t.Op("MOVQ", Imm(lines-1), next)
	t.Bind(share)
	t.Op("IMULQ", n, next)
	t.Op("SHLQ", Imm(6), next)
	for _, field := range []string{"B", "OffB", "PanelB"} {
		t.Op("ADDQ", t.Field(field), next)
	}
	return []Reg{next}, func(steps int) {
		for u := range steps {
			t.Op("PREFETCHT1", At(next, 64*u))
		}
		t.Op("ADDQ", Imm(64*steps), next)
	}
}

// next is what is multiplied after the steps of K at b by all tiles, and lies behind them: each tile prefetches a part
// of it, so that no tile waits for B from beyond the second cache level.
func (t *amx) next(b Reg) []Reg {
	if !t.two {
		return nil
	}
	p, i := t.Load("Steps"), t.Load("Tiles")
	t.Op("SUBQ", t.Field("LeftA"), i)
	t.Op("ANDQ", Imm(3), i)
	t.Op("SHLQ", Imm(9), i)
	t.Op("SHLQ", Imm(11), p)
	t.Op("ADDQ", b, p)
	t.Op("ADDQ", i, p)
	t.Free(i)
	return []Reg{p}
}

// prefetch fetches the tile's part for a step, a quarter. With one or two tiles nothing is fetched: all of B in so few
// steps is more than they gain.
func (t *amx) prefetch(next []Reg) {
	if next == nil {
		return
	}
	few := t.Label("fewTiles")
	t.Op("CMPQ", t.Field("Tiles"), Imm(3))
	t.Op("JL", few)
	for i := range amxStep / 64 / 4 {
		t.Op("PREFETCHT1", At(next[0], 64*i))
	}
	t.Op("ADDQ", Imm(amxStep), next[0])
	t.Bind(few)
}
