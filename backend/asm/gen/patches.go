package main

// patchesFamily packs a panel of a matrix whose rows lie anywhere, as input under a moving kernel does.
func patchesFamily() *Family {
	args := &Args{Name: "Patches", Fields: []Field{
		{"Dst", "*float32", "K rows as wide as the kernel"},
		{"X", "unsafe.Pointer", "the input; row k lies Offset bytes on"},
		{"Offset", "*int64", "bytes, one per row"},
		{"K", "int64", "rows, at least 1"},
		{"Cols", "int64", "columns that there are, at least 1 and, where the kernel has vectors for it, more than all but the last; the others become 0"},
		{"Width", "int64", "columns of the kernel, for the Go code"},
	}}
	f := &Family{
		Name: "patches", Type: "Patches", Args: args, Scalar: "patchesScalar",
		Doc: "Patches is a kernel that copies rows of N columns together:\n\n" +
			"	for k := range K { for c := range Cols { Dst[k][c] = X[Offset[k]+c] } }",
	}
	for nv := 1; nv <= 3; nv++ {
		f.Kernels = append(f.Kernels, patchesKernel(AVX512, args, nv))
	}
	f.Kernels = append(f.Kernels, patchesKernel(AVX2, args, 2))
	return f
}

func patchesKernel(isa *ISA, args *Args, nv int) *Kernel {
	n := nv * isa.Width / 4
	t := newTile("patches", isa, 1, nv)
	t.Args, t.M = args, 0
	t.Name = "patches" + map[int]string{8: "8", 16: "16", 32: "32", 48: "48"}[n] + isa.Suffix
	masked, many, single, done := t.Label("masked"), t.Label("many"), t.Label("single"), t.Label("done")
	dst, x, off, k, cols, at := t.Load("Dst"), t.Load("X"), t.Load("Offset"), t.Load("K"), t.Load("Cols"), t.GP("at")
	regs := make([]Reg, nv)
	for i := range regs {
		regs[i] = t.V("x")
	}
	rows := func(count int, load func(v int, from Mem)) {
		for r := range count {
			t.Op("MOVQ", At(off, 8*r), at)
			for v, reg := range regs {
				load(v, At(x, v*isa.Width).Idx(at, 1))
				t.Op("VMOVUPS", reg, At(dst, 4*n*r+v*isa.Width))
			}
		}
		t.Op("ADDQ", Imm(8*count), off)
		t.Op("ADDQ", Imm(4*n*count), dst)
	}
	plain := func(v int, from Mem) { t.Op("VMOVUPS", from, regs[v]) }
	rest := t.Label("rest")
	t.Op("CMPQ", cols, Imm(n))
	t.Op("JL", masked)
	t.Op("SUBQ", Imm(4), k)
	t.Op("JL", rest)
	t.Bind(many)
	rows(4, plain)
	t.Op("SUBQ", Imm(4), k)
	t.Op("JGE", many)
	t.Bind(rest)
	t.Op("ADDQ", Imm(4), k)
	t.Op("JZ", done)
	t.Bind(single)
	rows(1, plain)
	t.Op("DECQ", k)
	t.Op("JNZ", single)
	t.Op("JMP", done)
	t.Bind(masked)
	loop := t.Label("loop")
	if t.evex() {
		tail, one := t.Mask("tail"), t.GP("one")
		t.Op("SUBQ", Imm(n-16), cols)
		t.Op("MOVQ", Imm(1), one)
		t.Op("SHLXQ", cols, one, one)
		t.Op("DECQ", one)
		t.Op("KMOVW", one, tail)
		t.Bind(loop)
		rows(1, func(v int, from Mem) {
			if v < nv-1 {
				plain(v, from)
				return
			}
			t.Zeroed("VMOVUPS", tail, from, regs[v])
		})
	} else {
		lanes := make([]uint32, 32)
		for i := range 16 {
			lanes[i] = ^uint32(0)
		}
		masks := make([]Reg, nv)
		p := t.GP("masks")
		t.Op("LEAQ", t.Lanes(lanes...), p)
		t.Op("NEGQ", cols)
		t.Op("LEAQ", At(p, 64).Idx(cols, 4), p)
		for v := range masks {
			masks[v] = t.V("mask")
			t.Op("VMOVUPS", At(p, 32*v), masks[v])
		}
		t.Bind(loop)
		rows(1, func(v int, from Mem) { t.Op("VMASKMOVPS", from, masks[v], regs[v]) })
	}
	t.Op("DECQ", k)
	t.Op("JNZ", loop)
	t.Bind(done)
	t.Ret()
	return t.Kernel
}
