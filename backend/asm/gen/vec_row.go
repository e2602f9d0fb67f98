package main

// rowFuncs are in the order of package asm's row functions.
var rowFuncs = []struct {
	name string
	body func(v *vec, r *row)
}{
	{"Softmax", softmaxRow}, {"LogSoftmax", logSoftmaxRow}, {"LayerNorm", layerNormRow}, {"RMSNorm", rmsNormRow},
}

func vecRowFamily() *Family {
	args := &Args{Name: "VecRow", Fields: []Field{
		{"Dst", "*float32", "N results in each row; may be Src or Add"}, {"Src", "*float32", "N elements in each row"},
		{"Add", "*float32", "nil, or N elements in each row"}, {"Bias", "*float32", "nil, or N elements"},
		{"Sum", "*float32", "nil, or where Src+Add+Bias is stored; rows of DstStep"},
		{"Gamma", "*float32", "nil, or N elements"}, {"Beta", "*float32", "nil, or N elements"},
		{"Mean", "*float32", "nil, or one result for each row"}, {"Inv", "*float32", "nil, or one result for each row"},
		{"N", "int64", "at least 1"}, {"Rows", "int64", "at least 1"},
		{"DstStep", "int64", "bytes between rows"}, {"SrcStep", "int64", "bytes between rows"}, {"AddStep", "int64", "bytes between rows"},
		{"DstAt", "int64", "0: the offset of the current row"}, {"SrcAt", "int64", "0"}, {"AddAt", "int64", "0"}, {"MeanAt", "int64", "0"},
		{"F", "int64", "the function, for the Go code"},
		{"Scale", "float32", "of Src, for Softmax"}, {"Eps", "float32", ""}, {"Count", "float32", "N"},
	}}
	f := &Family{
		Name: "vec_row", Type: "VecRow", Args: args, Scalar: "vecRowScalar",
		Doc: "VecRow is a function of rows: softmax, log softmax, layer norm or RMS norm.",
	}
	for _, isa := range vecISAs {
		for _, fn := range rowFuncs {
			v := newVec("vecRow"+fn.name, isa, args)
			r := &row{}
			r.span = v.newSpan(v.Load("N"))
			r.dst, r.src, r.add = v.GP("dst"), v.GP("src"), v.GP("add")
			loop := v.Label("row")
			v.Bind(loop)
			v.loadRow("Dst", "DstAt", r.dst)
			v.loadRow("Src", "SrcAt", r.src)
			v.loadRow("Add", "AddAt", r.add)
			fn.body(v, r)
			for _, m := range []string{"Dst", "Src", "Add"} {
				v.Op("MOVQ", v.Field(m+"Step"), r.dst)
				v.Op("ADDQ", r.dst, v.Field(m+"At"))
			}
			v.Op("ADDQ", Imm(4), v.Field("MeanAt"))
			v.Op("DECQ", v.Field("Rows"))
			v.Op("JNZ", loop)
			v.Ret()
			f.Kernels = append(f.Kernels, v.Kernel)
		}
	}
	return f
}

// row is a kernel's registers while it works on a row.
type row struct {
	*span
	dst, src, add Reg
}

// loadRow loads a pointer to the current row, nil if there is none. Only integers among the arguments change: a pointer
// past the end of its memory must not be left where the garbage collector sees it.
func (v *vec) loadRow(ptr, at string, r Reg) {
	v.Op("MOVQ", v.Field(ptr), r)
	v.with(r, func() { v.Op("ADDQ", v.Field(at), r) })
}

// with runs the body unless the pointer is nil.
func (v *vec) with(p Reg, body func()) {
	skip := v.Label("skip")
	v.Op("TESTQ", p, p)
	v.Op("JZ", skip)
	body()
	v.Bind(skip)
}

// setX is set for the low four lanes of a register.
func (v *vec) setX(x splat, dst Reg) {
	if v.hasMasks() {
		v.Op("VBROADCASTSS", v.U32(uint32(x)), dst)
		return
	}
	v.Op("VMOVUPS", v.splatMem(x), dst)
}

// foldAll folds the lanes and fills dst with the result.
func (v *vec) foldAll(op string, w, dst wide) {
	v.fold(op, w, dst)
	v.fill(w[0].X(), dst)
}

// rowMax fills a new register with the largest of the elements that prepare makes of the row.
func (v *vec) rowMax(r *row, prepare func(m *mask, x wide)) wide {
	acc, x := v.wide("acc"), v.wide("x")
	v.set(splat(0xff800000), acc)
	v.each(r.span, func(m *mask) {
		v.load(m, r.at(r.src), x)
		prepare(m, x)
		v.under(m, "VMAXPS", acc, x, acc)
	})
	v.foldAll("VMAXPS", acc, x)
	v.release(acc)
	return x
}

func softmaxRow(v *vec, r *row) {
	scale, y := v.wide("scale"), v.wide("y")
	v.fill(v.Field("Scale"), scale)
	top := v.rowMax(r, func(m *mask, x wide) {
		v.op("VMULPS", scale, x, x)
		v.with(r.add, func() {
			v.load(m, r.at(r.add), y)
			v.op("VADDPS", y, x, x)
		})
		v.store(m, x, r.at(r.dst))
	})
	v.release(scale, y)
	acc, x := v.wide("acc"), v.wide("x")
	v.set(0, acc)
	v.each(r.span, func(m *mask) {
		v.load(m, r.at(r.dst), x)
		v.op("VSUBPS", top, x, x)
		v.exp(x)
		v.store(m, x, r.at(r.dst))
		v.under(m, "VADDPS", x, acc, acc)
	})
	v.fold("VADDPS", acc, x)
	v.setX(val(1), x[0].X())
	v.Op("VDIVPS", acc[0].X(), x[0].X(), x[0].X())
	v.fill(x[0].X(), acc)
	v.each(r.span, func(m *mask) {
		v.load(m, r.at(r.dst), x)
		v.op("VMULPS", acc, x, x)
		v.store(m, x, r.at(r.dst))
	})
	v.release(top, acc, x)
}

func logSoftmaxRow(v *vec, r *row) {
	top := v.rowMax(r, func(*mask, wide) {})
	acc, x := v.wide("acc"), v.wide("x")
	v.set(0, acc)
	v.each(r.span, func(m *mask) {
		v.load(m, r.at(r.src), x)
		v.op("VSUBPS", top, x, x)
		v.store(m, x, r.at(r.dst))
		v.exp(x)
		v.under(m, "VADDPS", x, acc, acc)
	})
	v.release(top)
	v.foldAll("VADDPS", acc, x)
	v.release(acc)
	v.log(x)
	y := v.wide("y")
	v.each(r.span, func(m *mask) {
		v.load(m, r.at(r.dst), y)
		v.op("VSUBPS", x, y, y)
		v.store(m, y, r.at(r.dst))
	})
	v.release(x, y)
}

// gather stores src+add+bias in dst, and in sum if there is one, and runs the body on it.
func (v *vec) gather(r *row, body func(m *mask, x wide)) {
	bias, sum := v.Load("Bias"), v.GP("sum")
	v.loadRow("Sum", "DstAt", sum)
	x, y := v.wide("x"), v.wide("y")
	v.each(r.span, func(m *mask) {
		v.load(m, r.at(r.src), x)
		v.with(r.add, func() {
			v.load(m, r.at(r.add), y)
			v.op("VADDPS", y, x, x)
		})
		v.with(bias, func() {
			v.load(m, r.at(bias), y)
			v.op("VADDPS", y, x, x)
		})
		v.with(sum, func() { v.store(m, x, r.at(sum)) })
		v.store(m, x, r.at(r.dst))
		body(m, x)
	})
	v.release(x, y)
	v.Free(bias, sum)
}

// inverse leaves 1/sqrt(sum/Count + Eps) in all lanes of w, whose lane 0 is the sum, and stores it.
func (v *vec) inverse(w wide) {
	t := v.wide("t")
	x, y := w[0].X(), t[0].X()
	v.Op("VBROADCASTSS", v.Field("Count"), y)
	v.Op("VDIVPS", y, x, x)
	v.Op("VBROADCASTSS", v.Field("Eps"), y)
	v.Op("VADDPS", y, x, x)
	v.Op("VSQRTPS", x, x)
	v.setX(val(1), y)
	v.Op("VDIVPS", x, y, x)
	v.release(t)
	v.storeLane("Inv", x)
	v.fill(x, w)
}

// storeLane stores lane 0 as the row's element of an optional result.
func (v *vec) storeLane(field string, x Reg) {
	p := v.GP(field)
	v.loadRow(field, "MeanAt", p)
	v.with(p, func() { v.Op("VMOVSS", x, At(p, 0)) })
	v.Free(p)
}

// scaleShift stores x, made by the body, times gamma plus beta in dst.
func (v *vec) scaleShift(r *row, body func(x wide)) {
	gamma, beta := v.Load("Gamma"), v.Load("Beta")
	x, g, b := v.wide("x"), v.wide("g"), v.wide("b")
	v.each(r.span, func(m *mask) {
		v.load(m, r.at(r.dst), x)
		body(x)
		plain, store := v.Label("plain"), v.Label("store")
		v.Op("TESTQ", gamma, gamma)
		v.Op("JZ", plain)
		v.load(m, r.at(gamma), g)
		noBeta := v.Label("nobeta")
		v.Op("TESTQ", beta, beta)
		v.Op("JZ", noBeta)
		v.load(m, r.at(beta), b)
		v.op("VFMADD213PS", b, g, x)
		v.Op("JMP", store)
		v.Bind(noBeta)
		v.op("VMULPS", g, x, x)
		v.Op("JMP", store)
		v.Bind(plain)
		v.with(beta, func() {
			v.load(m, r.at(beta), b)
			v.op("VADDPS", b, x, x)
		})
		v.Bind(store)
		v.store(m, x, r.at(r.dst))
	})
	v.release(x, g, b)
	v.Free(gamma, beta)
}

func layerNormRow(v *vec, r *row) {
	acc, mean := v.wide("acc"), v.wide("mean")
	v.set(0, acc)
	v.gather(r, func(m *mask, x wide) { v.under(m, "VADDPS", x, acc, acc) })
	v.fold("VADDPS", acc, mean)
	v.Op("VBROADCASTSS", v.Field("Count"), mean[0].X())
	v.Op("VDIVPS", mean[0].X(), acc[0].X(), acc[0].X())
	v.storeLane("Mean", acc[0].X())
	v.fill(acc[0].X(), mean)
	v.set(0, acc)
	x := v.wide("x")
	v.each(r.span, func(m *mask) {
		v.load(m, r.at(r.dst), x)
		v.op("VSUBPS", mean, x, x)
		v.under(m, "VFMADD231PS", x, x, acc)
	})
	v.fold("VADDPS", acc, x)
	v.release(x)
	v.inverse(acc)
	v.scaleShift(r, func(x wide) {
		v.op("VSUBPS", mean, x, x)
		v.op("VMULPS", acc, x, x)
	})
	v.release(acc, mean)
}

func rmsNormRow(v *vec, r *row) {
	acc := v.wide("acc")
	v.set(0, acc)
	v.gather(r, func(m *mask, x wide) { v.under(m, "VFMADD231PS", x, x, acc) })
	t := v.wide("t")
	v.fold("VADDPS", acc, t)
	v.release(t)
	v.inverse(acc)
	v.scaleShift(r, func(x wide) { v.op("VMULPS", acc, x, x) })
	v.release(acc)
}
