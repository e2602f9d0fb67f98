package main

func vecQuantizeFamily() *Family {
	args := &Args{Name: "VecQuantize", Fields: []Field{
		{"Dst", "*uint8", "rows of N results"}, {"Src", "*float32", "rows of N elements"}, {"N", "int64", ""},
		{"Rows", "int64", "at least 1"},
		{"DstStep", "int64", "bytes between rows, a multiple of 16 that is not under N; what is between N and it becomes 0"},
		{"SrcStep", "int64", "bytes between rows"},
		{"Scale", "*float32", "a result for each row"}, {"Zero", "*int32", "a result for each row"}, {"Sum", "*int32", "a result for each row: of Dst"},
		{"SrcAt", "int64", "0: the offset of the current row"}, {"DstAt", "int64", "0"}, {"ScaleAt", "int64", "0"},
	}}
	f := &Family{
		Name: "vec_quantize", Type: "VecQuantize", Args: args, Scalar: "vecQuantizeScalar",
		Doc: "VecQuantize quantizes each row on the uint8 grid of its own range: quantizeRow.",
	}
	for _, isa := range vecISAs {
		f.Kernels = append(f.Kernels, quantizeRowsKernel(isa, args))
	}
	return f
}

// grid is the registers of a uint8 grid.
type grid struct {
	scale, zero wide // zero as integers
	lo, hi      wide // the bounds of the quotient
}

func (v *vec) newGrid() *grid {
	return &grid{v.wide("scale"), v.wide("zero"), v.wide("lo"), v.wide("hi")}
}

// quantize leaves the integers of x in x.
func (v *vec) quantize(g *grid, x wide) {
	v.op("VDIVPS", g.scale, x, x)
	v.op("VMAXPS", g.lo, x, x)
	v.op("VMINPS", g.hi, x, x)
	v.op("VCVTPS2DQ", x, x)
	v.op("VPADDD", g.zero, x, x)
}

// storeBytes stores the low byte of each of the 16 integers, which are in 0..255, and clobbers them.
func (v *vec) storeBytes(x wide, dst Mem) {
	if v.hasMasks() {
		v.Op("VPMOVDB", x[0], dst)
		return
	}
	v.Op("VPACKUSDW", x[1], x[0], x[0])
	v.Op("VPERMQ", Imm(0xd8), x[0], x[0])
	v.Op("VEXTRACTI128", Imm(1), x[0], x[1].X())
	v.Op("VPACKUSWB", x[1].X(), x[0].X(), x[0].X())
	v.Op("VMOVDQU", x[0].X(), dst)
}

// keep zeroes the lanes outside the mask.
func (v *vec) keep(m *mask, x wide) {
	switch {
	case m == nil:
	case v.hasMasks():
		v.Zeroed("VMOVDQA32", m.k, x[0], x[0])
	default:
		v.op("VANDPS", m.w, x, x)
	}
}

// gridOf makes the grid of the range from lane 0 of lo to that of hi, 0 included, and stores scale and zero point.
func (v *vec) gridOf(lo, hi wide, at Reg) *grid {
	g := v.newGrid()
	mn, mx, s, z, t := lo[0].X(), hi[0].X(), g.scale[0].X(), g.zero[0].X(), g.lo[0].X()
	v.Op("VSUBPS", mn, mx, s)
	v.setX(val(255), t)
	v.Op("VDIVPS", t, s, s)
	v.Op("VPXOR", t, t, t)
	v.Op("VCMPPS", Imm(equal), t, s, mx)
	one := g.hi[0].X()
	v.setX(val(1), one)
	v.Op("VBLENDVPS", mx, one, s, s)
	v.Op("VDIVPS", s, mn, z)
	v.Op("VSUBPS", z, t, z)
	v.Op("VMAXPS", t, z, z)
	v.setX(val(255), one)
	v.Op("VMINPS", one, z, z)
	v.Op("VCVTPS2DQ", z, z)
	v.Op("VCVTDQ2PS", z, mx)
	v.Op("VSUBPS", mx, t, mn)
	v.Op("VSUBPS", mx, one, mx)
	p := v.Load("Scale")
	v.Op("VMOVSS", s, At(p, 0).Idx(at, 1))
	v.Op("MOVQ", v.Field("Zero"), p)
	v.Op("VMOVD", z, At(p, 0).Idx(at, 1))
	v.Free(p)
	v.fill(mn, g.lo)
	v.fill(mx, g.hi)
	v.fill(s, g.scale)
	v.fill(z, g.zero)
	return g
}

func quantizeRowsKernel(isa *ISA, args *Args) *Kernel {
	v := newVec("vecQuantizeRows", isa, args)
	s := v.newSpan(v.Load("N"))
	src, dst, end, at := v.GP("src"), v.GP("dst"), v.GP("end"), v.GP("at")
	loop, poison, pad, next := v.Label("row"), v.Label("poison"), v.Label("pad"), v.Label("next")
	v.Bind(loop)
	v.Op("MOVQ", v.Field("Src"), src)
	v.Op("ADDQ", v.Field("SrcAt"), src)
	v.Op("MOVQ", v.Field("Dst"), dst)
	v.Op("ADDQ", v.Field("DstAt"), dst)
	v.Op("MOVQ", dst, end)
	v.Op("ADDQ", v.Field("DstStep"), end)
	v.Op("MOVQ", v.Field("ScaleAt"), at)

	lo, hi, odd, x := v.wide("lo"), v.wide("hi"), v.wide("odd"), v.wide("x")
	v.set(0, lo)
	v.set(0, hi)
	v.set(0, odd)
	v.each(s, func(m *mask) { // elements outside the mask are 0, which the range includes
		v.load(m, s.at(src), x)
		v.op("VMINPS", x, lo, lo)
		v.op("VMAXPS", x, hi, hi)
		v.op("VFMADD231PS", splat(0), x, odd)
	})
	flag := v.newMask("flag")
	v.cmp(unordered, odd, odd, flag)
	bits := v.flagBits(flag)
	v.freeMask(flag)
	v.Op("TESTQ", bits, bits)
	v.Free(bits)
	v.Op("JNZ", poison)
	v.fold("VMINPS", lo, x)
	v.fold("VMAXPS", hi, x)
	v.release(odd, x)
	g := v.gridOf(lo, hi, at)
	v.release(lo, hi)

	x, sum := v.wide("x"), v.wide("sum")
	v.set(0, sum)
	v.each(s, func(m *mask) {
		v.load(m, s.at(src), x)
		v.quantize(g, x)
		v.keep(m, x)
		v.op("VPADDD", x, sum, sum)
		v.storeBytes(x, At(dst, 0))
		v.Op("ADDQ", Imm(16), dst)
	})
	v.fold("VPADDD", sum, x)
	p := v.Load("Sum")
	v.Op("VMOVD", sum[0].X(), At(p, 0).Idx(at, 1))
	v.Op("JMP", pad)

	v.Bind(poison)
	v.setX(splat(0x7fc00000), x[0].X())
	v.Op("MOVQ", v.Field("Scale"), p)
	v.Op("VMOVSS", x[0].X(), At(p, 0).Idx(at, 1))
	v.Clear(x[0])
	for _, field := range []string{"Zero", "Sum"} {
		v.Op("MOVQ", v.Field(field), p)
		v.Op("VMOVD", x[0].X(), At(p, 0).Idx(at, 1))
	}
	v.Free(p)

	v.Bind(pad)
	v.Clear(x[0])
	zero := v.Label("zero")
	v.Bind(zero)
	v.Op("CMPQ", dst, end)
	v.Op("JAE", next)
	v.Op("VMOVDQU", x[0].X(), At(dst, 0))
	v.Op("ADDQ", Imm(16), dst)
	v.Op("JMP", zero)
	v.Bind(next)
	for _, m := range []string{"Dst", "Src"} {
		v.Op("MOVQ", v.Field(m+"Step"), dst)
		v.Op("ADDQ", dst, v.Field(m+"At"))
	}
	v.Op("ADDQ", Imm(4), v.Field("ScaleAt"))
	v.Op("DECQ", v.Field("Rows"))
	v.Op("JNZ", loop)
	v.Ret()
	return v.Kernel
}
