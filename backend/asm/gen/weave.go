package main

// weaveFamily brings the elements of two rows side by side.
func weaveFamily() *Family {
	args := &Args{Name: "Weave", Fields: []Field{
		{"Dst", "*float32", "Rows rows of 2*Cols elements"},
		{"LDD", "int64", "bytes between rows of Dst"},
		{"A", "*float32", "Rows rows of Cols elements, those of even columns"},
		{"B", "*float32", "Rows rows of Cols elements, those of odd columns"},
		{"LDS", "int64", "bytes between rows of A and of B"},
		{"Rows", "int64", "at least 1"},
		{"Cols", "int64", "at least 8"},
	}}
	return &Family{
		Name: "weave", Type: "Weave", Args: args, Scalar: "weaveScalar",
		Kernels: []*Kernel{weaveAVX2(args), neonWeave(args)},
		Doc: "Weave is a kernel that brings the elements of two rows side by side:\n\n" +
			"	for r := range Rows { for c := range Cols { Dst[r][2*c], Dst[r][2*c+1] = A[r][c], B[r][c] } }",
	}
}

// weaveAVX2 takes eight columns at a time; the last eight of a row may have been written before.
func weaveAVX2(args *Args) *Kernel {
	k := NewKernel("weaveAVX2", AVX2, args)
	dst, ldd, a, b, lds := k.Load("Dst"), k.Load("LDD"), k.Load("A"), k.Load("B"), k.Load("LDS")
	rows, s, t, d, n := k.Load("Rows"), k.GP("s"), k.GP("t"), k.GP("d"), k.GP("n")
	x, y, lo, hi := k.V("x").Y(), k.V("y").Y(), k.V("lo").Y(), k.V("hi").Y()
	eight := func() {
		k.Op("VMOVUPS", At(s, 0), x)
		k.Op("VMOVUPS", At(t, 0), y)
		k.Op("VUNPCKLPS", y, x, lo)
		k.Op("VUNPCKHPS", y, x, hi)
		k.Op("VPERM2F128", Imm(0x20), hi, lo, x)
		k.Op("VPERM2F128", Imm(0x31), hi, lo, y)
		k.Op("VMOVUPS", x, At(d, 0))
		k.Op("VMOVUPS", y, At(d, 32))
	}
	row, group, last := k.Label("row"), k.Label("group"), k.Label("last")
	k.Bind(row)
	k.Op("MOVQ", a, s)
	k.Op("MOVQ", b, t)
	k.Op("MOVQ", dst, d)
	k.Op("MOVQ", k.Field("Cols"), n)
	k.Op("SUBQ", Imm(8), n)
	k.Op("JLE", last)
	k.Bind(group)
	eight()
	k.Op("ADDQ", Imm(32), s)
	k.Op("ADDQ", Imm(32), t)
	k.Op("ADDQ", Imm(64), d)
	k.Op("SUBQ", Imm(8), n)
	k.Op("JG", group)
	k.Bind(last)
	k.Op("LEAQ", At(s, 0).Idx(n, 4), s)
	k.Op("LEAQ", At(t, 0).Idx(n, 4), t)
	k.Op("LEAQ", At(d, 0).Idx(n, 8), d)
	eight()
	k.Op("ADDQ", lds, a)
	k.Op("ADDQ", lds, b)
	k.Op("ADDQ", ldd, dst)
	k.Op("SUBQ", Imm(1), rows)
	k.Op("JNZ", row)
	k.Ret()
	return k
}

// neonWeave takes four columns at a time, as weaveAVX2 does eight.
func neonWeave(args *Args) *Kernel {
	k := NewKernel("weaveNEON", NEON, args)
	dst, ldd, a, b, lds := k.Load("Dst"), k.Load("LDD"), k.Load("A"), k.Load("B"), k.Load("LDS")
	rows, s, t, d, n, m := k.Load("Rows"), k.GP("s"), k.GP("t"), k.GP("d"), k.GP("n"), k.GP("m")
	x, y, lo, hi := k.V("x"), k.V("y"), k.V("lo"), k.V("hi")
	four := func() {
		k.Op("LDR.Q", At(s, 16).Post(), x)
		k.Op("LDR.Q", At(t, 16).Post(), y)
		k.Op("ZIP1.4S", y, x, lo)
		k.Op("ZIP2.4S", y, x, hi)
		k.Op("STP.Q", lo, hi, At(d, 32).Post())
	}
	row, group, last := k.Label("row"), k.Label("group"), k.Label("last")
	k.Bind(row)
	k.Op("MOVD", a, s)
	k.Op("MOVD", b, t)
	k.Op("MOVD", dst, d)
	k.Op("MOVD", k.Field("Cols"), n)
	k.Op("SUBS", Imm(4), n)
	k.Op("BLE", last)
	k.Bind(group)
	four()
	k.Op("SUBS", Imm(4), n)
	k.Op("BGT", group)
	k.Bind(last)
	k.Op("LSL", Imm(2), n, m)
	k.Op("ADD", m, s)
	k.Op("ADD", m, t)
	k.Op("LSL", Imm(1), m)
	k.Op("ADD", m, d)
	four()
	k.Op("ADD", lds, a)
	k.Op("ADD", lds, b)
	k.Op("ADD", ldd, dst)
	k.Op("SUBS", Imm(1), rows)
	k.Op("BNE", row)
	k.Ret()
	return k
}
