package main

// rowFuncs are in the order of package asm's row functions.
var rowFuncs = []struct {
	name string
	body func(v *vec, s *span)
}{
	{"Softmax", softmaxRows}, {"LogSoftmax", logSoftmaxRows}, {"LayerNorm", layerNormRows}, {"RMSNorm", rmsNormRows}, {"Sum", sumRows},
}

func vecRowFamily() *Family {
	args := &Args{Name: "VecRow", Fields: []Field{
		{"Dst", "*float32", "N results in each row; may be Src or Add"}, {"Src", "*float32", "N elements in each row"},
		{"Add", "*float32", "nil, or N elements in each row"}, {"Bias", "*float32", "nil, or N elements"},
		{"Sum", "*float32", "nil, or where Src+Add+Bias is stored; rows of DstStep"},
		{"Gamma", "*float32", "nil, or N elements"}, {"Beta", "*float32", "nil, or N elements"},
		{"Mean", "*float32", "one result for each row; scratch for the softmaxes"},
		{"Inv", "*float32", "one result for each row; scratch for the softmaxes"},
		{"N", "int64", "at least 1"}, {"Rows", "int64", "at least 1"},
		{"DstStep", "int64", "bytes between rows"}, {"SrcStep", "int64", "bytes between rows"}, {"AddStep", "int64", "bytes between rows"},
		{"F", "int64", "the function, for the Go code"},
		{"Scale", "float32", "of Src, for Softmax"}, {"Eps", "float32", ""}, {"Count", "float32", "N"},
	}}
	f := &Family{
		Name: "vec_row", Type: "VecRow", Args: args, Scalar: "vecRowScalar",
		Doc: "VecRow is a function of rows: softmax, log softmax, layer norm, RMS norm or, to Mean, the sum. Each pass goes over all rows, so that\n" +
			"a row does not wait for the result of its own reduction.",
	}
	for _, isa := range vecISAs {
		for _, fn := range rowFuncs {
			f.Kernels = append(f.Kernels, vecKernel("vecRow"+fn.name, isa, args, func(v *vec) {
				fn.body(v, v.newSpan(v.Load("N")))
				v.Ret()
			}))
		}
	}
	return f
}

// rowStep is the field with the distance between a matrix's rows, or the distance, none for what all rows share.
func (v *vec) rowStep(name string) Operand {
	switch {
	case name == "Src", name == "Add":
		return v.Field(name + "Step")
	case name == "Dst", name == "Sum" && v.Args.Name == "VecRow":
		return v.Field("DstStep")
	case name == "Bias", name == "Gamma", name == "Beta":
		return nil
	}
	return Imm(4)
}

// rows runs the body for each row, with these arguments' pointers to it. Only registers are moved on: a pointer past
// the end of its memory must not be left where the garbage collector sees it.
func (v *vec) rows(body func(p map[string]Reg), names ...string) {
	p := map[string]Reg{}
	for _, name := range names {
		p[name] = v.Load(name)
	}
	left, loop := v.Load("Rows"), v.Label("row")
	v.Bind(loop)
	body(p)
	for _, name := range names {
		step := v.rowStep(name)
		switch {
		case step == nil:
		case name == "Add", name == "Sum":
			v.with(p[name], func() { v.Op("ADDQ", step, p[name]) })
		default:
			v.Op("ADDQ", step, p[name])
		}
	}
	v.Op("DECQ", left)
	v.Op("JNZ", loop)
	v.Free(left)
	for _, name := range names {
		v.Free(p[name])
	}
}

// with runs the body unless the pointer is nil.
func (v *vec) with(p Reg, body func()) {
	skip := v.Label("skip")
	v.Op("TESTQ", p, p)
	v.Op("JZ", skip)
	body()
	v.Bind(skip)
}

// foldTo folds the lanes and stores the result.
func (v *vec) foldTo(op string, w wide, dst Reg) {
	tmp := v.wide("tmp")
	v.fold(op, w, tmp)
	v.release(tmp)
	v.Op("VMOVSS", w[0].X(), At(dst, 0))
}

// sumRows leaves the sums in Mean. What is outside a partial block adds 0, which no lane notices, as none is -0.
func sumRows(v *vec, s *span) {
	acc, x := v.wide("acc"), v.wide("x")
	v.rows(func(p map[string]Reg) {
		v.set(0, acc)
		v.each(s, func(m *mask) {
			v.load(m, s.at(p["Src"]), x)
			v.op("VADDPS", x, acc, acc)
		})
		v.foldTo("VADDPS", acc, p["Mean"])
	}, "Src", "Mean")
}

func softmaxRows(v *vec, s *span) {
	acc, x, y, k := v.wide("acc"), v.wide("x"), v.wide("y"), v.uniform("k")
	v.fill(v.Field("Scale"), k)
	v.rows(func(p map[string]Reg) {
		v.set(splat(0xff800000), acc)
		v.each(s, func(m *mask) {
			v.load(m, s.at(p["Src"]), x)
			v.op("VMULPS", k, x, x)
			v.with(p["Add"], func() {
				v.load(m, s.at(p["Add"]), y)
				v.op("VADDPS", y, x, x)
			})
			v.store(m, x, s.at(p["Dst"]))
			v.under(m, "VMAXPS", acc, x, acc)
		})
		v.foldTo("VMAXPS", acc, p["Mean"])
	}, "Dst", "Src", "Add", "Mean")
	v.release(x, y)
	v.rows(func(p map[string]Reg) {
		v.fill(At(p["Mean"], 0), k)
		v.set(0, acc)
		v.sideBySide(sideBySide, s, func(m *mask) {
			x := v.wide("x")
			v.load(m, s.at(p["Dst"]), x)
			v.op("VSUBPS", k, x, x)
			v.exp(x)
			v.store(m, x, s.at(p["Dst"]))
			for i := 0; i < len(x); i += len(acc) {
				v.under(m, "VADDPS", x[i:i+len(acc)], acc, acc)
			}
			v.release(x)
		})
		x := v.wide("x")
		v.fold("VADDPS", acc, x)
		v.setReg(val(1), x[0].X())
		v.Op("VDIVPS", acc[0].X(), x[0].X(), x[0].X())
		v.Op("VMOVSS", x[0].X(), At(p["Inv"], 0))
		v.release(x)
	}, "Dst", "Mean", "Inv")
	x = v.wide("x")
	v.rows(func(p map[string]Reg) {
		v.fill(At(p["Inv"], 0), k)
		v.each(s, func(m *mask) {
			v.load(m, s.at(p["Dst"]), x)
			v.op("VMULPS", k, x, x)
			v.store(m, x, s.at(p["Dst"]))
		})
	}, "Dst", "Inv")
	v.release(acc, x, k)
}

func logSoftmaxRows(v *vec, s *span) {
	acc, x := v.wide("acc"), v.wide("x")
	v.rows(func(p map[string]Reg) {
		v.set(splat(0xff800000), acc)
		v.each(s, func(m *mask) {
			v.load(m, s.at(p["Src"]), x)
			v.under(m, "VMAXPS", acc, x, acc)
		})
		v.foldTo("VMAXPS", acc, p["Mean"])
	}, "Src", "Mean")
	v.rows(func(p map[string]Reg) {
		k := v.uniform("k")
		v.fill(At(p["Mean"], 0), k)
		v.set(0, acc)
		v.each(s, func(m *mask) {
			v.load(m, s.at(p["Src"]), x)
			v.op("VSUBPS", k, x, x)
			v.store(m, x, s.at(p["Dst"]))
			v.exp(x)
			v.under(m, "VADDPS", x, acc, acc)
		})
		v.fold("VADDPS", acc, x)
		v.op("VMOVAPS", acc, x)
		v.release(acc, k)
		v.log(x)
		acc = v.wide("acc")
		v.Op("VMOVSS", x[0].X(), At(p["Inv"], 0))
	}, "Dst", "Src", "Mean", "Inv")
	v.rows(func(p map[string]Reg) {
		v.fill(At(p["Inv"], 0), acc)
		v.each(s, func(m *mask) {
			v.load(m, s.at(p["Dst"]), x)
			v.op("VSUBPS", acc, x, x)
			v.store(m, x, s.at(p["Dst"]))
		})
	}, "Dst", "Inv")
	v.release(acc, x)
}

// gather stores src+add+bias in dst, and in sum if there is one, and runs the body on it.
func (v *vec) gather(s *span, p map[string]Reg, body func(m *mask, x wide)) {
	x, y := v.wide("x"), v.wide("y")
	v.each(s, func(m *mask) {
		v.load(m, s.at(p["Src"]), x)
		for _, name := range []string{"Add", "Bias"} {
			v.with(p[name], func() {
				v.load(m, s.at(p[name]), y)
				v.op("VADDPS", y, x, x)
			})
		}
		v.with(p["Sum"], func() { v.store(m, x, s.at(p["Sum"])) })
		v.store(m, x, s.at(p["Dst"]))
		body(m, x)
	})
	v.release(x, y)
}

// inverse stores 1/sqrt(sum/Count + Eps), where w's lanes have the sum.
func (v *vec) inverse(w wide, dst Reg) {
	t := v.wide("t")
	v.fold("VADDPS", w, t)
	x, y := w[0].X(), t[0].X()
	v.Op("VBROADCASTSS", v.Field("Count"), y)
	v.Op("VDIVPS", y, x, x)
	v.Op("VBROADCASTSS", v.Field("Eps"), y)
	v.Op("VADDPS", y, x, x)
	v.Op("VSQRTPS", x, x)
	v.setReg(val(1), y)
	v.Op("VDIVPS", x, y, x)
	v.release(t)
	v.Op("VMOVSS", x, At(dst, 0))
}

// scaleShift stores x, made by the body, times gamma plus beta in dst.
func (v *vec) scaleShift(s *span, p map[string]Reg, body func(x wide)) {
	gamma, beta := p["Gamma"], p["Beta"]
	x, g, b := v.wide("x"), v.wide("g"), v.wide("b")
	v.each(s, func(m *mask) {
		v.load(m, s.at(p["Dst"]), x)
		body(x)
		plain, noBeta, store := v.Label("plain"), v.Label("nobeta"), v.Label("store")
		v.Op("TESTQ", gamma, gamma)
		v.Op("JZ", plain)
		v.load(m, s.at(gamma), g)
		v.Op("TESTQ", beta, beta)
		v.Op("JZ", noBeta)
		v.load(m, s.at(beta), b)
		v.op("VFMADD213PS", b, g, x)
		v.Op("JMP", store)
		v.Bind(noBeta)
		v.op("VMULPS", g, x, x)
		v.Op("JMP", store)
		v.Bind(plain)
		v.with(beta, func() {
			v.load(m, s.at(beta), b)
			v.op("VADDPS", b, x, x)
		})
		v.Bind(store)
		v.store(m, x, s.at(p["Dst"]))
	})
	v.release(x, g, b)
}

func layerNormRows(v *vec, s *span) {
	acc, mean := v.wide("acc"), v.wide("mean")
	v.rows(func(p map[string]Reg) {
		v.set(0, acc)
		v.gather(s, p, func(m *mask, x wide) { v.under(m, "VADDPS", x, acc, acc) })
		v.fold("VADDPS", acc, mean)
		v.Op("VBROADCASTSS", v.Field("Count"), mean[0].X())
		v.Op("VDIVPS", mean[0].X(), acc[0].X(), acc[0].X())
		v.Op("VMOVSS", acc[0].X(), At(p["Mean"], 0))
	}, "Dst", "Src", "Add", "Bias", "Sum", "Mean")
	v.rows(func(p map[string]Reg) {
		x := v.wide("x")
		v.fill(At(p["Mean"], 0), mean)
		v.set(0, acc)
		v.each(s, func(m *mask) {
			v.load(m, s.at(p["Dst"]), x)
			v.op("VSUBPS", mean, x, x)
			v.under(m, "VFMADD231PS", x, x, acc)
		})
		v.release(x)
		v.inverse(acc, p["Inv"])
	}, "Dst", "Mean", "Inv")
	v.rows(func(p map[string]Reg) {
		v.fill(At(p["Mean"], 0), mean)
		v.fill(At(p["Inv"], 0), acc)
		v.scaleShift(s, p, func(x wide) {
			v.op("VSUBPS", mean, x, x)
			v.op("VMULPS", acc, x, x)
		})
	}, "Dst", "Mean", "Inv", "Gamma", "Beta")
	v.release(acc, mean)
}

func rmsNormRows(v *vec, s *span) {
	acc := v.wide("acc")
	v.rows(func(p map[string]Reg) {
		v.set(0, acc)
		v.gather(s, p, func(m *mask, x wide) { v.under(m, "VFMADD231PS", x, x, acc) })
		v.inverse(acc, p["Inv"])
	}, "Dst", "Src", "Add", "Bias", "Sum", "Inv")
	v.rows(func(p map[string]Reg) {
		v.fill(At(p["Inv"], 0), acc)
		v.scaleShift(s, p, func(x wide) { v.op("VMULPS", acc, x, x) })
	}, "Dst", "Inv", "Gamma", "Beta")
	v.release(acc)
}
