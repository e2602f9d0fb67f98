package main

// transposeFamily packs columns that lie contiguously.
func transposeFamily() *Family {
	args := &Args{Name: "Transpose", Fields: []Field{
		{"Dst", "*float32", "K rows of Cols elements"},
		{"LDD", "int64", "bytes between rows of Dst"},
		{"Src", "*float32", "Cols rows of K elements"},
		{"LDS", "int64", "bytes between rows of Src"},
		{"K", "int64", "a positive multiple of M"},
		{"Cols", "int64", "a positive multiple of N"},
	}}
	k := NewKernel("transposeAVX2", AVX2, args)
	k.M, k.N = 8, 8
	dst, ldd, src, lds, cols := k.Load("Dst"), k.Load("LDD"), k.Load("Src"), k.Load("LDS"), k.Load("Cols")
	s, s4, d, n := k.GP("s"), k.GP("s4"), k.GP("d"), k.GP("n")
	lds3, ldd3 := k.GP("3*lds"), k.GP("3*ldd")
	k.Op("LEAQ", At(lds, 0).Idx(lds, 2), lds3)
	k.Op("LEAQ", At(ldd, 0).Idx(ldd, 2), ldd3)
	group, block := k.Label("group"), k.Label("block")
	k.Bind(group)
	k.Op("MOVQ", src, s)
	k.Op("LEAQ", At(src, 0).Idx(lds, 4), s4)
	k.Op("MOVQ", dst, d)
	k.Op("MOVQ", k.Field("K"), n)
	k.Align()
	k.Bind(block)
	for half := range 2 {
		transpose4(k, s, s4, lds, lds3, 16*half, d, ldd, ldd3)
		k.Op("LEAQ", At(d, 0).Idx(ldd, 4), d)
	}
	k.Op("ADDQ", Imm(32), s)
	k.Op("ADDQ", Imm(32), s4)
	k.Op("SUBQ", Imm(8), n)
	k.Op("JNZ", block)
	k.Op("LEAQ", At(src, 0).Idx(lds, 8), src)
	k.Op("ADDQ", Imm(32), dst)
	k.Op("SUBQ", Imm(8), cols)
	k.Op("JNZ", group)
	k.Ret()
	return &Family{
		Name: "transpose", Type: "Transpose", Args: args, Scalar: "transposeScalar", Kernels: []*Kernel{k, neonTranspose(args)},
		Doc: "Transpose is a kernel of the transposed copy:\n\n	for k := range K { for c := range Cols { Dst[k][c] = Src[c][k] } }",
	}
}

// transpose4 writes four elements of eight rows, four at s and four at s4, to four rows at d.
func transpose4(k *Kernel, s, s4, lds, lds3 Reg, disp int, d, ldd, ldd3 Reg) {
	at := func(base, ld, ld3 Reg, i, disp int) Mem {
		m := At(base, disp)
		switch i {
		case 1, 2:
			return m.Idx(ld, i)
		case 3:
			return m.Idx(ld3, 1)
		}
		return m
	}
	var r, t, out [4]Reg
	for i := range r {
		r[i], t[i] = k.V("row"), k.V("pair")
		k.Op("VMOVUPS", at(s, lds, lds3, i, disp), r[i].X())
		k.Op("VINSERTF128", Imm(1), at(s4, lds, lds3, i, disp), r[i], r[i])
	}
	for i := range 2 {
		k.Op("VUNPCKLPS", r[2*i+1], r[2*i], t[2*i])
		k.Op("VUNPCKHPS", r[2*i+1], r[2*i], t[2*i+1])
	}
	for i := range out {
		out[i] = r[i]
		op := [2]string{"VUNPCKLPD", "VUNPCKHPD"}[i%2]
		k.Op(op, t[2+i/2], t[i/2], out[i])
		k.Op("VMOVUPS", out[i], at(d, ldd, ldd3, i, 0))
	}
	for i := range r {
		k.Free(r[i], t[i])
	}
}
