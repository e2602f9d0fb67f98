package main

// gemmF32Family are the float32 products.
func gemmF32Family() *Family {
	return floatFamily("gemm_f32", "GemmF32", "gemmF32Scalar", 4,
		"GemmF32 is a kernel of the float32 product, one fused multiply-add per step and result:", func(t *tile) {
			t.loadB = func(from Mem, to Reg) { t.Op("VMOVUPS", from, to) }
		})
}

// gemmF16Family are the products of float32 and float16, which is widened when read.
func gemmF16Family() *Family {
	return floatFamily("gemm_f16", "GemmF16", "gemmF16Scalar", 2,
		"GemmF16 is GemmF32 with B in float16, widened exactly:", func(t *tile) {
			t.loadB = func(from Mem, to Reg) { t.Op("VCVTPH2PS", from, to) }
		})
}

// floatFamily makes a family of size bytes per element of B.
func floatFamily(name, typ, scalar string, size int, doc string, set func(t *tile)) *Family {
	f := &Family{
		Name: name, Type: typ, Args: gemmArgs, Scalar: scalar,
		Doc: doc + "\n\n" +
			"	for r := range rows { for c := range Cols {\n" +
			"		acc := float32(0)\n" +
			"		for k := range K { acc = fma(A[r][k], B[k][c], acc) }\n" +
			"		y := acc * Alpha\n" +
			"		C[r][c] = clip(y + Bias[c] + BiasRow[r]) + Residual[r][c]\n" +
			"	}}",
	}
	add := func(isa *ISA, mr, nv int) {
		t := newTile(unexported(typ), isa, mr, nv)
		t.aStep, t.bWidth = 4, isa.Width/4*size
		set(t)
		t.floats(size == 4)
		f.Kernels = append(f.Kernels, t.Kernel)
	}
	for mr := 1; mr <= 8; mr++ {
		for nv := 1; nv <= 3; nv++ {
			add(AVX512, mr, nv)
		}
	}
	for mr := 1; mr <= 6; mr++ {
		add(AVX2, mr, 2)
	}
	f.Kernels = append(f.Kernels, neonTiles(func(mr, nv int) *Kernel { return neonGemmFloat(unexported(typ), size, mr, nv) })...)
	return f
}

// floats writes the kernel. Steps of B are LDB apart; with unpacked, B may be a matrix in place, whose last vector is
// read under the mask of Cols in single steps when the caller sets the flag for it.
func (t *tile) floats(unpacked bool) {
	t.dot = func(b, a, acc Reg) { t.Op("VFMADD231PS", b, a, acc) }
	t.begin()
	t.start()
	t.results()
	t.each(func(_, _ int, acc Reg) { t.Clear(acc) })
	a, _, free := t.rows("A", "LDA", "OffA")
	b, ld, ld3, n := t.offset("B", "OffB"), t.Load("LDB"), t.GP("3*LDB"), t.Load("K")
	t.Op("LEAQ", At(ld, 0).Idx(ld, 2), ld3)
	at := func(u, v int) Mem {
		m := At(b, v*t.bWidth)
		switch u {
		case 1, 2:
			return m.Idx(ld, u)
		case 3:
			return m.Idx(ld3, 1)
		}
		return m
	}
	next, fetch := t.panelAhead(n)
	body := func(steps int) {
		fetch(steps)
		for u := range steps {
			t.step(t.acc, func(r int) Mem { return a(r, u*t.aStep) }, func(v int) Mem { return at(u, v) })
		}
		for r := 0; r < t.mr; r += 3 {
			t.Op("ADDQ", Imm(steps*t.aStep), a(r, 0).Base)
		}
		if steps == 1 {
			t.Op("ADDQ", ld, b)
		} else {
			t.Op("LEAQ", At(b, 0).Idx(ld, steps), b)
		}
	}
	if unpacked {
		t.underMask(n, body)
	} else {
		t.loop(n, body)
	}
	t.Free(b, ld, ld3, n)
	t.Free(next...)
	free()
	t.finish(false)
}

// underMask writes the loop, and one of single steps that reads the last vector of each under the mask.
func (t *tile) underMask(n Reg, body func(steps int)) {
	masked, single, done := t.Label("masked"), t.Label("maskedSingle"), t.Label("summed")
	plain := t.Label("plain")
	t.Op("TESTQ", Imm(gemmTail), t.Field("Flags"))
	t.Op("JZ", plain)
	t.Op("CMPQ", t.Field("Cols"), Imm(t.N))
	t.Op("JL", masked)
	t.Bind(plain)
	t.loop(n, body)
	t.Op("JMP", done)
	t.Bind(masked)
	t.loadB = func(from Mem, to Reg) { t.load(from, from.Disp/t.bWidth, true, to) }
	t.Op("TESTQ", n, n)
	t.Op("JZ", done)
	t.Bind(single)
	body(1)
	t.Op("DECQ", n)
	t.Op("JNZ", single)
	t.Bind(done)
}
