package main

// The transforms of Winograd's minimal filtering F(4x4, 3x3) with the points 0, 1, -1, 2, -2 and infinity (Lavin and
// Gray 2016). A tile is 6x6 elements of the input and gives 4x4 results. Vectors hold one element of many tiles, side by
// side in a row; which lane has which tile is as 4x4 transposes of quarters make it, in both directions.

// winogradTaps and winogradResults are the sides of a tile in the input and in the output.
const (
	winogradTaps    = 6
	winogradResults = 4
)

// winogradFamily are the two transforms.
func winogradFamily() *Family {
	args := &Args{Name: "Winograd", Fields: []Field{
		{"Dst", "*float32", ""},
		{"Src", "*float32", ""},
		{"Scratch", "*float32", "576 elements"},
		{"Bias", "*float32", "of each channel, or nil (output only)"},
		{"N", "int64", "vectors of tiles of each channel, at least 1"},
		{"Channels", "int64", "at least 1"},
		{"StepDst", "int64", "bytes between channels of Dst"},
		{"StepSrc", "int64", "bytes between channels of Src"},
		{"StepF", "int64", "bytes between the matrices of the 36 transformed elements"},
		{"StepRow", "int64", "bytes between the four rows of tiles of the input or of the output"},
		{"NextRow", "int64", "bytes on which the rows of tiles below lie (input only)"},
		{"Lo", "float32", "results below become Lo (output only)"},
		{"Hi", "float32", "and results above become Hi"},
		{"Lanes", "int64", "of a vector, for the Go code"},
		{"Input", "int64", "1 for the input's transform, for the Go code"},
		{"Left", "int64", "0; the kernel keeps its place here"},
		{"OffDst", "int64", "0"},
		{"OffSrc", "int64", "0"},
		{"OffBias", "int64", "0"},
	}}
	f := &Family{
		Name: "winograd", Type: "Winograd", Args: args, Scalar: "winogradScalar",
		Doc: "Winograd is a transform of tiles for convolution with 3x3 kernels: of the input, or of the products back.",
	}
	for _, isa := range vecISAs {
		f.Kernels = append(f.Kernels, winogradInput(isa, args), winogradOutput(isa, args))
	}
	return f
}

// winograd builds a transform.
type winograd struct {
	*Kernel
	two, four   Reg
	dst, src, s Reg
}

func newWinograd(name string, isa *ISA, args *Args) *winograd {
	w := &winograd{Kernel: NewKernel(name+isa.Suffix, isa, args)}
	w.two, w.four = w.V("two"), w.V("four")
	w.Op("VBROADCASTSS", w.F32(2), w.two)
	w.Op("VBROADCASTSS", w.F32(4), w.four)
	return w
}

// channels writes the loops over channels and the vectors of each; after a vector dst and src move on by those bytes.
func (w *winograd) channels(moveDst, moveSrc int, body func()) {
	channel, vector := w.Label("channel"), w.Label("vector")
	w.s = w.Load("Scratch")
	w.Bind(channel)
	w.dst, w.src = w.Load("Dst"), w.Load("Src")
	w.Op("ADDQ", w.Field("OffDst"), w.dst)
	w.Op("ADDQ", w.Field("OffSrc"), w.src)
	n := w.Load("N")
	w.Op("MOVQ", n, w.Field("Left"))
	w.Free(n)
	w.Bind(vector)
	body()
	w.Op("ADDQ", Imm(moveDst), w.dst)
	w.Op("ADDQ", Imm(moveSrc), w.src)
	w.Op("DECQ", w.Field("Left"))
	w.Op("JNZ", vector)
	w.Free(w.dst, w.src)
	for _, f := range [][2]string{{"StepDst", "OffDst"}, {"StepSrc", "OffSrc"}} {
		r := w.Load(f[0])
		w.Op("ADDQ", r, w.Field(f[1]))
		w.Free(r)
	}
	w.Op("ADDQ", Imm(4), w.Field("OffBias"))
	w.Op("DECQ", w.Field("Channels"))
	w.Op("JNZ", channel)
	w.Ret()
}

// at is element i, j of the scratch memory, which has six vectors in a row.
func (w *winograd) at(i, j int) Mem { return At(w.s, (6*i+j)*w.ISA.Width) }

// quarters transposes 4x4 elements in each quarter of four vectors, or of what loads write; of the result only the first n are made.
func (w *winograd) quarters(x [4]Reg, n int) []Reg {
	t := []Reg{w.V("t"), w.V("t")}
	w.Op("VUNPCKLPS", x[1], x[0], t[0])
	w.Op("VUNPCKLPS", x[3], x[2], t[1])
	if n > 2 {
		w.Op("VUNPCKHPS", x[1], x[0], x[0])
		w.Op("VUNPCKHPS", x[3], x[2], x[2])
	}
	y := []Reg{x[1], x[3], w.V("y"), t[1]}
	w.Op("VUNPCKLPD", t[1], t[0], y[0])
	w.Op("VUNPCKHPD", t[1], t[0], y[1])
	if n > 2 {
		w.Op("VUNPCKLPD", x[2], x[0], y[2])
		w.Op("VUNPCKHPD", x[2], x[0], y[3])
		w.Free(t[0], x[0], x[2])
		return y
	}
	w.Free(t[0], x[0], x[2], y[2], y[3])
	return y[:2]
}

func winogradInput(isa *ISA, args *Args) *Kernel {
	w := newWinograd("winogradInput", isa, args)
	w.channels(isa.Width, 4*isa.Width, func() {
		row := w.GP("row")
		for i := range winogradTaps {
			switch i {
			case 0:
				w.Op("MOVQ", w.src, row)
			case winogradResults:
				w.Op("MOVQ", w.src, row)
				w.Op("ADDQ", w.Field("NextRow"), row)
			default:
				w.Op("ADDQ", w.Field("StepRow"), row)
			}
			d := append(w.taps(row, 0, 4), w.taps(row, 16, 2)...)
			for j, x := range w.forward(d) {
				w.Op("VMOVUPS", x, w.at(i, j))
				w.Free(x)
			}
		}
		w.Free(row)
		step, to := w.Load("StepF"), w.GP("to")
		six := w.GP("six")
		w.Op("LEAQ", At(step, 0).Idx(step, 2), six)
		w.Op("ADDQ", six, six)
		column := w.GP("column")
		w.Op("MOVQ", w.dst, column)
		for j := range winogradTaps {
			w.Op("MOVQ", column, to)
			w.Op("ADDQ", step, column)
			d := make([]Reg, winogradTaps)
			for i := range d {
				d[i] = w.V("d")
				w.Op("VMOVUPS", w.at(i, j), d[i])
			}
			for i, x := range w.forward(d) {
				if i > 0 {
					w.Op("ADDQ", six, to)
				}
				w.Op("VMOVUPS", x, At(to, 0))
				w.Free(x)
			}
		}
		w.Free(step, to, six, column)
	})
	return w.Kernel
}

// taps reads 4*16 elements of a row and brings element k of each group of four into the k-th vector.
func (w *winograd) taps(row Reg, disp, n int) []Reg {
	var x [4]Reg
	for k := range x {
		x[k] = w.V("x")
		w.Op("VMOVUPS", At(row, disp+k*w.ISA.Width), x[k])
	}
	return w.quarters(x, n)
}

// forward replaces six elements by their transform:
//
//	c = d4-d2; e = d3-d1
//	4*(d0-d2)+c, (d4-4*d2)+(d3-4*d1), (d4-4*d2)-(d3-4*d1), c+2*e, c-2*e, (d5-d3)-4*e
func (w *winograd) forward(d []Reg) []Reg {
	c, e := w.V("c"), w.V("e")
	w.Op("VSUBPS", d[2], d[4], c)
	w.Op("VSUBPS", d[1], d[3], e)
	w.Op("VSUBPS", d[2], d[0], d[0])
	w.Op("VFMADD213PS", c, w.four, d[0])
	w.Op("VSUBPS", d[3], d[5], d[5])
	w.Op("VFNMADD231PS", e, w.four, d[5])
	w.Op("VFNMADD213PS", d[4], w.four, d[2]) // d4-4*d2
	w.Op("VFNMADD213PS", d[3], w.four, d[1]) // d3-4*d1
	w.Op("VADDPS", d[1], d[2], d[3])
	w.Op("VSUBPS", d[1], d[2], d[4])
	w.Op("VMOVAPS", c, d[1])
	w.Op("VFMADD231PS", e, w.two, d[1])
	w.Op("VFNMADD231PS", e, w.two, c)
	w.Free(d[2], e)
	return []Reg{d[0], d[3], d[4], d[1], c, d[5]}
}

func winogradOutput(isa *ISA, args *Args) *Kernel {
	w := newWinograd("winogradOutput", isa, args)
	w.channels(4*isa.Width, isa.Width, func() {
		step, from, six, column := w.Load("StepF"), w.GP("from"), w.GP("six"), w.GP("column")
		w.Op("LEAQ", At(step, 0).Idx(step, 2), six)
		w.Op("ADDQ", six, six)
		w.Op("MOVQ", w.src, column)
		for j := range winogradTaps {
			w.Op("MOVQ", column, from)
			w.Op("ADDQ", step, column)
			m := make([]Reg, winogradTaps)
			for i := range m {
				m[i] = w.V("m")
				if i > 0 {
					w.Op("ADDQ", six, from)
				}
				w.Op("VMOVUPS", At(from, 0), m[i])
			}
			for i, y := range w.back(m) {
				w.Op("VMOVUPS", y, w.at(i, j))
				w.Free(y)
			}
		}
		w.Free(step, from, six, column)
		row, bias := w.GP("row"), w.Load("Bias")
		w.Op("MOVQ", w.dst, row)
		for i := range winogradResults {
			m := make([]Reg, winogradTaps)
			for j := range m {
				m[j] = w.V("m")
				w.Op("VMOVUPS", w.at(i, j), m[j])
			}
			y := w.back(m)
			w.finish(bias, y)
			if i > 0 {
				w.Op("ADDQ", w.Field("StepRow"), row)
			}
			for k, x := range w.quarters([4]Reg(y), 4) {
				w.Op("VMOVUPS", x, At(row, k*isa.Width))
				w.Free(x)
			}
		}
		w.Free(row, bias)
	})
	return w.Kernel
}

// back replaces six products by four results:
//
//	s = m1+m2; d = m1-m2; t = m3+m4; e = m3-m4
//	(m0+s)+t, d+2*e, s+4*t, (d+8*e)+m5
func (w *winograd) back(m []Reg) []Reg {
	s, t, eight := w.V("s"), w.V("t"), w.V("eight")
	w.Op("VADDPS", w.four, w.four, eight)
	w.Op("VADDPS", m[2], m[1], s)
	w.Op("VSUBPS", m[2], m[1], m[1]) // d
	w.Op("VADDPS", m[4], m[3], t)
	w.Op("VSUBPS", m[4], m[3], m[3]) // e
	w.Op("VADDPS", s, m[0], m[0])
	w.Op("VADDPS", t, m[0], m[0])
	w.Op("VMOVAPS", m[1], m[2])
	w.Op("VFMADD231PS", m[3], w.two, m[2])
	w.Op("VFMADD231PS", t, w.four, s)
	w.Op("VFMADD231PS", m[3], eight, m[1])
	w.Op("VADDPS", m[5], m[1], m[1])
	w.Free(t, eight, m[3], m[4], m[5])
	return []Reg{m[0], m[2], s, m[1]}
}

// finish adds the bias, if there is one, and clips.
func (w *winograd) finish(bias Reg, y []Reg) {
	x, none := w.V("x"), w.Label("unbiased")
	w.Op("TESTQ", bias, bias)
	w.Op("JZ", none)
	at := w.GP("at")
	w.Op("MOVQ", w.Field("OffBias"), at)
	w.Op("VBROADCASTSS", At(bias, 0).Idx(at, 1), x)
	w.Free(at)
	for _, r := range y {
		w.Op("VADDPS", x, r, r)
	}
	w.Bind(none)
	for _, c := range [][2]string{{"VMAXPS", "Lo"}, {"VMINPS", "Hi"}} {
		w.Op("VBROADCASTSS", w.Field(c[1]), x)
		for _, r := range y {
			w.Op(c[0], r, x, r)
		}
	}
	w.Free(x)
}
