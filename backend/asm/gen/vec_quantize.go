package main

func vecQuantizeFamily() *Family {
	args := &Args{Name: "VecQuantize", Fields: []Field{
		{"Dst", "*uint8", "rows of N results"}, {"Src", "*float32", "rows of N elements"}, {"N", "int64", ""},
		{"Rows", "int64", "at least 1"},
		{"DstStep", "int64", "bytes between rows, a multiple of 16 that is not under N; what is between N and it becomes 0"},
		{"SrcStep", "int64", "bytes between rows"},
		{"Scale", "*float32", "a result for each row"}, {"Zero", "*int32", "a result for each row"}, {"Sum", "*int32", "a result for each row: of Dst"},
	}}
	f := &Family{
		Name: "vec_quantize", Type: "VecQuantize", Args: args, Scalar: "vecQuantizeScalar",
		Doc: "VecQuantize quantizes each row on the uint8 grid of its own range: quantizeRow.",
	}
	for _, isa := range vecISAs {
		f.Kernels = append(f.Kernels, vecKernel("vecQuantizeRows", isa, args, quantizeRows))
	}
	return f
}

// Integers of a grid are made as a float32 sum with a large constant, whose low bits then are the rounded integer.
const (
	gridMagic = 12582912   // 1.5 * 2^23
	gridBits  = 0x4b400000 // its bit pattern
)

// tieMargin is how near to a tie a quotient must be for its product with the reciprocal to round differently. Of values
// up to 256, the error is at most 2^-24 of the value for each rounding (of the reciprocal, the product and the exact
// quotient), which is less.
const tieMargin = 0x1p-14

// tieTest sets the flags: not zero if a lane of d is near half an integer from 0, or a NaN. d is clobbered.
func (v *vec) tieTest(d wide) {
	if v.ISA.arm() {
		v.op("FACGE.4S", d, val(0.5-tieMargin), d)
		v.Free(v.neonAny(d, true))
		return
	}
	v.op("VANDPS", splat(0x7fffffff), d, d)
	if v.hasMasks() {
		m := v.Mask("near")
		v.Op("VCMPPS", Imm(notLessEqual), v.splatMem(val(0.5-tieMargin)), d[0], m)
		v.Op("KORTESTW", m, m)
		v.Free(m)
		return
	}
	v.op("VCMPPS", Imm(notLessEqual), val(0.5-tieMargin), d, d)
	v.Op("VORPS", d[0], d[1], d[0])
	r := v.GP("near")
	v.Op("VMOVMSKPS", d[0], r)
	v.Op("TESTQ", r, r)
	v.Free(r)
}

// sumBytes leaves in a new register the sum of n results of which sum holds gridBits too many for each.
func (v *vec) sumBytes(n string, sum, tmp wide) Reg {
	v.fold("VPADDD", sum, tmp)
	r, c := v.GP("sum"), v.GP("n")
	v.Op("VMOVD", sum[0].X(), r)
	v.Op("MOVQ", Imm(gridBits), c)
	v.Op("IMULQ", v.Field(n), c)
	v.Op("SUBQ", c, r)
	v.Free(c)
	return r
}

// storeBytes stores the low byte of each of the 16 integers and clobbers them.
func (v *vec) storeBytes(x wide, dst Mem) {
	if v.hasMasks() {
		v.Op("VPMOVDB", x[0], dst)
		return
	}
	if v.ISA.arm() {
		v.Op("UZP1.8H", x[1], x[0], x[0])
		v.Op("UZP1.8H", x[3], x[2], x[2])
		v.Op("UZP1.16B", x[2], x[0], x[0])
		v.Op("STR.Q", x[0], dst)
		return
	}
	v.op("VANDPS", splat(255), x, x)
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
		v.Zeroed("VMOVDQA32", m.k[0], x[0], x[0])
	case v.ISA.arm():
		w := v.neonMask(m)
		v.op("VANDPS", w, x, x)
		v.release(w)
	default:
		v.op("VANDPS", m.w, x, x)
	}
}

// gridOf makes the grid of the range from lane 0 of lo to that of hi, 0 included, and stores scale and zero point. lo, hi
// and tmp are clobbered.
func (v *vec) gridOf(lo, hi, tmp wide, scale, zero Reg) {
	w := [3]wide{v.wide("s"), v.wide("z"), v.wide("zero")}
	mn, mx, s, z, nil0, c := lo[0].X(), hi[0].X(), w[0][0].X(), w[1][0].X(), w[2][0].X(), tmp[0].X()
	v.Op("VPXOR", nil0, nil0, nil0)
	v.Op("VSUBPS", mn, mx, s)
	v.setReg(val(255), c)
	v.Op("VDIVPS", c, s, s)
	v.Op("VCMPPS", Imm(equal), nil0, s, mx)
	v.setReg(val(1), z)
	v.Op("VBLENDVPS", mx, z, s, s)
	v.Op("VDIVPS", s, mn, z)
	v.Op("VSUBPS", z, nil0, z)
	v.Op("VMAXPS", nil0, z, z)
	v.Op("VMINPS", c, z, z)
	v.Op("VCVTPS2DQ", z, z)
	v.Op("VMOVSS", s, At(scale, 0))
	v.Op("VMOVD", z, At(zero, 0))
	v.release(w[:]...)
}

// rangeRow stores the grid of the row at src. That of a row with a NaN or an infinity has scale NaN.
func (v *vec) rangeRow(s *span, src, scale, zero Reg) {
	x, lo, hi, odd := v.wide("x"), [2]wide{v.wide("lo"), v.wide("lo")}, [2]wide{v.wide("hi"), v.wide("hi")}, [2]wide{v.wide("odd"), v.wide("odd")}
	for j := range 2 {
		v.set(0, lo[j])
		v.set(0, hi[j])
		v.set(0, odd[j])
	}
	// NaN and the signs of zeros do not matter here, which arm64 has shorter instructions for.
	least, most := "VMINPS", "VMAXPS"
	if v.ISA.arm() {
		least, most = "FMIN.4S", "FMAX.4S"
	}
	// Elements outside the mask are 0, which the range includes.
	v.eachOf(2, s, func(m *mask, j int, at func(p Reg) Mem) {
		v.load(m, at(src), x)
		v.op(least, x, lo[j], lo[j])
		v.op(most, x, hi[j], hi[j])
		v.op("VFMADD231PS", splat(0), x, odd[j])
	})
	v.op(least, lo[1], lo[0], lo[0])
	v.op(most, hi[1], hi[0], hi[0])
	v.op("VADDPS", odd[1], odd[0], odd[0])
	v.release(lo[1], hi[1], odd[1])
	poison, next := v.Label("poison"), v.Label("next")
	v.nanTest(odd[0])
	v.Op("JNZ", poison)
	v.fold(least, lo[0], x)
	v.fold(most, hi[0], x)
	v.release(odd[0])
	v.gridOf(lo[0], hi[0], x, scale, zero)
	v.Op("JMP", next)
	v.Bind(poison)
	v.Op("MOVL", Imm(nanBits), At(scale, 0))
	v.Op("MOVL", Imm(0), At(zero, 0))
	v.Bind(next)
	v.release(x, lo[0], hi[0])
}

// nanBits is the scale of a row that has no grid.
const nanBits = 0x7fc00000

// quantizeRow leaves the integers of the row at src at dst, which it moves on, and their sum at sum.
func (v *vec) quantizeRow(s *span, src, dst, scale, zero, sum Reg) {
	x, q, acc := v.wide("x"), v.wide("q"), v.wide("acc")
	step, inv, magic := v.uniform("step"), v.uniform("inv"), v.uniform("magic")
	v.fill(At(scale, 0), step)
	v.set(val(1), inv)
	v.op("VDIVPS", step, inv, inv)
	for _, r := range magic.registers() {
		v.Op("VPBROADCASTD", At(zero, 0), r)
	}
	v.op("VPADDD", splat(gridBits), magic, magic)
	v.set(0, acc)
	v.each(s, func(m *mask) {
		v.load(m, s.at(src), x)
		d := v.wide("d")
		v.op("VMOVAPS", magic, q)
		v.op("VFMADD231PS", inv, x, q)
		v.op("VSUBPS", magic, q, d)
		v.op("VFMSUB231PS", inv, x, d)
		v.tieTest(d)
		v.release(d)
		sure := v.Label("sure")
		v.Op("JZ", sure)
		v.op("VDIVPS", step, x, x)
		v.op("VCVTPS2DQ", x, x)
		v.op("VPADDD", magic, x, q)
		v.Bind(sure)
		v.op("VPMINSD", splat(gridBits+255), q, q)
		v.keep(m, q)
		v.op("VPADDD", q, acc, acc)
		v.storeBytes(q, At(dst, 0))
		v.Op("ADDQ", Imm(16), dst)
	})
	total := v.sumBytes("N", acc, x)
	v.Op("MOVL", total, At(sum, 0))
	v.Free(total)
	v.release(x, q, acc, step, inv, magic)
}

// quantizeRows is the program of the family's kernels.
func quantizeRows(v *vec) {
	s := v.newSpan(v.Load("N"))
	v.rows(func(p map[string]Reg) {
		v.rangeRow(s, p["Src"], p["Scale"], p["Zero"])
	}, "Src", "Scale", "Zero")
	v.rows(func(p map[string]Reg) {
		dst := v.GP("dst")
		v.Op("MOVQ", p["Dst"], dst)
		pad, good, zero := v.Label("pad"), v.Label("good"), v.Label("zero")
		nan := v.GP("nan")
		v.Op("MOVL", At(p["Scale"], 0), nan)
		v.Op("CMPQ", nan, Imm(nanBits))
		v.Free(nan)
		v.Op("JNZ", good)
		v.Op("MOVL", Imm(0), At(p["Sum"], 0))
		v.Op("JMP", pad)
		v.Bind(good)
		v.quantizeRow(s, p["Src"], dst, p["Scale"], p["Zero"], p["Sum"])
		v.Bind(pad)
		x, end := v.wide("zeros"), v.GP("end")
		v.Op("MOVQ", p["Dst"], end)
		v.Op("ADDQ", v.Field("DstStep"), end)
		v.Clear(x[0])
		next := v.Label("next")
		v.Bind(zero)
		v.Op("CMPQ", dst, end)
		v.Op("JAE", next)
		v.Op("VMOVDQU", x[0].X(), At(dst, 0))
		v.Op("ADDQ", Imm(16), dst)
		v.Op("JMP", zero)
		v.Bind(next)
		v.release(x)
		v.Free(dst, end)
	}, "Dst", "Src", "Scale", "Zero", "Sum")
	v.Ret()
}
