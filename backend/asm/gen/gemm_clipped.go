package main

// gemmU8C8Family are the integer products of processors without VNNI whose B is clipped, so that VPMADDUBSW, which
// multiplies 32 bytes at a time, and the sum of two such products are exact in 16 bits.
func gemmU8C8Family() *Family {
	f := &Family{
		Name: "gemm_u8c8", Type: "GemmU8C8", Args: gemmArgs, Scalar: "gemmU8C8Scalar",
		Doc: "GemmU8C8 is GemmU8S8 with sums to start from and a B of small weights: of the four that a column has at 8*k+2*h,\n" +
			"8*k+2*h+1, 8*k+2*h+4 and 8*k+2*h+5, for h of 0 and 1, neither the positive nor the negative ones add up to more\n" +
			"than 128 (255*128 fits 16 bits). A step takes 8 of K; B has groups of four bytes per column:\n\n" +
			"	acc := Init[r][c] + Comp[c].lo*ZeroA[r] + Comp[c].hi*ZeroA[r]*128\n" +
			"	for k := range K { for q := range 2 { for i := range 4 { acc += A[r][8*k+4*q+i] * B[k][q][c][i] } } }\n\n" +
			"and the rest as there.",
	}
	for mr := 1; mr <= 5; mr++ {
		t := newTile("gemmU8C8", AVX2, mr, 2)
		t.clipped = true
		t.integers()
		f.Kernels = append(f.Kernels, t.Kernel)
	}
	return f
}

// pairs adds Init and the products of two groups of four bytes per step: five instructions for 64 products.
func (t *tile) pairs() {
	t.unless("Init", 0, func() {
		at, _, free := t.rows("Init", "LDI", "OffI")
		t.each(func(r, v int, acc Reg) { t.Op("VPADDD", at(r, v*t.ISA.Width), acc, acc) })
		free()
	})
	ones, x, y := t.V("ones"), t.V("x"), t.V("y")
	b := [2]Reg{t.V("b"), t.V("b")}
	t.Op("VPBROADCASTD", t.U32(1<<16|1), ones)
	a, _, free := t.rows("A", "LDA", "OffA")
	from, n := t.offset("B", "OffB"), t.Load("K")
	width, group := t.ISA.Width, t.ISA.Width*t.nv
	t.loop(n, func(steps int) {
		for u := range steps {
			for v := range t.nv {
				for q, to := range b {
					t.Op("VMOVDQU", At(from, (2*u+q)*group+v*width), to)
				}
				for r := range t.mr {
					t.Op("VPBROADCASTD", a(r, 8*u), x)
					t.Op("VPBROADCASTD", a(r, 8*u+4), y)
					t.Op("VPMADDUBSW", b[0], x, x)
					t.Op("VPMADDUBSW", b[1], y, y)
					t.Op("VPADDW", x, y, x)
					t.Op("VPMADDWD", ones, x, x)
					t.Op("VPADDD", x, t.acc[r][v], t.acc[r][v])
				}
			}
		}
		for r := 0; r < t.mr; r += 3 {
			t.Op("ADDQ", Imm(8*steps), a(r, 0).Base)
		}
		t.Op("ADDQ", Imm(2*steps*group), from)
	})
	t.Free(append(b[:], ones, x, y, from, n)...)
	free()
}

// restRows is the number of rows that the kernels of what clipping leaves take at once.
const restRows = 32

// restFamily are the products with what clipping leaves of B.
func restFamily() *Family {
	args := &Args{Name: "Rest", Fields: []Field{
		{"Dst", "*int32", "Cols columns of 32 rows"},
		{"A", "*uint8", "rows of A by column, as Columns writes them"},
		{"Terms", "*Terms", "terms of all columns, one column after the other"},
		{"Counts", "*int32", "per column the number of its Terms, each of four terms"},
		{"Cols", "int64", "at least 1"},
	}}
	k := NewKernel("restAVX2", AVX2, args)
	dst, a, terms, counts, cols := k.Load("Dst"), k.Load("A"), k.Load("Terms"), k.Load("Counts"), k.Load("Cols")
	ones := k.V("ones")
	k.Op("VPBROADCASTD", k.U32(1<<16|1), ones)
	column, term, done := k.Label("column"), k.Label("term"), k.Label("done")
	n := k.GP("n")
	var acc, y [4]Reg
	var at [4]Reg
	for i := range acc {
		acc[i], y[i], at[i] = k.V("acc"), k.V("y"), k.GP("at")
	}
	k.Bind(column)
	for _, r := range acc {
		k.Clear(r)
	}
	k.Op("MOVLQZX", At(counts, 0), n)
	k.Op("TESTQ", n, n)
	k.Op("JZ", done)
	k.Bind(term)
	for i := range at {
		k.Op("MOVWQZX", At(terms, 2*i), at[i])
		k.Op("VMOVDQU", At(a, 0).Idx(at[i], 8), y[i])
	}
	e := k.V("by")
	k.Op("VPBROADCASTD", At(terms, 8), e)
	lo, hi := k.V("lo"), k.V("hi")
	k.Op("VPUNPCKLBW", y[1], y[0], lo)
	k.Op("VPUNPCKHBW", y[1], y[0], y[0])
	k.Op("VPUNPCKLBW", y[3], y[2], hi)
	k.Op("VPUNPCKHBW", y[3], y[2], y[2])
	x := k.V("x")
	for i, z := range [4]struct {
		op   string
		a, b Reg
	}{{"VPUNPCKLWD", lo, hi}, {"VPUNPCKHWD", lo, hi}, {"VPUNPCKLWD", y[0], y[2]}, {"VPUNPCKHWD", y[0], y[2]}} {
		k.Op(z.op, z.b, z.a, x)
		k.Op("VPMADDUBSW", e, x, x)
		k.Op("VPMADDWD", ones, x, x)
		k.Op("VPADDD", x, acc[i], acc[i])
	}
	k.Op("ADDQ", Imm(12), terms)
	k.Op("DECQ", n)
	k.Op("JNZ", term)
	k.Bind(done)
	for i, r := range acc {
		k.Op("VMOVDQU", r, At(dst, 32*i))
	}
	k.Op("ADDQ", Imm(4*restRows), dst)
	k.Op("ADDQ", Imm(4), counts)
	k.Op("DECQ", cols)
	k.Op("JNZ", column)
	k.Ret()
	return &Family{
		Name: "rest", Type: "Rest", Args: args, Scalar: "restScalar", Kernels: []*Kernel{k},
		Doc: "Rest is a kernel of the product of 32 rows of A and what clipping leaves of B:\n\n" +
			"	for c := range Cols { for _, t := range terms of c { for i := range 4 {\n" +
			"		for r := range 32 { Dst[c][r] += A[r][t.At[i]/4] * t.By[i] }\n" +
			"	}}}\n\n" +
			"By[0] and By[1], and By[2] and By[3], have different signs or add up to at most 128.",
	}
}

// columnsFamily brings bytes of rows to the columns that the kernels of restFamily read.
func columnsFamily() *Family {
	args := &Args{Name: "Columns", Fields: []Field{
		{"Dst", "*uint8", "4*N columns of 32 bytes, row r in byte r%4 + r/8*4 + r/4%2*16"},
		{"Src", "*uint8", "N groups of four bytes of each of 32 rows"},
		{"N", "int64", "at least 1"},
	}}
	k := NewKernel("columnsAVX2", AVX2, args)
	order := k.Lanes(0x0c080400, 0x0d090501, 0x0e0a0602, 0x0f0b0703, 0x0c080400, 0x0d090501, 0x0e0a0602, 0x0f0b0703)
	dst, src, n := k.Load("Dst"), k.Load("Src"), k.Load("N")
	shuffle := k.V("order")
	k.Op("VMOVDQU", order, shuffle)
	var r, p [4]Reg
	for i := range r {
		r[i], p[i] = k.V("rows"), k.V("pair")
	}
	loop := k.Label("loop")
	k.Bind(loop)
	for i := range r {
		k.Op("VMOVDQU", At(src, 32*i), r[i])
		k.Op("VPSHUFB", shuffle, r[i], r[i])
	}
	for i := range 2 {
		k.Op("VPUNPCKLDQ", r[2*i+1], r[2*i], p[2*i])
		k.Op("VPUNPCKHDQ", r[2*i+1], r[2*i], p[2*i+1])
	}
	for i, op := range []string{"VPUNPCKLQDQ", "VPUNPCKHQDQ", "VPUNPCKLQDQ", "VPUNPCKHQDQ"} {
		k.Op(op, p[2+i/2], p[i/2], r[i])
		k.Op("VMOVDQU", r[i], At(dst, 32*i))
	}
	k.Op("ADDQ", Imm(128), src)
	k.Op("ADDQ", Imm(128), dst)
	k.Op("DECQ", n)
	k.Op("JNZ", loop)
	k.Ret()
	return &Family{
		Name: "columns", Type: "Columns", Args: args, Scalar: "columnsScalar", Kernels: []*Kernel{k},
		Doc: "Columns is a kernel that brings bytes of 32 rows together by column:\n\n" +
			"	for k := range N { for i := range 4 { for r := range 32 { Dst[4*k+i][place of r] = Src[k][r][i] } } }",
	}
}
