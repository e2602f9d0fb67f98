package main

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
	a, codes, scale, zero := v.Load("A"), v.Load("Codes"), v.Load("Scale"), v.Load("Zero")
	blocks, chunks, step, count := v.Load("Blocks"), v.Load("Chunks"), v.Load("ZeroStep"), v.GP("count")
	acc, t, lo, hi := v.wide("acc"), v.wide("t"), v.wide("lo"), v.wide("hi")
	z, s := v.uniform("z"), v.uniform("s")
	pacc := v.Load("Acc")
	v.load(nil, At(pacc, 0), acc)
	block, chunk := v.Label("block"), v.Label("chunk")
	v.Bind(block)
	v.fill(At(zero, 0), z)
	v.set(0, t)
	v.Op("MOVQ", chunks, count)
	v.Bind(chunk)
	v.narrow("VPMOVZXBD", codes, 1, lo)
	v.op("VPSRAD", Imm(4), lo, hi)
	v.op("VANDPS", splat(15), lo, lo)
	for i, c := range []wide{lo, hi} {
		v.op("VCVTDQ2PS", c, c)
		v.op("VSUBPS", z, c, c)
		v.op("VFMADD231PS", At(a, 64*i), c, t)
	}
	v.Op("ADDQ", Imm(16), codes)
	v.Op("ADDQ", Imm(128), a)
	v.Op("DECQ", count)
	v.Op("JNZ", chunk)
	v.fill(At(scale, 0), s)
	v.op("VFMADD231PS", s, t, acc)
	v.Op("ADDQ", Imm(4), scale)
	v.Op("ADDQ", step, zero)
	v.Op("DECQ", blocks)
	v.Op("JNZ", block)
	v.store(nil, acc, At(pacc, 0))
	v.Ret()
}
