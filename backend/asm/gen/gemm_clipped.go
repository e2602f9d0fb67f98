package main

import "fmt"

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

// pairs adds Init and the products of two groups of four bytes per step: five instructions for 64 products. A row's
// bytes are broadcast once for all vectors; of B as much is in registers as the tile leaves.
func (t *tile) pairs() {
	t.unless("Init", 0, func() {
		at, _, free := t.rows("Init", "LDI", "OffI")
		t.each(func(r, v int, acc Reg) { t.Op("VPADDD", at(r, v*t.ISA.Width), acc, acc) })
		free()
	})
	ones, x, y, p, q := t.V("ones"), t.V("x"), t.V("y"), t.V("p"), t.V("q")
	var b []Reg
	for len(b) < 2*t.nv && t.mr > 1 && t.FreeV() > 0 {
		b = append(b, t.V("b"))
	}
	t.Op("VPBROADCASTD", t.U32(1<<16|1), ones)
	a, _, free := t.rows("A", "LDA", "OffA")
	from, n := t.offset("B", "OffB"), t.Load("K")
	width, group := t.ISA.Width, t.ISA.Width*t.nv
	t.loop(n, func(steps int) {
		for u := range steps {
			at := func(v, i int) Mem { return At(from, (2*u+i)*group+v*width) }
			for i, to := range b {
				t.Op("VMOVDQU", at(i/2, i%2), to)
			}
			part := func(v, i int) Operand {
				if 2*v+i < len(b) {
					return b[2*v+i]
				}
				return at(v, i)
			}
			for r := range t.mr {
				t.Op("VPBROADCASTD", a(r, 8*u), x)
				t.Op("VPBROADCASTD", a(r, 8*u+4), y)
				for v := range t.nv {
					to, too := p, q
					if v == t.nv-1 {
						to, too = x, y
					}
					t.Op("VPMADDUBSW", part(v, 0), x, to)
					t.Op("VPMADDUBSW", part(v, 1), y, too)
					t.Op("VPADDW", to, too, to)
					t.Op("VPMADDWD", ones, to, to)
					t.Op("VPADDD", to, t.acc[r][v], t.acc[r][v])
				}
			}
		}
		for r := 0; r < t.mr; r += 3 {
			t.Op("ADDQ", Imm(8*steps), a(r, 0).Base)
		}
		t.Op("ADDQ", Imm(2*steps*group), from)
	})
	t.Free(append(b, ones, x, y, p, q, from, n)...)
	free()
}

// restFamily are the products with what clipping leaves of B.
func restFamily() *Family {
	args := &Args{Name: "Rest", Fields: []Field{
		{"Dst", "*int32", "Cols columns of Rows rows, from Skip on"},
		{"A", "*uint8", "rows of A by column, as Columns writes them"},
		{"Terms", "*Terms", "terms of columns from Skip on"},
		{"N", "int64", "Terms, may be 0"},
		{"Skip", "int64", "bytes of Dst that columns before the first would have"},
		{"Cols", "int64", "at least 1"},
		{"Rows", "int64", "those of the kernel, for the Go code"},
	}}
	return &Family{
		Name: "rest", Type: "Rest", Args: args, Scalar: "restScalar", Kernels: []*Kernel{rest32(args), rest8(args)},
		Doc: "Rest is a kernel of the product of M rows of A and what clipping leaves of B:\n\n" +
			"	Dst = 0\n" +
			"	for _, t := range Terms { for i := range 4 { for r := range Rows { Dst[t.Col][r] += A[r][t.At[i]/4] * t.By[i] } } }\n\n" +
			"Neither the positive nor the negative ones of By add up to more than 128.",
	}
}

// restLoop clears Dst and runs the body for each of the terms. Sums are in memory rather than in registers, since the
// number of a column's terms is different for each, and what a mispredicted jump costs is as much as all its terms.
func restLoop(k *Kernel, body func(dst, a, terms Reg)) *Kernel {
	dst, n, zero := k.Load("Dst"), k.Load("Cols"), k.V("zero")
	clear, term, done := k.Label("clear"), k.Label("term"), k.Label("done")
	k.Clear(zero)
	k.Bind(clear)
	for i := range k.M / 8 {
		k.Op("VMOVDQU", zero, At(dst, 32*i))
	}
	k.Op("ADDQ", Imm(4*k.M), dst)
	k.Op("DECQ", n)
	k.Op("JNZ", clear)
	k.Free(zero)
	k.Op("MOVQ", k.Field("Dst"), dst)
	k.Op("SUBQ", k.Field("Skip"), dst)
	k.Op("MOVQ", k.Field("N"), n)
	a, terms := k.Load("A"), k.Load("Terms")
	k.Op("TESTQ", n, n)
	k.Op("JZ", done)
	k.Bind(term)
	body(dst, a, terms)
	k.Op("ADDQ", Imm(16), terms)
	k.Op("DECQ", n)
	k.Op("JNZ", term)
	k.Bind(done)
	k.Ret()
	return k
}

// rest32 takes 32 rows: the words of even and of odd rows are widened by one instruction each.
func rest32(args *Args) *Kernel {
	k := NewKernel("rest32AVX2", AVX2, args)
	k.M = 32
	even := k.V("even")
	k.Op("VPBROADCASTD", k.U32(1), even)
	return restLoop(k, func(dst, a, terms Reg) {
		var lo, hi [2]Reg
		at, by := k.GP("at"), k.V("by")
		for i := range lo {
			x, y := k.V("x"), k.V("y")
			k.Op("MOVWQZX", At(terms, 4*i), at)
			k.Op("VMOVDQU", At(a, 0).Idx(at, 8), x)
			k.Op("MOVWQZX", At(terms, 4*i+2), at)
			k.Op("VMOVDQU", At(a, 0).Idx(at, 8), y)
			k.Op("VPBROADCASTW", At(terms, 8+2*i), by)
			lo[i], hi[i] = k.V("lo"), x
			k.Op("VPUNPCKLBW", y, x, lo[i])
			k.Op("VPUNPCKHBW", y, x, hi[i])
			k.Op("VPMADDUBSW", by, lo[i], lo[i])
			k.Op("VPMADDUBSW", by, hi[i], hi[i])
			k.Free(y)
		}
		k.Op("MOVLQZX", At(terms, 12), at)
		for i, x := range [2][2]Reg{lo, hi} {
			k.Op("VPADDW", x[0], x[1], x[0])
			k.Op("VPMADDWD", even, x[0], x[1])
			k.Op("VPSRAD", Imm(16), x[0], x[0])
			for j, y := range [2]Reg{x[1], x[0]} {
				m := At(dst, 64*i+32*j).Idx(at, 8)
				k.Op("VPADDD", m, y, y)
				k.Op("VMOVDQU", y, m)
			}
		}
		k.Free(at, by, lo[0], lo[1], hi[0], hi[1])
	})
}

// rest8 takes eight rows.
func rest8(args *Args) *Kernel {
	k := NewKernel("rest8AVX2", AVX2, args)
	k.M = 8
	return restLoop(k, func(dst, a, terms Reg) {
		var sums [2]Reg
		at, by := k.GP("at"), k.V("by")
		for i := range sums {
			x, y := k.V("x"), k.V("y")
			k.Op("MOVWQZX", At(terms, 4*i), at)
			k.Op("VMOVQ", At(a, 0).Idx(at, 2), x.X())
			k.Op("MOVWQZX", At(terms, 4*i+2), at)
			k.Op("VMOVQ", At(a, 0).Idx(at, 2), y.X())
			k.Op("VPBROADCASTW", At(terms, 8+2*i), by.X())
			k.Op("VPUNPCKLBW", y.X(), x.X(), x.X())
			k.Op("VPMADDUBSW", by.X(), x.X(), x.X())
			sums[i] = x
			k.Free(y)
		}
		k.Op("MOVLQZX", At(terms, 12), at)
		k.Op("VPADDW", sums[0].X(), sums[1].X(), sums[0].X())
		k.Op("VPMOVSXWD", sums[0].X(), sums[0])
		m := At(dst, 0).Idx(at, 2)
		k.Op("VPADDD", m, sums[0], sums[0])
		k.Op("VMOVDQU", sums[0], m)
		k.Free(at, by, sums[0], sums[1])
	})
}

// columnsFamily brings bytes of rows to the columns that the kernels of restFamily read.
func columnsFamily() *Family {
	args := &Args{Name: "Columns", Fields: []Field{
		{"Dst", "*uint8", "4*N columns of Rows bytes, row r in byte RowPlace(r)"},
		{"Src", "*uint8", "N groups of four bytes of each of the rows"},
		{"N", "int64", "at least 1"},
		{"Rows", "int64", "those of the kernel, for the Go code"},
	}}
	return &Family{
		Name: "columns", Type: "Columns", Args: args, Scalar: "columnsScalar", Kernels: []*Kernel{columns(args, 32), columns(args, 8)},
		Doc: "Columns is a kernel that brings bytes of M rows together by column:\n\n" +
			"	for k := range N { for i := range 4 { for r := range Rows { Dst[4*k+i][place of r] = Src[k][r][i] } } }",
	}
}

func columns(args *Args, rows int) *Kernel {
	k := NewKernel(fmt.Sprintf("columns%dAVX2", rows), AVX2, args)
	k.M = rows
	order := k.Lanes(0x0c080400, 0x0d090501, 0x0e0a0602, 0x0f0b0703, 0x0c080400, 0x0d090501, 0x0e0a0602, 0x0f0b0703)
	dst, src, n := k.Load("Dst"), k.Load("Src"), k.Load("N")
	shuffle := k.V("order")
	k.Op("VMOVDQU", order, shuffle)
	halves := k.V("halves")
	if rows == 8 {
		k.Op("VMOVDQU", k.Lanes(0, 4, 1, 5, 2, 6, 3, 7), halves)
	}
	var r, p [4]Reg
	for i := range r {
		r[i], p[i] = k.V("rows"), k.V("pair")
	}
	loop := k.Label("loop")
	k.Bind(loop)
	for i := range rows / 8 {
		k.Op("VMOVDQU", At(src, 32*i), r[i])
		k.Op("VPSHUFB", shuffle, r[i], r[i])
	}
	if rows == 8 {
		k.Op("VPERMD", r[0], halves, r[0])
		k.Op("VMOVDQU", r[0], At(dst, 0))
	} else {
		for i := range 2 {
			k.Op("VPUNPCKLBW", r[2*i+1], r[2*i], p[2*i])
			k.Op("VPUNPCKHBW", r[2*i+1], r[2*i], p[2*i+1])
		}
		for i, op := range []string{"VPUNPCKLQDQ", "VPUNPCKHQDQ", "VPUNPCKLQDQ", "VPUNPCKHQDQ"} {
			k.Op(op, p[2+i/2], p[i/2], r[i])
			k.Op("VMOVDQU", r[i], At(dst, 32*i))
		}
	}
	k.Op("ADDQ", Imm(4*rows), src)
	k.Op("ADDQ", Imm(4*rows), dst)
	k.Op("DECQ", n)
	k.Op("JNZ", loop)
	k.Ret()
	return k
}
