package main

// widenFamily makes 16-bit integers of bytes, which the AVX2 product multiplies.
func widenFamily() *Family {
	args := &Args{Name: "Widen", Fields: []Field{
		{"Dst", "*int16", "N values"},
		{"Src", "*uint8", "N values"},
		{"N", "int64", "a positive multiple of 32"},
	}}
	k := NewKernel("widenAVX2", AVX2, args)
	dst, src, n, x, y := k.Load("Dst"), k.Load("Src"), k.Load("N"), k.V("x"), k.V("y")
	loop := k.Label("loop")
	k.Align()
	k.Bind(loop)
	k.Op("VPMOVZXBW", At(src, 0), x)
	k.Op("VPMOVZXBW", At(src, 16), y)
	k.Op("VMOVDQU", x, At(dst, 0))
	k.Op("VMOVDQU", y, At(dst, 32))
	k.Op("ADDQ", Imm(32), src)
	k.Op("ADDQ", Imm(64), dst)
	k.Op("SUBQ", Imm(32), n)
	k.Op("JNZ", loop)
	k.Ret()
	return &Family{
		Name: "widen", Type: "Widen", Args: args, Scalar: "widenScalar", Kernels: []*Kernel{k},
		Doc: "Widen is a kernel of the conversion of bytes to 16-bit integers:\n\n	for i := range N { Dst[i] = int16(Src[i]) }",
	}
}
