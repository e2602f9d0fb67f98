package main

// pixelsArgs are the arguments of convolutions whose rows are output positions. The tile's share is that of gemmArgs.
var pixelsArgs = &Args{Name: "Pixels", Fields: []Field{
	{"A", "unsafe.Pointer", "the input under the first position; a step reads it Offset bytes on"},
	{"LDA", "int64", "bytes between positions"},
	{"Offset", "*int64", "bytes, one per step"},
	{"B", "unsafe.Pointer", "the first panel: K steps of the kernel's columns"},
	{"K", "int64", "steps"},
	{"C", "unsafe.Pointer", "a row for each position"},
	{"LDC", "int64", "bytes between rows of C"},
	{"Tiles", "int64", "tiles of the kernel's positions, one after the other, at least 1"},
	{"Panels", "int64", "panels of B, at least 1"},
	{"PanelB", "int64", "bytes between panels"},
	{"Cols", "int64", "columns of B in these panels; the last panel may lack less than a vector"},
	{"Flags", "int64", "GemmClip or 0"},
	{"Bias", "*float32", "added per column, or nil"},
	{"BiasRow", "*float32", "nil"},
	{"Residual", "*float32", "nil"},
	{"LDR", "int64", "0"},
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

// pixelsFamily are convolutions with packed weights.
func pixelsFamily() *Family {
	f := &Family{
		Name: "pixels_f32", Type: "PixelsF32", Args: pixelsArgs, Scalar: "pixelsF32Scalar",
		Doc: "PixelsF32 is a kernel of the float32 product whose rows are output positions, any step apart, read in place under a\n" +
			"moving kernel, and whose columns are output channels. Bits are those of GemmF32:\n\n" +
			"	for r := range positions { for c := range Cols {\n" +
			"		acc := float32(0)\n" +
			"		for k := range K { acc = fma(A[Offset[k]+r*LDA], B[k][c], acc) }\n" +
			"		C[r][c] = clip(acc + Bias[c])\n" +
			"	}}",
	}
	for mr := 1; mr <= 8; mr++ {
		for nv := 1; nv <= 3; nv++ {
			f.Kernels = append(f.Kernels, pixelsTile(AVX512, mr, nv))
		}
	}
	for mr := 1; mr <= 6; mr++ {
		f.Kernels = append(f.Kernels, pixelsTile(AVX2, mr, 2))
	}
	f.Kernels = append(f.Kernels, neonTiles(neonPixels)...)
	return f
}

func pixelsTile(isa *ISA, mr, nv int) *Kernel {
	t := newTile("pixelsF32", isa, mr, nv)
	t.Args = pixelsArgs
	t.aStep, t.bWidth = 4, isa.Width
	t.loadB = func(from Mem, to Reg) { t.Op("VMOVUPS", from, to) }
	t.dot = func(b, a, acc Reg) { t.Op("VFMADD231PS", b, a, acc) }
	t.begin()
	t.start()
	t.each(func(_, _ int, acc Reg) { t.Clear(acc) })
	// A register for each position: a step costs no instruction but the load of its offset.
	at := []Reg{t.offset("A", "OffA")}
	b, off, n, step := t.offset("B", "OffB"), t.Load("Offset"), t.Load("K"), t.Load("LDA")
	for len(at) < mr {
		r := t.GP("position")
		t.Op("LEAQ", At(at[len(at)-1], 0).Idx(step, 1), r)
		at = append(at, r)
	}
	t.Free(step)
	x := t.GP("offset")
	t.loop(n, func(steps int) {
		for u := range steps {
			t.Op("MOVQ", At(off, 8*u), x)
			t.step(t.acc, func(r int) Mem { return At(at[r], 0).Idx(x, 1) }, func(v int) Mem { return At(b, (u*nv+v)*t.bWidth) })
		}
		t.Op("ADDQ", Imm(8*steps), off)
		t.Op("ADDQ", Imm(steps*nv*t.bWidth), b)
	})
	t.Free(append(at, x, b, off, n)...)
	t.finish(false)
	return t.Kernel
}
