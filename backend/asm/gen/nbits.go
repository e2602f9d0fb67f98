package main

import "math"

// nbitsFamily multiplies rows of 4-bit codes that have a scale and a zero point for each block of 32 elements or several
// times that.
func nbitsFamily() *Family {
	args := &Args{Name: "NBits", Fields: []Field{
		{"Acc", "*float32", "16 lanes, which are added to"},
		{"A", "*float32", "of each 32 elements the even ones, then the odd ones"},
		{"Codes", "*uint8", "16 bytes for 32 elements, the lower half of a byte before the upper"},
		{"Scale", "*float32", "Blocks"},
		{"Zero", "*float32", "Blocks, or 1"},
		{"Blocks", "int64", "at least 1"},
		{"Chunks", "int64", "32 elements each, of a block; at least 1"},
		{"ZeroStep", "int64", "bytes between zero points: 4, or 0 when there is one for all"},
	}}
	f := &Family{
		Name: "nbits", Type: "NBits", Args: args, Scalar: "nBitsScalar",
		Doc: "NBits is a kernel of the product of a row of 4-bit codes and a vector, with fused multiply-adds:\n\n" +
			"	for b := range Blocks {\n		t := [16]float32{}\n		for range Chunks {\n			for l := range 16 {\n" +
			"				t[l] += (code[2*l] - Zero[b]) * A[l]\n				t[l] += (code[2*l+1] - Zero[b]) * A[16+l]\n			}\n			// the next 32\n		}\n" +
			"		for l := range 16 { Acc[l] += t[l] * Scale[b] }\n	}",
	}
	for _, isa := range vecISAs {
		f.Kernels = append(f.Kernels, vecKernel("nBits", isa, args, nbitsProgram))
	}
	return f
}

func nbitsProgram(v *vec) {
	a := v.Load("A")
	c := v.newCodes()
	acc, t, s := v.wide("acc"), v.wide("t"), v.uniform("s")
	pacc := v.Load("Acc")
	v.load(nil, At(pacc, 0), acc)
	v.eachCode(c, func() { v.set(0, t) }, func() {
		for i, x := range []wide{c.lo, c.hi} {
			v.op("VFMADD231PS", At(a, 64*i), x, t)
		}
		v.Op("ADDQ", Imm(128), a)
	}, func() {
		v.fill(At(c.scale, 0), s)
		v.op("VFMADD231PS", s, t, acc)
	})
	v.store(nil, acc, At(pacc, 0))
	v.Ret()
}

// widenNBitsFamily makes float32 of such rows.
func widenNBitsFamily() *Family {
	args := &Args{Name: "WidenNBits", Fields: []Field{
		{"Dst", "*float32", "of each 32 elements the even ones, then the odd ones"},
		{"Codes", "*uint8", "16 bytes for 32 elements, the lower half of a byte before the upper"},
		{"Scale", "*float32", "Blocks"},
		{"Zero", "*float32", "Blocks, or 1"},
		{"Blocks", "int64", "at least 1"},
		{"Chunks", "int64", "32 elements each, of a block; at least 1"},
		{"ZeroStep", "int64", "bytes between zero points: 4, or 0 when there is one for all"},
	}}
	f := &Family{
		Name: "widen_nbits", Type: "WidenNBits", Args: args, Scalar: "widenNBitsScalar",
		Doc: "WidenNBits is a kernel that makes float32 of a row of 4-bit codes:\n\n" +
			"	for b := range Blocks {\n		for range Chunks {\n			for l := range 16 {\n" +
			"				Dst[l] = (code[2*l] - Zero[b]) * Scale[b]\n				Dst[16+l] = (code[2*l+1] - Zero[b]) * Scale[b]\n			}\n			// the next 32\n		}\n	}",
	}
	for _, isa := range vecISAs {
		f.Kernels = append(f.Kernels, vecKernel("widenNBits", isa, args, func(v *vec) {
			dst := v.Load("Dst")
			c := v.newCodes()
			s := v.uniform("s")
			v.eachCode(c, func() {
				v.fill(At(c.scale, 0), s)
				if v.hasMasks() {
					v.op("VMULPS", s, c.of, c.of)
				}
			}, func() {
				for i, x := range []wide{c.lo, c.hi} {
					if !v.hasMasks() {
						v.op("VMULPS", s, x, x)
					}
					v.store(nil, x, At(dst, 64*i))
				}
				v.Op("ADDQ", Imm(128), dst)
			}, func() {})
			v.Ret()
		}))
	}
	return f
}

// codes are a kernel's registers for 4-bit codes.
type codes struct {
	codes, scale, zero   Reg
	blocks, chunks, step Reg
	lo, hi               wide // the values of 32 elements, less the zero point
	z                    wide // the zero point
	table, of            wide // AVX-512: the values of all codes, and less the zero point
}

func (v *vec) newCodes() *codes {
	c := &codes{codes: v.Load("Codes"), scale: v.Load("Scale"), zero: v.Load("Zero"), blocks: v.Load("Blocks"), chunks: v.Load("Chunks"), step: v.Load("ZeroStep")}
	c.lo, c.hi, c.z = v.wide("lo"), v.wide("hi"), v.uniform("z")
	if v.hasMasks() {
		c.table, c.of = v.wide("table"), v.wide("of")
		values := make([]uint32, 16)
		for i := range values {
			values[i] = math.Float32bits(float32(i))
		}
		v.load(nil, v.Lanes(values...), c.table)
	}
	return c
}

// eachCode runs chunk for every 32 elements, between first and last for each block. AVX-512 looks values up, by the four
// low bits of an index; the others convert.
func (v *vec) eachCode(c *codes, first, chunk, last func()) {
	count := v.GP("count")
	block, next := v.Label("block"), v.Label("chunk")
	v.Bind(block)
	v.fill(At(c.zero, 0), c.z)
	if v.hasMasks() {
		v.op("VSUBPS", c.z, c.table, c.of)
	}
	first()
	v.Op("MOVQ", c.chunks, count)
	v.Bind(next)
	v.narrow("VPMOVZXBD", c.codes, 1, c.lo)
	v.op("VPSRAD", Imm(4), c.lo, c.hi)
	if v.hasMasks() {
		v.op("VPERMPS", c.of, c.lo, c.lo)
		v.op("VPERMPS", c.of, c.hi, c.hi)
	} else {
		v.op("VANDPS", splat(15), c.lo, c.lo)
		for _, x := range []wide{c.lo, c.hi} {
			v.op("VCVTDQ2PS", x, x)
			v.op("VSUBPS", c.z, x, x)
		}
	}
	chunk()
	v.Op("ADDQ", Imm(16), c.codes)
	v.Op("DECQ", count)
	v.Op("JNZ", next)
	last()
	v.Op("ADDQ", Imm(4), c.scale)
	v.Op("ADDQ", c.step, c.zero)
	v.Op("DECQ", c.blocks)
	v.Op("JNZ", block)
}
