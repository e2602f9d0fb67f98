package main

// unroll is the number of steps in a round of the main loop.
const unroll = 4

// gemmU8S8Family are the integer products.
func gemmU8S8Family() *Family {
	f := &Family{
		Name: "gemm_u8s8", Type: "GemmU8S8", Args: gemmArgs, Scalar: "gemmU8S8Scalar",
		Doc: "GemmU8S8 is a kernel of the product of unsigned and signed bytes, with exact sums:\n\n" +
			"	for r := range rows { for c := range Cols {\n" +
			"		acc := Comp[c].lo*ZeroA[r] + Comp[c].hi*ZeroA[r]*128\n" +
			"		for k := range K { for i := range depth { acc += A[r][k*depth+i] * B[k][c][i] } }\n" +
			"		if ZeroB != nil { acc -= ZeroB[c] * RowSum[r] }\n" +
			"		y := float32(acc) * (ScaleA[r]*ScaleB[c])\n" +
			"		C[r][c] = clip(y + Bias[c] + BiasRow[r]) + Residual[r][c]\n" +
			"	}}\n\n" +
			"depth is 1 for the Go kernel, 2 for AVX2, which reads A as 16-bit integers, and 4 for the others;\n" +
			"AMX counts K in steps of 64.\n\n" +
			"On arm64 acc starts as Comp[c]*ZeroA[r], plain numbers. NEON (depth 16) and NEONDOT (4) read A as signed bytes,\n" +
			"which Signed makes; NEONI8MM (8) pairs of rows, which Pair makes: a tile of an odd number of rows is the last.",
	}
	for mr := 1; mr <= 8; mr++ {
		for nv := 1; nv <= 3; nv++ {
			t := newTile("gemmU8S8", AVX512VNNI, mr, nv)
			t.vnni()
			f.Kernels = append(f.Kernels, t.Kernel)
		}
	}
	for mr := 1; mr <= 6; mr++ {
		t := newTile("gemmU8S8", AVXVNNI, mr, 2)
		t.vnni()
		f.Kernels = append(f.Kernels, t.Kernel)
	}
	for mr := 1; mr <= 6; mr++ {
		t := newTile("gemmU8S8", AVX2, mr, 2)
		t.widening()
		f.Kernels = append(f.Kernels, t.Kernel)
	}
	f.Kernels = append(f.Kernels, amxKernel(false), amxKernel(true))
	f.Kernels = append(f.Kernels, neonIntKernels()...)
	return f
}

// vnni multiplies four bytes at a time with VPDPBUSD.
func (t *tile) vnni() {
	t.aStep, t.bWidth = 4, t.ISA.Width
	t.loadB = func(from Mem, to Reg) { t.Op("VMOVDQU", from, to) }
	if t.evex() {
		t.loadB = func(from Mem, to Reg) { t.Op("VMOVDQU32", from, to) }
	}
	t.dot = func(b, a, acc Reg) { t.Op("VPDPBUSD", b, a, acc) }
	t.integers()
}

// widening multiplies two 16-bit integers at a time with VPMADDWD; B is widened when read.
func (t *tile) widening() {
	t.aStep, t.bWidth = 4, t.ISA.Width/2
	t.loadB = func(from Mem, to Reg) { t.Op("VPMOVSXBW", from, to) }
	t.dot = func(b, a, acc Reg) {
		x := t.V("product")
		t.Op("VPMADDWD", b, a, x)
		t.Op("VPADDD", x, acc, acc)
		t.Free(x)
	}
	t.integers()
}

func (t *tile) integers() {
	t.begin()
	t.start()
	t.results()
	zero, comp, x := t.perRow("ZeroA"), t.perCol("Comp"), t.V("zero")
	for r := range t.mr {
		t.Op("VPBROADCASTD", At(zero, 4*r), x)
		for v, acc := range t.acc[r] {
			t.Op("VPMADDWD", At(comp, v*t.ISA.Width), x, acc)
		}
	}
	t.Free(zero, comp, x)
	if t.clipped {
		t.pairs()
		t.finish(true)
		return
	}
	sets := t.sets()
	a, _, free := t.rows("A", "LDA", "OffA")
	b, n := t.offset("B", "OffB"), t.Load("K")
	step := t.bWidth * t.nv
	next, fetch := t.panelAhead(n)
	t.loop(n, func(steps int) {
		fetch(steps)
		for u := range steps {
			t.step(sets[u%len(sets)], func(r int) Mem { return a(r, u*t.aStep) }, func(v int) Mem { return At(b, u*step+v*t.bWidth) })
		}
		for r := 0; r < t.mr; r += 3 {
			t.Op("ADDQ", Imm(steps*t.aStep), a(r, 0).Base)
		}
		t.Op("ADDQ", Imm(steps*step), b)
	})
	t.Free(b, n)
	t.Free(next...)
	free()
	for _, s := range sets[1:] {
		t.each(func(r, v int, acc Reg) {
			t.Op("VPADDD", s[r][v], acc, acc)
			t.Free(s[r][v])
		})
	}
	t.finish(true)
}

// start takes the accumulators.
func (t *tile) start() {
	t.acc = nil
	for range t.mr {
		row := make([]Reg, t.nv)
		for v := range row {
			row[v] = t.V("acc")
		}
		t.acc = append(t.acc, row)
	}
}

// sets adds accumulators to a small tile of integers, whose sums may be taken in any order, so that the latency of
// the products does not bound it.
func (t *tile) sets() [][][]Reg {
	sets := [][][]Reg{t.acc}
	for n := t.mr * t.nv; n*len(sets) < 10 && t.FreeV() >= n*len(sets)+t.nv+2; {
		for range len(sets) {
			var s [][]Reg
			for range t.mr {
				row := make([]Reg, t.nv)
				for v := range row {
					row[v] = t.V("acc")
					t.Clear(row[v])
				}
				s = append(s, row)
			}
			sets = append(sets, s)
		}
		if len(sets) == unroll {
			break
		}
	}
	return sets
}

// loop writes rounds of unroll steps and then single steps, n in all.
func (t *tile) loop(n Reg, body func(steps int)) {
	round, rest, single, done := t.Label("round"), t.Label("rest"), t.Label("single"), t.Label("done")
	t.Op("SUBQ", Imm(unroll), n)
	t.Op("JL", rest)
	t.Align()
	t.Bind(round)
	body(unroll)
	t.Op("SUBQ", Imm(unroll), n)
	t.Op("JGE", round)
	t.Bind(rest)
	t.Op("ADDQ", Imm(unroll), n)
	t.Op("JZ", done)
	t.Bind(single)
	body(1)
	t.Op("DECQ", n)
	t.Op("JNZ", single)
	t.Bind(done)
}

// step adds the products of one step to the accumulators.
func (t *tile) step(acc [][]Reg, a func(r int) Mem, b func(v int) Mem) {
	bs := make([]Reg, t.nv)
	for v := range bs {
		bs[v] = t.V("b")
		t.loadB(b(v), bs[v])
		if m := b(v); t.mr >= 4 && v*t.bWidth%64 == 0 && t.bWidth*t.nv >= 64 {
			t.Op("PREFETCHT0", m.Add(ahead))
		}
	}
	as := t.spare(t.mr)
	for r := range t.mr {
		x := as[r%len(as)]
		t.Op("VPBROADCASTD", a(r), x)
		for v := range bs {
			t.dot(bs[v], x, acc[r][v])
		}
	}
	t.Free(as...)
	t.Free(bs...)
}

// spare takes registers for broadcasts of A: as many as help, leaving one for products.
func (t *tile) spare(most int) []Reg {
	as := []Reg{t.V("a")}
	for len(as) < most && t.FreeV() > 1 {
		as = append(as, t.V("a"))
	}
	return as
}

// finish writes the epilogue and ends the kernel.
func (t *tile) finish(ints bool) {
	t.done = t.Label("stored")
	if !t.evex() {
		partial := t.Label("partial")
		t.Op("CMPQ", t.Field("Cols"), Imm(t.N))
		t.Op("JL", partial)
		t.epilogue(ints, false)
		t.Op("JMP", t.done)
		t.Bind(partial)
	}
	t.epilogue(ints, true)
	t.Bind(t.done)
	t.advance()
	t.each(func(_, _ int, acc Reg) { t.Free(acc) })
}
