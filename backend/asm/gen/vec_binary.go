package main

// binaryFuncs are in the order of package asm's Binary; the instruction's operands are Go's: b, a, destination.
var binaryFuncs = []struct{ name, op string }{
	{"Add", "VADDPS"}, {"Sub", "VSUBPS"}, {"Mul", "VMULPS"}, {"Div", "VDIVPS"}, {"Max", "VMAXPS"}, {"Min", "VMINPS"},
}

func vecBinaryFamily() *Family {
	args := &Args{Name: "VecBinary", Fields: []Field{
		{"Dst", "*float32", "N results; may be A or B"}, {"A", "*float32", "N elements, or one with Form 2"},
		{"B", "*float32", "N elements, or one with Form 1"}, {"N", "int64", ""},
		{"F", "int64", "the Binary, or NumBinary for Dst[i] += A[i]*B[0], for the Go code"},
		{"Form", "int64", "0, or which operand is one element: 1 B, 2 A; for the Go code"},
	}}
	f := &Family{
		Name: "vec_binary", Type: "VecBinary", Args: args, Scalar: "vecBinaryScalar",
		Doc: "VecBinary is an elementwise function of two operands: Dst[i] = BinaryOf(F, A[i], B[i]).",
	}
	for _, isa := range vecISAs {
		for _, b := range binaryFuncs {
			for form, suffix := range []string{"", "VS", "SV"} {
				f.Kernels = append(f.Kernels, binaryKernel(isa, args, b.name+suffix, b.op, form))
			}
		}
		f.Kernels = append(f.Kernels, binaryKernel(isa, args, "Axpy", "VFMADD231PS", 1))
	}
	return f
}

func binaryKernel(isa *ISA, args *Args, name, op string, form int) *Kernel {
	return vecKernel("vecBinary"+name, isa, args, func(v *vec) { binaryProgram(v, op, form) })
}

func binaryProgram(v *vec, op string, form int) {
	dst, pa, pb := v.Load("Dst"), v.Load("A"), v.Load("B")
	var a, b wide
	switch form {
	case 0:
		a, b = v.wide("a"), v.wide("b")
	case 1:
		a, b = v.wide("a"), v.uniform("b")
		v.fill(At(pb, 0), b)
	case 2:
		a, b = v.uniform("a"), v.wide("b")
		v.fill(At(pa, 0), a)
	}
	x := v.wide("x")
	m := mask{}
	if op == "VMAXPS" || op == "VMINPS" {
		m = v.newMask("nan")
	}
	s := v.newSpan(v.Load("N"))
	v.each(s, func(t *mask) {
		if form != 2 {
			v.load(t, s.at(pa), a)
		}
		if form != 1 {
			v.load(t, s.at(pb), b)
		}
		if op == "VFMADD231PS" {
			v.load(t, s.at(dst), x)
		}
		v.op(op, b, a, x)
		if op == "VMAXPS" || op == "VMINPS" { // a NaN in b is the result already
			v.cmp(unordered, a, a, m)
			v.blend(m, a, x, x)
		}
		v.store(t, x, s.at(dst))
	})
	v.Ret()
}
