package main

// convertFuncs are in the order of package asm's conversions; the body leaves the results of the 16 elements at src in
// memory at dst.
var convertFuncs = []struct {
	name     string
	from, to int // bytes of an element
	body     func(v *vec, c *convert)
}{
	{"QuantizeU8", 4, 1, func(v *vec, c *convert) {
		v.load(nil, At(c.src, 0), c.x)
		v.quantize(c.grid, c.x)
		v.op("VPADDD", c.x, c.sum, c.sum)
		v.storeBytes(c.x, At(c.dst, 0))
	}},
	{"DequantizeU8", 1, 4, func(v *vec, c *convert) { v.dequantize("VPMOVZXBD", c) }},
	{"DequantizeI8", 1, 4, func(v *vec, c *convert) { v.dequantize("VPMOVSXBD", c) }},
	{"HalfToFloat", 2, 4, func(v *vec, c *convert) {
		v.narrow("VCVTPH2PS", c.src, 2, c.x)
		v.store(nil, c.x, At(c.dst, 0))
	}},
	{"FloatToHalf", 4, 2, func(v *vec, c *convert) {
		v.load(nil, At(c.src, 0), c.x)
		for i, r := range c.x {
			v.Op("VCVTPS2PH", Imm(0), r, At(c.dst, i*v.ISA.Width/2))
		}
	}},
	{"IntToFloat", 4, 4, func(v *vec, c *convert) {
		v.op("VCVTDQ2PS", At(c.src, 0), c.x)
		v.store(nil, c.x, At(c.dst, 0))
	}},
}

// convert is a conversion's registers.
type convert struct {
	dst, src Reg
	x, sum   wide
	grid     *grid
}

// narrow applies a widening instruction to 16 elements of that many bytes.
func (v *vec) narrow(op string, src Reg, bytes int, dst wide) {
	for i, r := range dst {
		v.Op(op, At(src, i*v.ISA.Width/4*bytes), r)
	}
}

func (v *vec) dequantize(op string, c *convert) {
	v.narrow(op, c.src, 1, c.x)
	v.op("VPSUBD", c.grid.zero, c.x, c.x)
	v.op("VCVTDQ2PS", c.x, c.x)
	v.op("VMULPS", c.grid.scale, c.x, c.x)
	v.store(nil, c.x, At(c.dst, 0))
}

func vecConvertFamily() *Family {
	args := &Args{Name: "VecConvert", Fields: []Field{
		{"Dst", "unsafe.Pointer", "N results"}, {"Src", "unsafe.Pointer", "N elements"}, {"N", "int64", "a multiple of 16, not 0"},
		{"F", "int64", "the conversion, for the Go code"}, {"Scale", "float32", ""}, {"Zero", "int32", ""},
		{"Sum", "int32", "the sum of the results of QuantizeU8"},
	}}
	f := &Family{
		Name: "vec_convert", Type: "VecConvert", Args: args, Scalar: "vecConvertScalar",
		Doc: "VecConvert changes the type of elements.",
	}
	for _, isa := range vecISAs {
		for _, fn := range convertFuncs {
			v := newVec("vecConvert"+fn.name, isa, args)
			c := &convert{dst: v.Load("Dst"), src: v.Load("Src"), x: v.wide("x"), sum: v.wide("sum"), grid: v.newGrid()}
			n := v.Load("N")
			v.fill(v.Field("Scale"), c.grid.scale)
			for _, r := range c.grid.zero {
				v.Op("VPBROADCASTD", v.Field("Zero"), r)
			}
			v.op("VCVTDQ2PS", c.grid.zero, c.grid.lo)
			v.set(val(255), c.grid.hi)
			v.op("VSUBPS", c.grid.lo, c.grid.hi, c.grid.hi)
			v.op("VXORPS", splat(1<<31), c.grid.lo, c.grid.lo)
			v.set(0, c.sum)
			loop := v.Label("loop")
			v.Bind(loop)
			fn.body(v, c)
			v.Op("ADDQ", Imm(16*fn.from), c.src)
			v.Op("ADDQ", Imm(16*fn.to), c.dst)
			v.Op("SUBQ", Imm(16), n)
			v.Op("JNZ", loop)
			v.fold("VPADDD", c.sum, c.x)
			v.Op("VMOVD", c.sum[0].X(), v.Field("Sum"))
			v.Ret()
			f.Kernels = append(f.Kernels, v.Kernel)
		}
	}
	return f
}
