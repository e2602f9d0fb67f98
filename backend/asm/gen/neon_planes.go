package main

// On arm64 a load at an edge reads four elements that are all in the row, and a table of byte numbers, TBL's, puts those
// of the window in their lanes. An edge block has in Masks, of asm.PlanesBlocks: for each load that table, the distance in
// bytes of what is read, and 8 bytes of nothing; then the number of columns to store and 8 bytes of nothing.

// edgeBytes is the size of an edge block in Masks.
func (p *planes) edgeBytes() int {
	if p.ISA.arm() {
		return 32*p.loads() + 16
	}
	return (p.loads() + 1) * p.ISA.Width
}

// neonIndexes leaves in registers where the loads of the block are in a row.
func (p *planes) neonIndexes() {
	base := p.col
	if p.stride == 2 {
		base = p.GP("twice")
		p.Op("LSL", Imm(1), p.col, base)
	}
	for l := range p.loads() {
		r := p.GP("index")
		if p.edge {
			p.Op("MOVD", At(p.masks, 32*l+16), r)
			p.Op("ADD", base, r)
			p.Op("ADD", Imm(p.at(0, l).Disp), r)
		} else {
			p.Op("ADD", Imm(p.at(0, l).Disp), base, r)
		}
		p.index = append(p.index, r)
	}
	if p.stride == 2 {
		p.Free(base)
	}
}

// neonLoad is load on arm64.
func (p *planes) neonLoad(i, load int, to Reg) {
	m := At(p.ptr[i], 0).Idx(p.index[load], 1)
	if !p.edge {
		p.Op("LDR.Q", m, to)
		return
	}
	x, table := p.V("loaded"), p.V("table")
	p.Op("LDR.Q", m, x)
	p.Op("LDR.Q", At(p.masks, 32*load), table)
	if p.outside != 0 {
		p.Op("MOV.16B", p.fill, to)
		p.Op("TBX.16B", table, x, to)
	} else {
		p.Op("TBL.16B", table, x, to)
	}
	p.Free(x, table)
}

// neonStore writes the columns of a vector that are wanted.
func (p *planes) neonStore(x, dst Reg) {
	part, odd, done := p.Label("part"), p.Label("odd"), p.Label("whole")
	n := p.GP("columns")
	p.Op("MOVD", At(p.masks, 32*p.loads()), n)
	p.Op("TBZ", Imm(2), n, part)
	p.Op("STR.Q", x, At(dst, 0))
	p.Op("B", done)
	p.Bind(part)
	p.Op("TBZ", Imm(1), n, odd)
	p.Op("STR.D", x, At(dst, 0))
	p.Op("TBZ", Imm(0), n, done)
	p.Op("ADD", Imm(8), dst, n)
	p.Op("ST1.S", x.Lane(2), At(n, 0))
	p.Op("B", done)
	p.Bind(odd)
	p.Op("STR.S", x, At(dst, 0))
	p.Bind(done)
	p.Free(n)
}

// neonLarger makes acc the larger of the two, acc where they are equal; a NaN in either stays.
func (p *planes) neonLarger(x, acc Reg) {
	t, least := p.V("larger"), p.V("least")
	p.Op("FMAX.4S", x, acc, t)
	p.Op("FCMGE.4S", x, acc, least)
	p.Op("BIF.16B", least, t, acc)
	p.Free(t, least)
}

// neonWeights makes the registers of a window's weights, four to each, and returns what loads them.
func (p *planes) neonWeights() (w []Reg, load func(from Reg)) {
	n := p.kh * p.kw
	for range (n + 3) / 4 {
		w = append(w, p.V("weights"))
	}
	return w, func(from Reg) {
		for i, r := range w {
			op := "LDR.Q"
			if n-4*i < 4 {
				op = "LDR.S" // of nine or of 25 one is left
			}
			p.Op(op, At(from, 16*i), r)
		}
	}
}
