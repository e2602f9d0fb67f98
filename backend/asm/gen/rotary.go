package main

// rotaryFamily turns pairs of elements that are half a head apart, in rows of the same angles.
func rotaryFamily() *Family {
	args := &Args{Name: "Rotary", Fields: []Field{
		{"Dst", "*float32", "the first halves of rows"}, {"Dst1", "*float32", "the second halves"},
		{"X", "*float32", "the first halves of rows"}, {"X1", "*float32", "the second halves"},
		{"Cos", "*float32", "N"}, {"Cos1", "*float32", "N, for the second halves"},
		{"Sin", "*float32", "N"}, {"Sin1", "*float32", "N, for the second halves"},
		{"N", "int64", "elements of a half, at least 1"}, {"Rows", "int64", "at least 1"},
		{"DstStep", "int64", "bytes between rows"}, {"XStep", "int64", "bytes between rows"},
	}}
	f := &Family{
		Name: "rotary", Type: "Rotary", Args: args, Scalar: "rotaryScalar",
		Doc: "Rotary is a kernel of rotary embedding, each product rounded:\n\n" +
			"	for each row { for i := range N {\n		Dst[i] = X[i]*Cos[i] - X1[i]*Sin[i]\n		Dst1[i] = X1[i]*Cos1[i] + X[i]*Sin1[i]\n	} }",
	}
	for _, isa := range vecISAs {
		f.Kernels = append(f.Kernels, vecKernel("rotary", isa, args, rotaryProgram))
	}
	return f
}

func rotaryProgram(v *vec) {
	var p [8]Reg
	for i, name := range []string{"Dst", "Dst1", "X", "X1", "Cos", "Cos1", "Sin", "Sin1"} {
		p[i] = v.Load(name)
	}
	x, x1, a, b := v.wide("x"), v.wide("x1"), v.wide("a"), v.wide("b")
	s := v.newSpan(v.Load("N"))
	row := v.Label("row")
	v.Bind(row)
	v.each(s, func(m *mask) {
		v.load(m, s.at(p[2]), x)
		v.load(m, s.at(p[3]), x1)
		for i, op := range []string{"VSUBPS", "VADDPS"} {
			v.load(m, s.at(p[4+i]), a)
			v.load(m, s.at(p[6+i]), b)
			v.op("VMULPS", x, a, a)
			v.op("VMULPS", x1, b, b)
			v.op(op, b, a, a)
			v.store(m, a, s.at(p[i]))
			x, x1 = x1, x
		}
	})
	for i, r := range p[:4] {
		v.Op("ADDQ", v.Field([]string{"DstStep", "DstStep", "XStep", "XStep"}[i]), r)
	}
	v.Op("DECQ", v.Field("Rows"))
	v.Op("JNZ", row)
	v.Ret()
}
