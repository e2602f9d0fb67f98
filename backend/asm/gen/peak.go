package main

import "fmt"

// peakFamily are register-only loops of the instruction that bounds a product: what a processor can do at most.
func peakFamily() *Family {
	args := &Args{Name: "Peak", Fields: []Field{{"N", "int64", "rounds"}, {"Config", "*uint8", "tile configuration, AMX only"}}}
	f := &Family{
		Name: "peak", Type: "Peak", Args: args, Scalar: "peakScalar",
		Doc: "Peak is a register-only loop of the instruction that bounds a matrix product. A round does M instructions of N\n" +
			"multiply-adds each (for two-instruction sequences: sequences), the measure that a product's speed is compared with.",
	}
	add := func(isa *ISA, name string, count, macs int, seq func(k *Kernel, acc, tmp, a, b Reg)) {
		k := NewKernel("peak"+name+isa.Suffix, isa, args)
		k.M, k.N = count, macs
		n := k.Load("N")
		a, b, tmp := k.V("a"), k.V("b"), []Reg{k.V("tmp"), k.V("tmp")}
		acc := make([]Reg, count)
		for i := range acc {
			acc[i] = k.V(fmt.Sprint("acc", i))
			k.Clear(acc[i])
		}
		k.Clear(a)
		k.Clear(b)
		loop := k.Label("loop")
		if !isa.arm() {
			k.Align()
		}
		k.Bind(loop)
		for i, r := range acc {
			seq(k, r, tmp[i%2], a, b)
		}
		if isa.arm() {
			k.Op("SUBS", Imm(1), n)
			k.Op("BNE", loop)
		} else {
			k.Op("DECQ", n)
			k.Op("JNZ", loop)
		}
		k.Ret()
		f.Kernels = append(f.Kernels, k)
	}
	fma := func(k *Kernel, acc, _, a, b Reg) { k.Op("VFMADD231PS", a, b, acc) }
	dot := func(k *Kernel, acc, _, a, b Reg) { k.Op("VPDPBUSD", a, b, acc) }
	wide := func(k *Kernel, acc, tmp, a, b Reg) {
		k.Op("VPMADDWD", a, b, tmp)
		k.Op("VPADDD", tmp, acc, acc)
	}
	add(AVX2, "FMA", 12, 8, fma)
	add(AVX2, "MADD", 12, 16, wide)
	add(AVXVNNI, "DOT", 12, 32, dot)
	add(AVX512, "FMA", 24, 16, fma)
	add(AVX512VNNI, "DOT", 24, 64, dot)
	f.Kernels = append(f.Kernels, peakTiles(args))
	one := func(op string) func(k *Kernel, acc, _, a, b Reg) {
		return func(k *Kernel, acc, _, a, b Reg) { k.Op(op, a, b, acc) }
	}
	add(NEON, "FMA", 24, 4, one("FMLA.4S"))
	add(NEON, "MADD", 16, 8, func(k *Kernel, acc, tmp, a, b Reg) {
		k.Op("SMULL.8H", a, b, tmp)
		k.Op("SADALP.4S", tmp, acc)
	})
	add(NEONDOT, "DOT", 24, 16, one("SDOT.4S"))
	add(NEONI8MM, "DOT", 24, 32, one("USMMLA.4S"))
	return f
}

// peakTiles is the loop of tile products, sixteen rows by sixteen columns by 64.
func peakTiles(args *Args) *Kernel {
	k := NewKernel("peakDOTAMX", AMX, args)
	k.M, k.N = 4, 16*16*64
	n, cfg := k.Load("N"), k.Load("Config")
	k.Op("LDTILECFG", At(cfg, 0))
	for i := range 8 {
		k.Op("TILEZERO", tmm(i))
	}
	loop := k.Label("loop")
	k.Bind(loop)
	for i := range 4 {
		k.Op("TDPBUSD", tmm(6+i%2), tmm(4+i/2), tmm(i))
	}
	k.Op("DECQ", n)
	k.Op("JNZ", loop)
	k.Op("TILERELEASE")
	k.Ret()
	return k
}
