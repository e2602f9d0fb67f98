package main

// reduceFuncs are in the order of package asm's reductions.
var reduceFuncs = []string{"Sum", "SumSquares", "Dot", "Max", "MinMax"}

func vecReduceFamily() *Family {
	args := &Args{Name: "VecReduce", Fields: []Field{
		{"A", "*float32", "N elements"}, {"B", "*float32", "N elements, for Dot"}, {"N", "int64", "a multiple of 16 but in the last call"},
		{"Acc", "*float32", "the 16 lanes so far; 16 minima and 16 maxima for MinMax"},
		{"Flag", "int64", "result: not 0 if an element is a NaN (Max), or is not finite (MinMax, whose lanes are then void)"},
		{"F", "int64", "the function, for the Go code"},
	}}
	f := &Family{
		Name: "vec_reduce", Type: "VecReduce", Args: args, Scalar: "vecReduceScalar",
		Doc: "VecReduce adds elements to the 16 lanes of a reduction: lane i takes elements i, i+16, i+32, ... in order.",
	}
	for _, isa := range vecISAs {
		for _, name := range reduceFuncs {
			f.Kernels = append(f.Kernels, reduceKernel(isa, args, name))
		}
	}
	return f
}

func reduceKernel(isa *ISA, args *Args, name string) *Kernel {
	return vecKernel("vecReduce"+name, isa, args, func(v *vec) { reduceProgram(v, name) })
}

func reduceProgram(v *vec, name string) {
	pa, pb, pacc := v.Load("A"), v.Load("B"), v.Load("Acc")
	acc, x, y := v.wide("acc"), v.wide("x"), v.wide("y")
	v.load(nil, At(pacc, 0), acc)
	if name == "MinMax" {
		v.load(nil, At(pacc, 64), y)
	}
	flag := v.newFlag()
	s := v.newSpan(v.Load("N"))
	v.each(s, func(m *mask) {
		v.load(m, s.at(pa), x)
		switch name {
		case "Sum":
			v.under(m, "VADDPS", x, acc, acc)
		case "SumSquares":
			v.under(m, "VFMADD231PS", x, x, acc)
		case "Dot":
			v.load(m, s.at(pb), y)
			v.under(m, "VFMADD231PS", y, x, acc)
		case "Max":
			v.under(m, "VMAXPS", acc, x, acc)
			v.flagNaN(flag, x)
		case "MinMax":
			v.under(m, "VMINPS", acc, x, acc)
			v.under(m, "VMAXPS", y, x, y)
			v.op("VMULPS", splat(0), x, x) // NaN for infinities, too
			v.flagNaN(flag, x)
		}
	})
	v.store(nil, acc, At(pacc, 0))
	if name == "MinMax" {
		v.store(nil, y, At(pacc, 64))
	}
	v.Op("MOVQ", v.flagBits(flag), v.Field("Flag"))
	v.Ret()
}

// newFlag is an empty set of lanes.
func (v *vec) newFlag() mask {
	m := v.newMask("flag")
	if !v.hasMasks() {
		v.set(0, m.w)
		return m
	}
	zero := v.GP("zero")
	v.Op("XORQ", zero, zero)
	v.Op("KMOVW", zero, m.k[0])
	v.Free(zero)
	return m
}

// flagNaN adds the lanes where x is a NaN.
func (v *vec) flagNaN(flag mask, x wide) {
	m := v.newMask("nan")
	v.cmp(unordered, x, x, m)
	if v.hasMasks() {
		v.Op("KORW", m.k[0], flag.k[0], flag.k[0])
	} else {
		v.op("VORPS", m.w, flag.w, flag.w)
	}
	v.freeMask(m)
}

// flagBits is a new register that is 0 if no lane is in the flag.
func (v *vec) flagBits(flag mask) Reg {
	if v.ISA.arm() {
		return v.neonAny(flag.w, false)
	}
	r := v.GP("flag")
	if v.hasMasks() {
		v.Op("KMOVW", flag.k[0], r)
		return r
	}
	v.Op("VORPS", flag.w[0], flag.w[1], flag.w[0])
	v.Op("VMOVMSKPS", flag.w[0], r)
	return r
}

// nanTest sets the flags: not zero if a lane is a NaN. x is clobbered.
func (v *vec) nanTest(x wide) {
	if v.hasMasks() {
		m := v.Mask("nan")
		v.Op("VCMPPS", Imm(unordered), x[0], x[0], m)
		v.Op("KORTESTW", m, m)
		v.Free(m)
		return
	}
	if v.ISA.arm() {
		v.op("FCMEQ.4S", x, x, x)
		v.Free(v.neonAny(x, true))
		return
	}
	v.op("VCMPPS", Imm(unordered), x, x, x)
	v.Op("VORPS", x[0], x[1], x[0])
	r := v.GP("nan")
	v.Op("VMOVMSKPS", x[0], r)
	v.Op("TESTQ", r, r)
	v.Free(r)
}
