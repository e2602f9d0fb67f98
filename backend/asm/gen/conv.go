package main

// convArgs are the arguments of the convolutions. The tile's share is that of gemmArgs.
var convArgs = &Args{Name: "Conv", Fields: []Field{
	{"A", "unsafe.Pointer", "rows of A, K elements each"},
	{"LDA", "int64", "bytes between rows of A"},
	{"X", "unsafe.Pointer", "the input; a step reads it Offset bytes on"},
	{"Offset", "*int64", "bytes, one per step"},
	{"K", "int64", "steps"},
	{"C", "unsafe.Pointer", "rows of C"},
	{"LDC", "int64", "bytes between rows of C"},
	{"Tiles", "int64", "tiles below each other, at least 1"},
	{"Panels", "int64", "panels beside each other, at least 1"},
	{"PanelB", "int64", "bytes between panels of X: the width of C's"},
	{"Cols", "int64", "columns of C in these panels; the last panel may lack less than a vector"},
	{"Flags", "int64", "Gemm… bits: GemmClip, and GemmTail always"},
	{"Bias", "*float32", "added per column, or nil"},
	{"BiasRow", "*float32", "added per row, or nil"},
	{"Residual", "*float32", "matrix added last, or nil"},
	{"LDR", "int64", "bytes between rows of Residual"},
	{"Lo", "float32", "with GemmClip: values below become Lo"},
	{"Hi", "float32", "and values above become Hi"},
	{"Alpha", "float32", "1"},
	{"OffA", "int64", "0; the kernel keeps its place here, as pointers past an end must not stay in memory"},
	{"OffC", "int64", "0"},
	{"OffR", "int64", "0"},
	{"OffRow", "int64", "0"},
	{"OffB", "int64", "0"},
	{"OffCol", "int64", "0"},
	{"Left", "int64", "0"},
}}

// convFamily are the convolutions with float32 weights.
func convFamily() *Family {
	f := &Family{
		Name: "conv_f32", Type: "ConvF32", Args: convArgs, Scalar: "convF32Scalar",
		Doc: "ConvF32 is a kernel of the float32 product whose B is read in place, each step anywhere, as input under a moving\n" +
			"kernel is. Bits are those of GemmF32:\n\n" +
			"	for r := range rows { for c := range Cols {\n" +
			"		acc := float32(0)\n" +
			"		for k := range K { acc = fma(A[r][k], X[Offset[k]+c], acc) }\n" +
			"		C[r][c] = clip(acc + Bias[c] + BiasRow[r]) + Residual[r][c]\n" +
			"	}}",
	}
	for mr := 1; mr <= 8; mr++ {
		for nv := 1; nv <= 3; nv++ {
			f.Kernels = append(f.Kernels, convTile(AVX512, mr, nv))
		}
	}
	for mr := 1; mr <= 6; mr++ {
		f.Kernels = append(f.Kernels, convTile(AVX2, mr, 2))
	}
	f.Kernels = append(f.Kernels, neonTiles(neonConv)...)
	return f
}

func convTile(isa *ISA, mr, nv int) *Kernel {
	t := newTile("convF32", isa, mr, nv)
	t.Args = convArgs
	t.aStep, t.bWidth = 4, isa.Width
	t.loadB = func(from Mem, to Reg) { t.Op("VMOVUPS", from, to) }
	t.dot = func(b, a, acc Reg) { t.Op("VFMADD231PS", b, a, acc) }
	t.begin()
	t.start()
	t.each(func(_, _ int, acc Reg) { t.Clear(acc) })
	a, _, free := t.rows("A", "LDA", "OffA")
	x, off, at, n := t.offset("X", "OffB"), t.Load("Offset"), t.GP("at"), t.Load("K")
	t.underMask(n, func(steps int) {
		for u := range steps {
			t.Op("MOVQ", At(off, 8*u), at)
			t.gathered(func(r int) Mem { return a(r, u*t.aStep) }, func(v int) Mem { return At(x, v*t.bWidth).Idx(at, 1) })
		}
		for r := 0; r < t.mr; r += 3 {
			t.Op("ADDQ", Imm(steps*t.aStep), a(r, 0).Base)
		}
		t.Op("ADDQ", Imm(8*steps), off)
	})
	t.Free(x, off, at, n)
	free()
	t.finish(false)
	return t.Kernel
}

// gathered is step without the prefetch, which has no meaning where steps are not in order.
func (t *tile) gathered(a func(r int) Mem, b func(v int) Mem) {
	bs := make([]Reg, t.nv)
	for v := range bs {
		bs[v] = t.V("b")
		t.loadB(b(v), bs[v])
	}
	as := t.spare(t.mr)
	for r := range t.mr {
		x := as[r%len(as)]
		t.Op("VPBROADCASTD", a(r), x)
		for v := range bs {
			t.dot(bs[v], x, t.acc[r][v])
		}
	}
	t.Free(as...)
	t.Free(bs...)
}

// depthwiseFamily are the convolutions of one channel.
func depthwiseFamily() *Family {
	args := &Args{Name: "Depthwise", Fields: []Field{
		{"Dst", "*float32", "N results"},
		{"X", "unsafe.Pointer", "the input; a step reads N elements of it Offset bytes on"},
		{"Offset", "*int64", "bytes, one per step"},
		{"W", "*float32", "one per step"},
		{"K", "int64", "steps, at least 1"},
		{"N", "int64", ""},
		{"Bias", "*float32", "one number that is added, or nil"},
		{"Lo", "float32", "results below become Lo"},
		{"Hi", "float32", "and results above become Hi"},
	}}
	f := &Family{
		Name: "depthwise", Type: "Depthwise", Args: args, Scalar: "depthwiseScalar",
		Doc: "Depthwise is a kernel of ConvF32 with one row of A, for more columns at a time:\n\n" +
			"	for c := range N {\n" +
			"		acc := float32(0)\n" +
			"		for k := range K { acc = fma(W[k], X[Offset[k]+c], acc) }\n" +
			"		Dst[c] = clip(acc + Bias)\n" +
			"	}",
	}
	for _, isa := range vecISAs {
		f.Kernels = append(f.Kernels, depthwiseKernel(isa, args))
	}
	return f
}

func depthwiseKernel(isa *ISA, args *Args) *Kernel {
	v := newVec("depthwise", isa, args)
	s := v.newSpan(v.Load("N"))
	group := max(4, 8*isa.Width/64) // blocks at a time: eight accumulators or more hide the latency
	many, single, tail, done := v.Label("many"), v.Label("single"), v.Label("tail"), v.Label("done")
	loop := v.Label("one")
	v.Op("XORQ", s.index, s.index)
	v.Bind(many)
	v.Op("CMPQ", s.blocks, Imm(group))
	v.Op("JL", single)
	v.columns(s, group, nil)
	v.Op("ADDQ", Imm(64*group), s.index)
	v.Op("SUBQ", Imm(group), s.blocks)
	v.Op("JMP", many)
	v.Bind(single)
	v.Op("TESTQ", s.blocks, s.blocks)
	v.Op("JZ", tail)
	v.Bind(loop)
	v.columns(s, 1, nil)
	v.Op("ADDQ", Imm(64), s.index)
	v.Op("DECQ", s.blocks)
	v.Op("JNZ", loop)
	v.Bind(tail)
	v.Op("TESTQ", s.rem, s.rem)
	v.Op("JZ", done)
	v.columns(s, 1, &s.tail)
	v.Bind(done)
	v.Ret()
	return v.Kernel
}

// columns computes n blocks of 16 columns from the span's index on.
func (v *vec) columns(s *span, n int, m *mask) {
	acc := make([]wide, n)
	for i := range acc {
		acc[i] = v.wide("acc")
		v.set(0, acc[i])
	}
	w, x, off, at, count, a := v.Load("W"), v.Load("X"), v.Load("Offset"), v.GP("at"), v.Load("K"), v.V("w")
	v.Op("ADDQ", s.index, x)
	loop := v.Label("step")
	v.Align()
	v.Bind(loop)
	v.Op("MOVQ", At(off, 0), at)
	v.Op("VBROADCASTSS", At(w, 0), a)
	for i := range acc {
		from := At(x, 64*i).Idx(at, 1)
		if m == nil {
			v.op("VFMADD231PS", from, a, acc[i])
			continue
		}
		b := v.wide("b")
		v.load(m, from, b)
		v.op("VFMADD231PS", b, a, acc[i])
		v.release(b)
	}
	v.Op("ADDQ", Imm(8), off)
	v.Op("ADDQ", Imm(4), w)
	v.Op("DECQ", count)
	v.Op("JNZ", loop)
	v.Free(w, x, off, at, count, a)
	bias, none, x4 := v.Load("Bias"), v.Label("unbiased"), v.V("bias")
	v.Op("TESTQ", bias, bias)
	v.Op("JZ", none)
	v.Op("VBROADCASTSS", At(bias, 0), x4)
	for i := range acc {
		v.op("VADDPS", x4, acc[i], acc[i])
	}
	v.Bind(none)
	for _, c := range [][2]string{{"VMAXPS", "Lo"}, {"VMINPS", "Hi"}} {
		v.Op("VBROADCASTSS", v.Field(c[1]), x4)
		for i := range acc {
			v.op(c[0], acc[i], x4, acc[i])
		}
	}
	v.Free(bias, x4)
	dst := v.Load("Dst")
	for i := range acc {
		v.store(m, acc[i], s.at(dst).Add(64*i))
		v.release(acc[i])
	}
	v.Free(dst)
}
