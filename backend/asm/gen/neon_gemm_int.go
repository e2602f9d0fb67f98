package main

// neonIntKernels are the integer products of arm64, for every size of tile.
func neonIntKernels() []*Kernel {
	var all []*Kernel
	for mr := 1; mr <= 8; mr++ {
		for nv := 1; nv <= 3; nv++ {
			all = append(all, neonMatrix(mr, nv))
		}
	}
	all = append(all, neonTiles(neonDot)...)
	for mr := 1; mr <= 4; mr++ {
		all = append(all, neonMull(mr))
	}
	return all
}

// neonDot multiplies four bytes at a time with SDOT, as products by element: a vector of A holds four steps of a row.
func neonDot(mr, nv int) *Kernel {
	t := newNEONTile("gemmU8S8", NEONDOT, gemmArgs, mr, nv)
	t.op = "SDOT.4S"
	t.begin()
	t.start(mr, nv)
	a := t.rows(mr, "A", "LDA", "OffA")
	b, n, index := t.at("B", "OffB"), t.Load("K"), t.GP("index")
	t.Op("MOVD", Imm(0), index)
	next := func() Reg { return b }
	step := func() { t.Op("ADD", Imm(16*nv), b) }
	t.loop(n, 4, func(steps int) { t.steps(a, index, steps, next, step, t.loadFloats) })
	t.Free(append(a, b, n, index)...)
	t.finish(true)
	return t.Kernel
}

// neonMatrix multiplies eight bytes of two rows and two columns at a time with USMMLA: a vector of A is eight elements of
// each of two rows, one of B of two columns, and one of sums has two rows of two columns.
func neonMatrix(mr, nv int) *Kernel {
	t := newNEONTile("gemmU8S8", NEONI8MM, gemmArgs, mr, nv)
	pairs, wide := (mr+1)/2, 2*nv
	t.begin()
	t.start(pairs, wide)
	a := []Reg{t.at("A", "OffA")}
	if pairs > 1 {
		ld := t.Load("LDA")
		t.Op("LSL", Imm(1), ld)
		for i := 1; i < pairs; i++ {
			a = append(a, t.GP("A"))
			t.Op("ADD", ld, a[i-1], a[i])
		}
		t.Free(ld)
	}
	b, n := t.at("B", "OffB"), t.Load("K")
	as, bs := t.vectors(pairs, "a"), t.vectors(min(t.FreeV()&^1, 8), "b")
	at := 0
	t.loop(n, 2, func(steps int) {
		for u := range steps {
			for p := range a {
				t.Op("LDR.Q", At(a[p], 16).Post(), as[p])
			}
			for v := 0; v < wide; v += 2 {
				to := bs[at : at+2]
				at = (at + 2) % len(bs)
				t.Op("LDP.Q", At(b, 16*(u*wide+v)), to[0], to[1])
				for i := range to {
					for p := range a {
						t.Op("USMMLA.4S", to[i], as[p], t.acc[p][v+i])
					}
				}
			}
		}
		t.Op("ADD", Imm(16*wide*steps), b)
	})
	t.Free(append(append(append(a, b, n), as...), bs...)...)
	t.unpair()
	t.finish(true)
	return t.Kernel
}

// unpair makes rows of vectors of four columns of sums of two rows by two columns.
func (t *neonTile) unpair() {
	rows := make([][]Reg, 2*len(t.acc))
	for p, sums := range t.acc {
		for v := 0; v < len(sums); v += 2 {
			x, y, first := sums[v], sums[v+1], t.V("acc")
			t.Op("ZIP1.2D", y, x, first)
			t.Op("ZIP2.2D", y, x, y)
			t.Free(x)
			rows[2*p], rows[2*p+1] = append(rows[2*p], first), append(rows[2*p+1], y)
		}
	}
	if t.mr < len(rows) {
		t.Free(rows[t.mr]...)
	}
	t.acc = rows[:t.mr]
}

// neonMull multiplies sixteen bytes of a row and a column at a time to products of 16 bits, which do not overflow, and adds
// pairs of these. Processors without dot products multiply in one pipeline and add in another.
func neonMull(mr int) *Kernel {
	const columns = 4
	t := newNEONTile("gemmU8S8", NEON, gemmArgs, mr, 1)
	t.begin()
	t.start(mr, columns)
	a := t.rows(mr, "A", "LDA", "OffA")
	b, n := t.at("B", "OffB"), t.Load("K")
	as, bs, products := t.vectors(min(mr, 4), "a"), t.vectors(columns, "b"), t.vectors(2*columns, "product")
	round := t.Label("round")
	summed := t.Label("summed")
	t.Op("CBZ", n, summed)
	t.Bind(round)
	for i := 0; i < columns; i += 2 {
		t.Op("LDP.Q", At(b, 16*i), bs[i], bs[i+1])
	}
	for r := range a {
		t.Op("LDR.Q", At(a[r], 16).Post(), as[r])
	}
	for r := range a {
		for c := range bs {
			t.Op("SMULL.8H", as[r], bs[c], products[2*c])
			t.Op("SMULL2.8H", as[r], bs[c], products[2*c+1])
		}
		for i := range products {
			c := i % columns
			t.Op("SADALP.4S", products[2*c+i/columns], t.acc[r][c])
		}
	}
	t.Op("ADD", Imm(16*columns), b)
	t.Op("SUBS", Imm(1), n)
	t.Op("BNE", round)
	t.Bind(summed)
	t.Free(append(append(append(append(a, b, n), as...), bs...), products...)...)
	for r, sums := range t.acc { // each of one column's parts
		t.Op("ADDP.4S", sums[1], sums[0], sums[0])
		t.Op("ADDP.4S", sums[3], sums[2], sums[2])
		t.Op("ADDP.4S", sums[2], sums[0], sums[0])
		t.Free(sums[1:]...)
		t.acc[r] = sums[:1]
	}
	t.finish(true)
	return t.Kernel
}
