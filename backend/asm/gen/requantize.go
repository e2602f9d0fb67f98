package main

// requantizeFamily brings whole matrices of sums to bytes, by a scale per row or per column.
func requantizeFamily() *Family {
	args := &Args{Name: "Requantize", Fields: []Field{
		{"Dst", "*uint8", "Rows rows of Cols bytes"},
		{"LDD", "int64", "bytes between rows of Dst; by row it may be less than Cols, as rows are written in order"},
		{"Src", "unsafe.Pointer", "Rows rows of Cols sums: int32 by column, float32 by row"},
		{"LDS", "int64", "bytes between rows of Src"},
		{"Scale", "*float32", "one per column or row"},
		{"Bias", "*int32", "one per column; not by row"},
		{"Rows", "int64", "at least 1"},
		{"Cols", "int64", "a positive multiple of 16"},
		{"F", "int64", "0 by column, 1 by row, for the Go code"},
		{"Zero", "int32", "of the results"},
		{"Low", "int32", "the least result: 0 of uint8, -128 of int8"},
	}}
	f := &Family{
		Name: "requantize", Type: "Requantize", Args: args, Scalar: "requantizeScalar",
		Doc: "Requantize is a kernel that makes bytes of sums, as VecConvertRequantize does, each with the scale of its column or row:\n\n" +
			"	Dst[r][c] = rne(clamp(float32(Src[r][c]+Bias[c])*Scale[c], Low-Zero, Low+255-Zero)) + Zero\n" +
			"	Dst[r][c] = rne(clamp(Src[r][c]*Scale[r], Low-Zero, Low+255-Zero)) + Zero",
	}
	for _, isa := range vecISAs {
		f.Kernels = append(f.Kernels, vecKernel("requantizeColumns", isa, args, requantizeColumns), vecKernel("requantizeRows", isa, args, requantizeRows))
	}
	return f
}

// requantizer is the registers of a requantization.
type requantizer struct{ zero, lo, hi wide }

func (v *vec) newRequantizer() requantizer {
	q := requantizer{v.uniform("zero"), v.uniform("lo"), v.uniform("hi")}
	for _, r := range q.zero.registers() {
		v.Op("VPBROADCASTD", v.Field("Zero"), r)
	}
	for _, r := range q.lo.registers() {
		v.Op("VPBROADCASTD", v.Field("Low"), r)
	}
	v.op("VPSUBD", q.zero, q.lo, q.lo)
	v.op("VCVTDQ2PS", q.lo, q.lo)
	v.set(val(255), q.hi)
	v.op("VADDPS", q.lo, q.hi, q.hi)
	return q
}

// store makes bytes of scaled sums, which it clobbers.
func (q *requantizer) store(v *vec, x wide, dst Mem) {
	v.op("VMAXPS", q.lo, x, x)
	v.op("VMINPS", q.hi, x, x)
	v.op("VCVTPS2DQ", x, x)
	v.op("VPADDD", q.zero, x, x)
	v.storeBytes(x, dst)
}

// requantizeColumns goes down 16 columns at a time, whose scales and biases stay in registers.
func requantizeColumns(v *vec) {
	q, x, scale, bias := v.newRequantizer(), v.wide("x"), v.wide("scale"), v.wide("bias")
	dst, ldd, src, lds := v.Load("Dst"), v.Load("LDD"), v.Load("Src"), v.Load("LDS")
	scales, biases, cols := v.Load("Scale"), v.Load("Bias"), v.Load("Cols")
	d, s, n, block, row := v.GP("d"), v.GP("s"), v.GP("n"), v.Label("block"), v.Label("row")
	v.Bind(block)
	v.load(nil, At(scales, 0), scale)
	v.load(nil, At(biases, 0), bias)
	v.Op("MOVQ", dst, d)
	v.Op("MOVQ", src, s)
	v.Op("MOVQ", v.Field("Rows"), n)
	v.Bind(row)
	v.load(nil, At(s, 0), x)
	v.op("VPADDD", bias, x, x)
	v.op("VCVTDQ2PS", x, x)
	v.op("VMULPS", scale, x, x)
	q.store(v, x, At(d, 0))
	v.Op("ADDQ", ldd, d)
	v.Op("ADDQ", lds, s)
	v.Op("DECQ", n)
	v.Op("JNZ", row)
	v.Op("ADDQ", Imm(16), dst)
	for _, p := range []Reg{src, scales, biases} {
		v.Op("ADDQ", Imm(64), p)
	}
	v.Op("SUBQ", Imm(16), cols)
	v.Op("JNZ", block)
	v.Ret()
}

// requantizeRows goes along the rows.
func requantizeRows(v *vec) {
	q, x, scale := v.newRequantizer(), v.wide("x"), v.uniform("scale")
	dst, ldd, src, lds := v.Load("Dst"), v.Load("LDD"), v.Load("Src"), v.Load("LDS")
	scales, rows := v.Load("Scale"), v.Load("Rows")
	d, s, n, block, row := v.GP("d"), v.GP("s"), v.GP("n"), v.Label("block"), v.Label("row")
	v.Bind(row)
	v.fill(At(scales, 0), scale)
	v.Op("MOVQ", dst, d)
	v.Op("MOVQ", src, s)
	v.Op("MOVQ", v.Field("Cols"), n)
	v.Bind(block)
	v.load(nil, At(s, 0), x)
	v.op("VMULPS", scale, x, x)
	q.store(v, x, At(d, 0))
	v.Op("ADDQ", Imm(16), d)
	v.Op("ADDQ", Imm(64), s)
	v.Op("SUBQ", Imm(16), n)
	v.Op("JNZ", block)
	v.Op("ADDQ", ldd, dst)
	v.Op("ADDQ", lds, src)
	v.Op("ADDQ", Imm(4), scales)
	v.Op("DECQ", rows)
	v.Op("JNZ", row)
	v.Ret()
}
