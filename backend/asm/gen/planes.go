package main

// planesArgs are the arguments of kernels that move a small window over planes. Padding is never in memory: rows above
// and below a plane are read from Outside, and columns beside it are left out by Masks.
var planesArgs = &Args{Name: "Planes", Fields: []Field{
	{"Dst", "*float32", "the first plane's first row to compute"},
	{"X", "unsafe.Pointer", "the first plane of the input"},
	{"Outside", "*float32", "InW elements, what rows outside the input have"},
	{"W", "*float32", "KH*KW weights per plane (convolution only)"},
	{"Bias", "*float32", "one number per plane that is added, or nil (convolution only)"},
	{"Masks", "*int32", "for each edge block: the lanes (-1 or 0) of each load and of the store, of PlanesBlocks"},
	{"Planes", "int64", "at least 1"},
	{"StepX", "int64", "bytes between planes of X"},
	{"StepC", "int64", "bytes between planes of Dst"},
	{"LDX", "int64", "bytes between rows of X"},
	{"LDC", "int64", "bytes between rows of Dst"},
	{"Row", "int64", "the input row of the first window's first row; may be negative"},
	{"H", "int64", "input rows"},
	{"Rows", "int64", "output rows to compute in each plane, at least 1"},
	{"Pad", "int64", "bytes of padding on the left"},
	{"Lead", "int64", "edge blocks of a row on the left"},
	{"Inner", "int64", "blocks that are complete and read nothing outside the row"},
	{"Trail", "int64", "edge blocks on the right"},
	{"KH", "int64", "rows of the window; this and the next five are for the Go code, the kernel knows them"},
	{"KW", "int64", "columns of the window"},
	{"Stride", "int64", "1 or 2"},
	{"InW", "int64", "columns of the input"},
	{"OutW", "int64", "columns of the output"},
	{"Max", "int64", "pooling: 1 for the maximum, 0 for the sum"},
	{"Lo", "float32", "results below become Lo (convolution only)"},
	{"Hi", "float32", "and results above become Hi"},
	{"OffX", "int64", "0, as all that follow: the kernel keeps its place there"},
	{"OffC", "int64", "0"},
	{"OffW", "int64", "0"},
	{"OffB", "int64", "0"},
	{"OffRow", "int64", "0"},
	{"Y", "int64", "0"},
	{"Left", "int64", "0"},
	{"Phase", "int64", "0"},
}}

// planes builds a kernel for windows of kh rows and kw columns that move by a stride of 1 or 2. It computes `rows`
// output rows at a time, so that they share what they load.
type planes struct {
	*Kernel
	kh, kw, stride, rows int
	outside              float32 // what columns outside the row have
	ptr                  []Reg   // of the input rows under the rows' windows
	col                  Reg     // byte offset of the output columns
	masks                Reg     // of the edge block
	kmasks               []Reg   // AVX-512: of each load of an edge block
	index                []Reg   // arm64: byte offset of each load in a row
	edge                 bool
	fill                 Reg // a register of `outside`, unless that is 0
	order                Mem // AVX-512: the order of lanes, see ordered
}

func newPlanes(op string, isa *ISA, kh, kw, stride, rows int) *planes {
	k := NewKernel(op, isa, planesArgs)
	k.M, k.N = kh, kw
	return &planes{Kernel: k, kh: kh, kw: kw, stride: stride, rows: rows}
}

// evex says whether the kernel has AVX-512's masks.
func (p *planes) evex() bool { return p.ISA.Feat&FeatAVX512 != 0 }

// loads is the number of vectors that a block reads of each row: one per tap, or two per pair of taps.
func (p *planes) loads() int {
	if p.stride == 1 {
		return p.kw
	}
	return (p.kw + 1) / 2 * 2
}

// at is the memory of a load of input row i.
func (p *planes) at(i, load int) Mem {
	if p.stride == 1 {
		return At(p.ptr[i], 4*load).Idx(p.col, 1)
	}
	return At(p.ptr[i], 8*(load/2)+load%2*p.ISA.Width).Idx(p.col, 2)
}

// load reads a vector of input row i.
func (p *planes) load(i, load int, to Reg) {
	m := p.at(i, load)
	switch {
	case p.ISA.arm():
		p.neonLoad(i, load, to)
	case !p.edge:
		p.Op("VMOVUPS", m, to)
	case p.evex() && p.outside == 0:
		p.Zeroed("VMOVUPS", p.kmasks[load], m, to)
	case p.evex():
		p.Op("VMOVAPS", p.fill, to)
		p.Masked("VMOVUPS", p.kmasks[load], m, to)
	default:
		p.Op("VMOVUPS", At(p.masks, load*p.ISA.Width), to)
		p.Op("VMASKMOVPS", m, to, to)
		if p.outside != 0 {
			t := p.V("mask")
			p.Op("VMOVUPS", At(p.masks, load*p.ISA.Width), t)
			p.Op("VBLENDVPS", t, to, p.fill, to)
			p.Free(t)
		}
	}
}

// run writes the loops around the body, which computes a block of all rows; start sets up what a plane needs.
func (p *planes) run(start, body func()) {
	isa := p.ISA
	if isa.arm() {
		block := body
		body = func() {
			p.neonIndexes()
			block()
			p.Free(p.index...)
			p.index = nil
		}
	}
	plane, group := p.Label("plane"), p.Label("rows")
	p.Bind(plane)
	start()
	r := p.GP("setup")
	for _, f := range [][2]string{{"Row", "Y"}, {"Rows", "Left"}, {"OffC", "OffRow"}} {
		p.Op("MOVQ", p.Field(f[0]), r)
		p.Op("MOVQ", r, p.Field(f[1]))
	}
	p.Free(r)
	p.Bind(group)
	p.pointers()
	p.col, p.masks = p.GP("col"), p.Load("Masks")
	count := p.GP("count")
	edge, lead, inner, inners, done := p.Label("edge"), p.Label("lead"), p.Label("inner"), p.Label("inners"), p.Label("done")
	p.Op("XORQ", p.col, p.col)
	p.Op("MOVQ", p.Field("Lead"), count)
	p.Op("TESTQ", count, count)
	p.Op("JZ", inner)
	p.Bind(edge)
	p.edge = true
	if p.evex() {
		zero := p.V("zero")
		p.Clear(zero)
		for i := range p.loads() {
			k := p.Mask("edge")
			p.Op("VPCMPGTD", At(p.masks, i*isa.Width), zero, k)
			p.kmasks = append(p.kmasks, k)
		}
		p.Free(zero)
	}
	body()
	p.Free(p.kmasks...)
	p.kmasks = nil
	p.edge = false
	p.Op("ADDQ", Imm(p.edgeBytes()), p.masks)
	p.Op("ADDQ", Imm(isa.Width), p.col)
	p.Op("DECQ", count)
	p.Op("JNZ", edge)
	p.Op("CMPQ", p.Field("Phase"), Imm(0))
	p.Op("JNZ", done)
	p.Bind(inner)
	p.Op("MOVQ", Imm(1), count)
	p.Op("MOVQ", count, p.Field("Phase"))
	p.Op("MOVQ", p.Field("Inner"), count)
	p.Op("TESTQ", count, count)
	p.Op("JZ", lead)
	p.Bind(inners)
	body()
	p.Op("ADDQ", Imm(isa.Width), p.col)
	p.Op("DECQ", count)
	p.Op("JNZ", inners)
	p.Bind(lead)
	p.Op("MOVQ", p.Field("Trail"), count)
	p.Op("TESTQ", count, count)
	p.Op("JNZ", edge)
	p.Bind(done)
	p.Op("XORQ", count, count)
	p.Op("MOVQ", count, p.Field("Phase"))
	p.Op("ADDQ", Imm(p.rows*p.stride), p.Field("Y"))
	p.Op("MOVQ", Imm(p.rows), count)
	p.Op("IMULQ", p.Field("LDC"), count)
	p.Op("ADDQ", count, p.Field("OffRow"))
	p.Op("SUBQ", Imm(p.rows), p.Field("Left"))
	p.Op("JG", group)
	for _, f := range [][2]string{{"StepX", "OffX"}, {"StepC", "OffC"}} {
		p.Op("MOVQ", p.Field(f[0]), count)
		p.Op("ADDQ", count, p.Field(f[1]))
	}
	p.Op("ADDQ", Imm(4*p.kh*p.kw), p.Field("OffW"))
	p.Op("ADDQ", Imm(4), p.Field("OffB"))
	p.Op("DECQ", p.Field("Planes"))
	p.Op("JNZ", plane)
	p.Ret()
}

// pointers finds the input rows under the windows.
func (p *planes) pointers() {
	y, base := p.Load("Y"), p.Load("X")
	p.Op("ADDQ", p.Field("OffX"), base)
	p.Op("SUBQ", p.Field("Pad"), base)
	p.ptr = nil
	for i := range (p.rows-1)*p.stride + p.kh {
		r, outside, found := p.GP("row"), p.Label("outside"), p.Label("found")
		p.Op("LEAQ", At(y, i), r)
		p.Op("CMPQ", r, p.Field("H"))
		p.Op("JAE", outside) // a negative row is a large one without its sign
		p.Op("IMULQ", p.Field("LDX"), r)
		p.Op("ADDQ", base, r)
		p.Op("JMP", found)
		p.Bind(outside)
		p.Op("MOVQ", p.Field("Outside"), r)
		p.Op("SUBQ", p.Field("Pad"), r)
		p.Bind(found)
		p.ptr = append(p.ptr, r)
	}
	p.Free(y, base)
}

// ordered brings the lanes of a result into order: with a stride of 2 VSHUFPS takes them from two vectors by quarters.
func (p *planes) ordered(acc Reg) {
	switch {
	case p.stride == 1, p.ISA.arm():
	case p.evex():
		t := p.V("order")
		if p.order.sym == "" {
			p.order = p.Lanes(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15)
		}
		p.Op("VMOVDQU32", p.order, t)
		p.Op("VPERMPS", acc, t, acc)
		p.Free(t)
	default:
		p.Op("VPERMQ", Imm(0xd8), acc, acc)
	}
}

// store writes the results of the rows that are wanted.
func (p *planes) store(acc []Reg) {
	dst, done := p.Load("Dst"), p.Label("stored")
	if p.edge && p.evex() { // the loads are done: there is a mask register for the store
		zero := p.V("zero")
		p.Clear(zero)
		p.Op("VPCMPGTD", At(p.masks, p.loads()*p.ISA.Width), zero, p.kmasks[0])
		p.Free(zero)
	}
	p.Op("ADDQ", p.Field("OffRow"), dst)
	p.Op("ADDQ", p.col, dst)
	for r, x := range acc {
		if r > 0 {
			p.Op("CMPQ", p.Field("Left"), Imm(r))
			p.Op("JLE", done)
			p.Op("ADDQ", p.Field("LDC"), dst)
		}
		switch {
		case !p.edge:
			p.Op("VMOVUPS", x, At(dst, 0))
		case p.ISA.arm():
			p.neonStore(x, dst)
		case p.evex():
			p.Masked("VMOVUPS", p.kmasks[0], x, At(dst, 0))
		default:
			t := p.V("mask")
			p.Op("VMOVUPS", At(p.masks, p.loads()*p.ISA.Width), t)
			p.Op("VMASKMOVPS", x, t, At(dst, 0))
			p.Free(t)
		}
	}
	p.Bind(done)
	p.Free(dst)
}
