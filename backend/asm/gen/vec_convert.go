package main

// convertFuncs are in the order of package asm's conversions; the body leaves the results of the 16 elements at src in
// memory at dst.
var convertFuncs = []struct {
	name     string
	from, to int // bytes of an element
	prepare  func(v *vec, c *convert)
	body     func(v *vec, c *convert)
}{
	{"QuantizeU8", 4, 1, prepareQuantize, func(v *vec, c *convert) {
		q, d := v.wide("q"), v.wide("d")
		v.op("VMULPS", At(c.src, 0), c.inv, c.x)
		v.op("VMAXPS", c.lo, c.x, c.x)
		v.op("VMINPS", c.hi, c.x, c.x)
		v.op("VADDPS", c.magic, c.x, q)
		v.op("VSUBPS", c.magic, q, d)
		v.op("VSUBPS", d, c.x, d)
		v.tieTest(d)
		sure := v.Label("sure")
		v.Op("JZ", sure)
		v.fill(v.Field("Scale"), d)
		v.load(nil, At(c.src, 0), q)
		v.op("VDIVPS", d, q, q)
		v.op("VMAXPS", c.lo, q, q)
		v.op("VMINPS", c.hi, q, q)
		v.op("VCVTPS2DQ", q, q)
		v.op("VPADDD", c.magic, q, q)
		v.Bind(sure)
		v.op("VPADDD", q, c.sum, c.sum)
		v.storeBytes(q, At(c.dst, 0))
		v.release(q, d)
	}},
	{"QuantizeU8Div", 4, 1, prepareQuantize, func(v *vec, c *convert) {
		v.fill(v.Field("Scale"), c.inv)
		v.load(nil, At(c.src, 0), c.x)
		v.op("VDIVPS", c.inv, c.x, c.x)
		v.op("VMAXPS", c.lo, c.x, c.x)
		v.op("VMINPS", c.hi, c.x, c.x)
		v.op("VCVTPS2DQ", c.x, c.x)
		v.op("VPADDD", c.magic, c.x, c.x)
		v.op("VPADDD", c.x, c.sum, c.sum)
		v.storeBytes(c.x, At(c.dst, 0))
	}},
	{"DequantizeU8", 1, 4, prepareDequantize, func(v *vec, c *convert) { v.dequantize("VPMOVZXBD", c) }},
	{"DequantizeI8", 1, 4, prepareDequantize, func(v *vec, c *convert) { v.dequantize("VPMOVSXBD", c) }},
	{"HalfToFloat", 2, 4, nil, func(v *vec, c *convert) {
		v.narrow("VCVTPH2PS", c.src, 2, c.x)
		v.store(nil, c.x, At(c.dst, 0))
	}},
	{"FloatToHalf", 4, 2, nil, func(v *vec, c *convert) {
		v.load(nil, At(c.src, 0), c.x)
		for i, r := range c.x {
			v.Op("VCVTPS2PH", Imm(0), r, At(c.dst, i*v.ISA.Width/2))
		}
	}},
	{"Requantize", 4, 1, prepareRequantize, func(v *vec, c *convert) {
		v.load(nil, At(c.src, 0), c.x)
		v.op("VPADDD", c.bias, c.x, c.x)
		v.op("VCVTDQ2PS", c.x, c.x)
		v.op("VMULPS", c.scale, c.x, c.x)
		v.op("VMAXPS", c.lo, c.x, c.x)
		v.op("VMINPS", c.hi, c.x, c.x)
		v.op("VCVTPS2DQ", c.x, c.x)
		v.op("VPADDD", c.zero, c.x, c.x)
		v.storeBytes(c.x, At(c.dst, 0))
	}},
	{"FloatToInt", 4, 4, nil, func(v *vec, c *convert) {
		v.load(nil, At(c.src, 0), c.x)
		v.op("VADDPS", splat(gridBits), c.x, c.x)
		v.op("VPSUBD", splat(gridBits), c.x, c.x)
		v.store(nil, c.x, At(c.dst, 0))
	}},
	{"IntToFloat", 4, 4, nil, func(v *vec, c *convert) {
		v.op("VCVTDQ2PS", At(c.src, 0), c.x)
		v.store(nil, c.x, At(c.dst, 0))
	}},
	{"Twice", 4, 8, nil, func(v *vec, c *convert) { v.twice(c) }},
}

// convert is a conversion's registers.
type convert struct {
	dst, src    Reg
	x           wide
	sum         wide // for QuantizeU8; empty for the others
	lo, hi      wide // the bounds of the quotient
	inv, magic  wide // the scale's reciprocal, gridMagic plus the zero point
	scale, zero wide // for the dequantizations and Requantize
	bias        wide
}

func prepareQuantize(v *vec, c *convert) {
	c.sum, c.lo, c.hi, c.inv, c.magic = v.wide("sum"), v.uniform("lo"), v.uniform("hi"), v.uniform("inv"), v.uniform("magic")
	v.set(0, c.sum)
	for _, r := range c.magic.registers() {
		v.Op("VPBROADCASTD", v.Field("Zero"), r)
	}
	v.op("VCVTDQ2PS", c.magic, c.lo)
	v.op("VPADDD", splat(gridBits), c.magic, c.magic)
	v.set(val(255), c.hi)
	v.op("VSUBPS", c.lo, c.hi, c.hi)
	v.op("VXORPS", splat(1<<31), c.lo, c.lo)
	v.set(val(1), c.inv)
	v.fill(v.Field("Scale"), c.x)
	v.op("VDIVPS", c.x, c.inv, c.inv)
}

func prepareDequantize(v *vec, c *convert) {
	c.scale, c.zero = v.uniform("scale"), v.uniform("zero")
	v.fill(v.Field("Scale"), c.scale)
	for _, r := range c.zero.registers() {
		v.Op("VPBROADCASTD", v.Field("Zero"), r)
	}
}

func prepareRequantize(v *vec, c *convert) {
	prepareDequantize(v, c)
	c.bias, c.lo, c.hi = v.uniform("bias"), v.uniform("lo"), v.uniform("hi")
	for _, r := range c.bias.registers() {
		v.Op("VPBROADCASTD", v.Field("Bias"), r)
	}
	for _, r := range c.lo.registers() {
		v.Op("VPBROADCASTD", v.Field("Low"), r)
	}
	v.op("VPSUBD", c.zero, c.lo, c.lo)
	v.op("VCVTDQ2PS", c.lo, c.lo)
	v.set(val(255), c.hi)
	v.op("VADDPS", c.lo, c.hi, c.hi)
}

// narrow applies a widening instruction to 16 elements of that many bytes.
func (v *vec) narrow(op string, src Reg, bytes int, dst wide) {
	if v.ISA.arm() {
		v.neonNarrow(op, src, dst)
		return
	}
	for i, r := range dst {
		v.Op(op, At(src, i*v.ISA.Width/4*bytes), r)
	}
}

func (v *vec) dequantize(op string, c *convert) {
	v.narrow(op, c.src, 1, c.x)
	v.op("VPSUBD", c.zero, c.x, c.x)
	v.op("VCVTDQ2PS", c.x, c.x)
	v.op("VMULPS", c.scale, c.x, c.x)
	v.store(nil, c.x, At(c.dst, 0))
}

// twice stores each element twice.
func (v *vec) twice(c *convert) {
	lo, hi := v.V("lo"), v.V("hi")
	if v.ISA.arm() {
		for i, r := range c.x {
			v.Op("LDR.Q", At(c.src, 16*i), r)
			v.Op("ZIP1.4S", r, r, lo)
			v.Op("ZIP2.4S", r, r, hi)
			v.Op("STP.Q", lo, hi, At(c.dst, 32*i))
		}
	} else {
		x, lo, hi := c.x[0].Y(), lo.Y(), hi.Y()
		for i := range 2 {
			v.Op("VMOVUPS", At(c.src, 32*i), x)
			v.Op("VUNPCKLPS", x, x, lo)
			v.Op("VUNPCKHPS", x, x, hi)
			v.Op("VPERM2F128", Imm(0x20), hi, lo, x)
			v.Op("VMOVUPS", x, At(c.dst, 64*i))
			v.Op("VPERM2F128", Imm(0x31), hi, lo, x)
			v.Op("VMOVUPS", x, At(c.dst, 64*i+32))
		}
	}
	v.Free(lo, hi)
}

func vecConvertFamily() *Family {
	args := &Args{Name: "VecConvert", Fields: []Field{
		{"Dst", "unsafe.Pointer", "N results"}, {"Src", "unsafe.Pointer", "N elements"}, {"N", "int64", "a multiple of 16, not 0"},
		{"F", "int64", "the conversion, for the Go code"}, {"Scale", "float32", ""}, {"Zero", "int32", ""},
		{"Sum", "int32", "the sum of the results of QuantizeU8"},
		{"Bias", "int32", "of Requantize"}, {"Low", "int32", "of Requantize: the least result"},
	}}
	f := &Family{
		Name: "vec_convert", Type: "VecConvert", Args: args, Scalar: "vecConvertScalar",
		Doc: "VecConvert changes the type of elements.",
	}
	for _, isa := range vecISAs {
		for _, fn := range convertFuncs {
			f.Kernels = append(f.Kernels, vecKernel("vecConvert"+fn.name, isa, args, func(v *vec) {
				c := &convert{dst: v.Load("Dst"), src: v.Load("Src"), x: v.wide("x")}
				if fn.prepare != nil {
					fn.prepare(v, c)
				}
				n := v.Load("N")
				loop := v.Label("loop")
				v.Bind(loop)
				fn.body(v, c)
				v.Op("ADDQ", Imm(16*fn.from), c.src)
				v.Op("ADDQ", Imm(16*fn.to), c.dst)
				v.Op("SUBQ", Imm(16), n)
				v.Op("JNZ", loop)
				if c.sum != nil {
					v.Op("MOVL", v.sumBytes("N", c.sum, c.x), v.Field("Sum"))
				}
				v.Ret()
			}))
		}
	}
	return f
}
