package main

// neonRows and neonVectors are the tallest and widest tile of float32: 24 of the 32 registers are accumulators, 6 hold four
// steps of A each, and two take B.
const (
	neonRows    = 6
	neonVectors = 4
)

// neonTiles writes a kernel for every size of tile.
func neonTiles(write func(mr, nv int) *Kernel) []*Kernel {
	var all []*Kernel
	for mr := 1; mr <= neonRows; mr++ {
		for nv := 1; nv <= neonVectors; nv++ {
			all = append(all, write(mr, nv))
		}
	}
	return all
}

// neonGemmFloat writes a product of float32 by elements of size bytes, four or two. With four, B may be a matrix in place, whose
// last vector is read in parts when the caller sets the flag for it.
func neonGemmFloat(op string, size, mr, nv int) *Kernel {
	t := newNEONTile(op, NEON, gemmArgs, mr, nv)
	t.begin()
	t.start(mr, nv)
	a := t.rows(mr, "A", "LDA", "OffA")
	b, ld, n, index := t.at("B", "OffB"), t.Load("LDB"), t.Load("K"), t.GP("index")
	next := func() Reg { return b }
	step := func() { t.Op("ADD", ld, b) }
	t.Op("MOVD", Imm(0), index)
	if size == 2 {
		t.loop(n, 4, func(steps int) { t.steps(a, index, steps, next, step, t.loadHalves) })
	} else {
		t.underMask(n, func(steps int, load loadVectors) { t.steps(a, index, steps, next, step, load) })
	}
	t.Free(append(a, b, ld, n, index)...)
	t.finish(false)
	return t.Kernel
}

// loadVectors reads vectors v and, when there are two registers, v+1 of a step of B, which starts at a register.
type loadVectors func(b Reg, v int, to []Reg)

// loadFloats reads float32.
func (t *neonTile) loadFloats(b Reg, v int, to []Reg) {
	if len(to) == 2 {
		t.Op("LDP.Q", At(b, 16*v), to[0], to[1])
		return
	}
	t.Op("LDR.Q", At(b, 16*v), to[0])
}

// loadPart reads float32, of which the last vector is partial.
func (t *neonTile) loadPart(b Reg, v int, to []Reg) {
	for i, r := range to {
		t.load(b, v+i, true, r)
	}
}

// loadHalves reads float16 and widens it.
func (t *neonTile) loadHalves(b Reg, v int, to []Reg) {
	if len(to) == 2 {
		t.Op("LDR.Q", At(b, 8*v), to[1])
		t.Op("FCVTL.4S", to[1], to[0])
		t.Op("FCVTL2.4S", to[1], to[1])
		return
	}
	t.Op("LDR.D", At(b, 8*v), to[0])
	t.Op("FCVTL.4S", to[0], to[0])
}

// steps adds the products of four steps, or of one, to the accumulators. next is the register with the address of a step of
// B, which step goes on from.
func (t *neonTile) steps(a []Reg, index Reg, steps int, next func() Reg, step func(), load loadVectors) {
	as := t.vectors(t.mr, "a")
	for r := range a {
		if steps == 4 {
			t.Op("LDR.Q", At(a[r], 0).Idx(index, 1), as[r])
		} else {
			t.Op("LDR.S", At(a[r], 0).Idx(index, 1), as[r])
		}
	}
	t.Op("ADD", Imm(4*steps), index)
	bs := t.vectors(min(t.FreeV()&^1, 8), "b")
	at := 0 // of bs, whose registers take turns
	for u := range steps {
		b := next()
		for v := 0; v < t.nv; v += 2 {
			to := bs[at:min(at+2, at+t.nv-v)]
			at = (at + 2) % len(bs)
			load(b, v, to)
			for i := range to {
				for r := range a {
					t.Op(t.op, as[r].Lane(u), to[i], t.acc[r][v+i])
				}
			}
		}
		step()
	}
	t.Free(append(as, bs...)...)
}

// underMask writes the loop, and one of single steps that reads the last vector of each in parts.
func (t *neonTile) underMask(n Reg, body func(steps int, load loadVectors)) {
	parts, single, plain, done := t.Label("parts"), t.Label("partsSingle"), t.Label("plain"), t.Label("added")
	flags := t.Load("Flags")
	t.Op("TBZ", Imm(bitTail), flags, plain)
	t.Free(flags)
	t.Op("CMP", Imm(t.N), t.cols)
	t.Op("BLT", parts)
	t.Bind(plain)
	t.loop(n, 4, func(steps int) { body(steps, t.loadFloats) })
	t.Op("B", done)
	t.Bind(parts)
	t.Op("CBZ", n, done)
	t.Bind(single)
	body(1, t.loadPart)
	t.Op("SUBS", Imm(1), n)
	t.Op("BNE", single)
	t.Bind(done)
}

// neonConv writes a convolution: steps of B lie anywhere.
func neonConv(mr, nv int) *Kernel {
	t := newNEONTile("convF32", NEON, convArgs, mr, nv)
	t.begin()
	t.start(mr, nv)
	a := t.rows(mr, "A", "LDA", "OffA")
	x, off, n, index, at := t.at("X", "OffB"), t.Load("Offset"), t.Load("K"), t.GP("index"), t.GP("at")
	t.Op("MOVD", Imm(0), index)
	next := func() Reg {
		t.Op("MOVD", At(off, 0), at)
		t.Op("ADD", x, at)
		return at
	}
	step := func() { t.Op("ADD", Imm(8), off) }
	t.underMask(n, func(steps int, load loadVectors) { t.steps(a, index, steps, next, step, load) })
	t.Free(append(a, x, off, n, index, at)...)
	t.finish(false)
	return t.Kernel
}
