package main

// signedFamily makes signed bytes of unsigned ones less 128, which the products of NEON and NEONDOT multiply.
func signedFamily() *Family {
	args := &Args{Name: "Signed", Fields: []Field{
		{"Dst", "*int8", "N values"},
		{"Src", "*uint8", "N values"},
		{"N", "int64", "a positive multiple of 32"},
	}}
	k := NewKernel("signedNEON", NEON, args)
	dst, src, n, x, y, top := k.Load("Dst"), k.Load("Src"), k.Load("N"), k.V("x"), k.V("y"), k.V("top")
	loop := k.Label("loop")
	k.Op("MOVI.16B", Imm(128), top)
	k.Bind(loop)
	k.Op("LDP.Q", At(src, 32).Post(), x, y)
	k.Op("EOR.16B", top, x, x)
	k.Op("EOR.16B", top, y, y)
	k.Op("STP.Q", x, y, At(dst, 32).Post())
	k.Op("SUBS", Imm(32), n)
	k.Op("BNE", loop)
	k.Ret()
	return &Family{
		Name: "signed", Type: "Signed", Args: args, Scalar: "signedScalar", Kernels: []*Kernel{k},
		Doc: "Signed is a kernel that subtracts 128:\n\n	for i := range N { Dst[i] = int8(int(Src[i]) - 128) }",
	}
}

// pairFamily brings two rows together, for the products of NEONI8MM.
func pairFamily() *Family {
	args := &Args{Name: "Pair", Fields: []Field{
		{"Dst", "*uint8", "2*N values"},
		{"A", "*uint8", "N values"},
		{"B", "*uint8", "N values"},
		{"N", "int64", "a positive multiple of 16"},
	}}
	k := NewKernel("pairNEON", NEON, args)
	dst, a, b, n := k.Load("Dst"), k.Load("A"), k.Load("B"), k.Load("N")
	x, y, lo, hi := k.V("x"), k.V("y"), k.V("lo"), k.V("hi")
	loop := k.Label("loop")
	k.Bind(loop)
	k.Op("LDR.Q", At(a, 16).Post(), x)
	k.Op("LDR.Q", At(b, 16).Post(), y)
	k.Op("ZIP1.2D", y, x, lo)
	k.Op("ZIP2.2D", y, x, hi)
	k.Op("STP.Q", lo, hi, At(dst, 32).Post())
	k.Op("SUBS", Imm(16), n)
	k.Op("BNE", loop)
	k.Ret()
	return &Family{
		Name: "pair", Type: "Pair", Args: args, Scalar: "pairScalar", Kernels: []*Kernel{k},
		Doc: "Pair is a kernel that interleaves eight bytes of one row and eight of another:\n\n" +
			"	for i := range N { Dst[i/8*16+i%8], Dst[i/8*16+8+i%8] = A[i], B[i] }",
	}
}

// neonInterleave brings rows of 16 bytes together: byte c of row r is at 16*r+c and goes to depth*c+r, a rotation of the
// bits of its place, of which each round of zips does one bit.
func neonInterleave(args *Args) *Kernel {
	const depth = 4
	k := NewKernel("interleave4NEON", NEON, args)
	k.M, k.N = depth, 16
	dst, ldd, src, lds, n := k.Load("Dst"), k.Load("LDD"), k.Load("Src"), k.Load("LDS"), k.Load("K")
	s, d, p, cols := k.GP("s"), k.GP("d"), k.GP("p"), k.GP("cols")
	rows, group := k.Label("rows"), k.Label("group")
	k.Bind(rows)
	k.Op("MOVD", src, s)
	k.Op("MOVD", dst, d)
	k.Op("MOVD", k.Field("Cols"), cols)
	k.Bind(group)
	k.Op("MOVD", s, p)
	regs := make([]Reg, depth)
	for i := range regs {
		if i > 0 {
			k.Op("ADD", lds, p)
		}
		regs[i] = k.V("row")
		k.Op("LDR.Q", At(p, 0), regs[i])
	}
	for bits := 1; bits < depth; bits *= 2 {
		zipped := make([]Reg, depth)
		for i := range depth / 2 {
			zipped[2*i], zipped[2*i+1] = k.V("zip"), k.V("zip")
			k.Op("ZIP1.16B", regs[i+depth/2], regs[i], zipped[2*i])
			k.Op("ZIP2.16B", regs[i+depth/2], regs[i], zipped[2*i+1])
		}
		k.Free(regs...)
		regs = zipped
	}
	for i := 0; i < depth; i += 2 {
		k.Op("STP.Q", regs[i], regs[i+1], At(d, 32).Post())
	}
	k.Free(regs...)
	k.Op("ADD", Imm(16), s)
	k.Op("SUBS", Imm(16), cols)
	k.Op("BNE", group)
	for range depth {
		k.Op("ADD", lds, src)
	}
	k.Op("ADD", ldd, dst)
	k.Op("SUBS", Imm(depth), n)
	k.Op("BNE", rows)
	k.Ret()
	return k
}

// neonTranspose takes eight rows at a time, and four when no more are left.
func neonTranspose(args *Args) *Kernel {
	k := NewKernel("transposeNEON", NEON, args)
	k.M, k.N = 4, 4
	dst, ldd, src, lds, cols := k.Load("Dst"), k.Load("LDD"), k.Load("Src"), k.Load("LDS"), k.Load("Cols")
	group, four, done := k.Label("group"), k.Label("four"), k.Label("done")
	k.Op("SUBS", Imm(8), cols)
	k.Op("BLT", four)
	k.Bind(group)
	neonTransposeRows(k, 8, dst, ldd, src, lds)
	k.Op("ADD", Imm(32), dst)
	k.Op("SUBS", Imm(8), cols)
	k.Op("BGE", group)
	k.Bind(four)
	k.Op("ADDS", Imm(8), cols)
	k.Op("BEQ", done)
	neonTransposeRows(k, 4, dst, ldd, src, lds)
	k.Bind(done)
	k.Ret()
	return k
}

// neonTransposeRows writes a number of rows at src as columns at dst, and moves src on.
func neonTransposeRows(k *Kernel, rows int, dst, ldd, src, lds Reg) {
	d, n, block := k.GP("d"), k.GP("n"), k.Label("block")
	s := make([]Reg, rows)
	for i := range s {
		s[i] = k.GP("s")
		if i == 0 {
			k.Op("MOVD", src, s[0])
		} else {
			k.Op("ADD", lds, s[i-1], s[i])
		}
	}
	k.Op("ADD", lds, s[rows-1], src)
	k.Op("MOVD", dst, d)
	k.Op("MOVD", k.Field("K"), n)
	k.Bind(block)
	var out [][]Reg
	for at := 0; at < rows; at += 4 {
		var r, t [4]Reg
		for i := range r {
			r[i], t[i] = k.V("row"), k.V("pair")
			k.Op("LDR.Q", At(s[at+i], 16).Post(), r[i])
		}
		for i := range 2 {
			k.Op("TRN1.4S", r[2*i+1], r[2*i], t[2*i])
			k.Op("TRN2.4S", r[2*i+1], r[2*i], t[2*i+1])
		}
		for i := range 2 {
			k.Op("TRN1.2D", t[2+i], t[i], r[i])
			k.Op("TRN2.2D", t[2+i], t[i], r[2+i])
		}
		out = append(out, r[:])
		k.Free(t[:]...)
	}
	for i := range 4 {
		for j, r := range out {
			k.Op("STR.Q", r[i], At(d, 16*j))
		}
		k.Op("ADD", ldd, d)
	}
	for _, r := range out {
		k.Free(r...)
	}
	k.Op("SUBS", Imm(4), n)
	k.Op("BNE", block)
	k.Free(append(s, d, n)...)
}
