package main

import "fmt"

// readFamily are loops that do no more than read memory: what a product of one row can do at most.
func readFamily() *Family {
	args := &Args{Name: "Read", Fields: []Field{
		{"Dst", "*uint64", "8 values"},
		{"Src", "*uint64", "N values"},
		{"N", "int64", "a positive multiple of 64"},
	}}
	f := &Family{
		Name: "read", Type: "Read", Args: args, Scalar: "readScalar",
		Doc: "Read is a kernel that reads memory, the measure that a product of one row is compared with:\n\n	for i := range N { Dst[i%8] ^= Src[i] }",
	}
	for _, isa := range []*ISA{AVX2, AVX512} {
		k := NewKernel("read"+isa.Suffix, isa, args)
		dst, src, n := k.Load("Dst"), k.Load("Src"), k.Load("N")
		per := 64 / isa.Width // registers of Dst
		acc := make([]Reg, 4*per)
		xor := map[*ISA]string{AVX2: "VPXOR", AVX512: "VPXORD"}[isa]
		for i := range acc {
			acc[i] = k.V(fmt.Sprint("acc", i))
			k.Clear(acc[i])
		}
		loop := k.Label("loop")
		k.Align()
		k.Bind(loop)
		for i := range 512 / isa.Width {
			r := acc[i%len(acc)]
			k.Op(xor, At(src, i*isa.Width), r, r)
		}
		k.Op("ADDQ", Imm(512), src)
		k.Op("SUBQ", Imm(64), n)
		k.Op("JNZ", loop)
		for i := range per {
			for j := i; j < len(acc); j += per {
				k.Op(xor, At(dst, i*isa.Width), acc[j], acc[j])
				k.Op("VMOVUPS", acc[j], At(dst, i*isa.Width))
			}
		}
		k.Ret()
		f.Kernels = append(f.Kernels, k)
	}
	return f
}
