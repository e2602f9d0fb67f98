package main

import "fmt"

// gemmArgs are the arguments of all matrix products: Tiles tiles of the kernel's rows by Panels panels of B. Strides are
// in bytes. Pointers that a product does not use are nil.
var gemmArgs = &Args{Name: "Gemm", Fields: []Field{
	{"A", "unsafe.Pointer", "rows of A"},
	{"LDA", "int64", "bytes between rows of A"},
	{"B", "unsafe.Pointer", "the first panel: K steps of the kernel's columns"},
	{"LDB", "int64", "bytes between steps of B (float32 and float16 only)"},
	{"K", "int64", "steps: elements of float32 and float16, groups of integers"},
	{"C", "unsafe.Pointer", "rows of C"},
	{"LDC", "int64", "bytes between rows of C"},
	{"Tiles", "int64", "tiles below each other, at least 1"},
	{"Panels", "int64", "panels beside each other, at least 1"},
	{"PanelB", "int64", "bytes between panels"},
	{"Cols", "int64", "columns of C in these panels; the last panel may lack less than a vector"},
	{"Flags", "int64", "Gemm… bits"},
	{"Bias", "*float32", "added per column, or nil"},
	{"BiasRow", "*float32", "added per row, or nil"},
	{"Residual", "*float32", "matrix added last, or nil"},
	{"LDR", "int64", "bytes between rows of Residual"},
	{"Lo", "float32", "with GemmClip: values below become Lo"},
	{"Hi", "float32", "and values above become Hi"},
	{"Alpha", "float32", "with GemmAlpha: multiplies the sum (float32 and float16 only)"},
	{"Comp", "*int32", "integers: per column, what the zero point of A multiplies, as 16-bit halves lo+128*hi; on arm64 a plain number"},
	{"ZeroA", "*int32", "integers: per row, the zero point of A times 1+128<<16; on arm64 a plain number, less 128 where A is signed"},
	{"ScaleA", "*float32", "integers: per row"},
	{"ScaleB", "*float32", "integers: per column"},
	{"ZeroB", "*int32", "integers: per column, or nil"},
	{"RowSum", "*int32", "integers: per row, subtracted ZeroB times"},
	{"OffA", "int64", "0; the kernel keeps its place here, as pointers past an end must not stay in memory"},
	{"OffC", "int64", "0"},
	{"OffR", "int64", "0"},
	{"OffRow", "int64", "0"},
	{"OffB", "int64", "0"},
	{"OffCol", "int64", "0"},
	{"Left", "int64", "0"},
	{"Init", "*int32", "sums to start from, as rows of C's columns, or nil (clipped integers only, as the next two)"},
	{"LDI", "int64", "bytes between rows of Init"},
	{"OffI", "int64", "0"},
	{"Rows", "int64", "rows of a tile (this and all that follow: AMX only)"},
	{"Chunk", "int64", "steps of K that all tiles do before the next, at least 1"},
	{"Config", "*uint8", "64 bytes of tile configuration"},
	{"Scratch", "*int32", "1024 sums for each tile"},
	{"TileS", "int64", "4096, or 0 to use Scratch for one tile after the other, when Chunk is all of K"},
	{"PanelsA", "int64", "0, as all that follow"},
	{"LeftA", "int64", "0"},
	{"OffS", "int64", "0"},
	{"OffT", "int64", "0"},
	{"DoneK", "int64", "0"},
	{"Steps", "int64", "0"},
	{"Pending", "int64", "0"},
	{"Span", "int64", "0"},
	{"Done", "int64", "0"},
	{"Whole", "int64", "0"},
}}

// Flags of the matrix products.
const (
	gemmClip  = 1 << iota // clip to Lo, Hi
	gemmInt               // store the integers
	gemmAlpha             // multiply by Alpha
	gemmTail              // read the last vector of each step of B under the mask of Cols
)

// tile writes one kernel of mr rows and nv vectors.
type tile struct {
	*Kernel
	mr, nv int
	acc    [][]Reg
	tail   Reg // AVX-512: mask of the last vector
	ones   Mem // AVX2: ones and then zeros
	masks  Reg // AVX2: address of the masks of Cols among them

	nextPanel, nextTile, done Label

	clipped bool // the kernel is of gemmU8C8Family

	aStep, bWidth int // bytes of A per step, bytes of B per vector and step
	loadB         func(from Mem, to Reg)
	dot           func(b, a, acc Reg)
}

func newTile(op string, isa *ISA, mr, nv int) *tile {
	n := nv * isa.Width / 4
	k := NewKernel(fmt.Sprintf("%sTile%dx%d%s", op, mr, n, isa.Suffix), isa, gemmArgs)
	k.M, k.N = mr, n
	return &tile{Kernel: k, mr: mr, nv: nv}
}

// evex says whether the kernel has AVX-512's masks.
func (t *tile) evex() bool { return t.ISA.Feat&FeatAVX512 != 0 }

// rows returns how to address row r of a matrix: one base register per three rows and one with the stride.
func (t *tile) rows(ptr, stride, off string) (at func(r, disp int) Mem, bases []Reg, free func()) {
	ld := t.Load(stride)
	for i := 0; i < t.mr; i += 3 {
		b := t.GP(ptr)
		if i == 0 {
			t.Op("MOVQ", t.Field(ptr), b)
			t.Op("ADDQ", t.Field(off), b)
			if ptr != "A" {
				t.Op("ADDQ", t.Field("OffCol"), b)
			}
		} else {
			t.Op("LEAQ", At(bases[i/3-1], 0).Idx(ld, 2), b)
			t.Op("ADDQ", ld, b)
		}
		bases = append(bases, b)
	}
	at = func(r, disp int) Mem {
		m := At(bases[r/3], disp)
		if r%3 > 0 {
			m = m.Idx(ld, r%3)
		}
		return m
	}
	return at, bases, func() { t.Free(append(bases, ld)...) }
}

// panel starts a panel, of which tiles follow: it finds the masks of its columns.
func (t *tile) panel() {
	tiles := t.Load("Tiles")
	t.Op("MOVQ", tiles, t.Field("Left"))
	t.Free(tiles)
	cols, partial := t.Load("Cols"), t.Label("narrow")
	t.Op("CMPQ", cols, Imm(t.N))
	t.Op("JL", partial)
	t.Op("MOVQ", Imm(t.N), cols)
	t.Bind(partial)
	if t.evex() {
		one := t.GP("one")
		t.Op("SUBQ", Imm(16*(t.nv-1)), cols)
		t.Op("MOVQ", Imm(1), one)
		t.Op("SHLXQ", cols, one, one)
		t.Op("DECQ", one)
		t.Op("KMOVW", one, t.tail)
		t.Free(one, cols)
		return
	}
	t.Op("LEAQ", t.ones, t.masks)
	t.Op("NEGQ", cols)
	t.Op("LEAQ", At(t.masks, 64).Idx(cols, 4), t.masks)
	t.Free(cols)
}

// begin takes the registers that live throughout and starts the first panel; it returns the labels of panels and tiles.
func (t *tile) begin() {
	if t.evex() {
		t.tail = t.Mask("tail")
	} else {
		ones := make([]uint32, 32)
		for i := range 16 {
			ones[i] = ^uint32(0)
		}
		t.ones, t.masks = t.Lanes(ones...), t.GP("masks")
	}
	t.nextPanel, t.nextTile = t.Label("panel"), t.Label("tile")
	t.Bind(t.nextPanel)
	t.panel()
	t.Bind(t.nextTile)
}

// advance moves the offsets to the next tile's rows, or to the first of the next panel, and jumps back while there are any.
func (t *tile) advance() {
	matrices := [][2]string{{"OffA", "LDA"}, {"OffC", "LDC"}, {"OffR", "LDR"}}
	if t.clipped {
		matrices = append(matrices, [2]string{"OffI", "LDI"})
	}
	for _, p := range matrices {
		r := t.GP("advance")
		t.Op("MOVQ", Imm(t.mr), r)
		t.Op("IMULQ", t.Field(p[1]), r)
		t.Op("ADDQ", r, t.Field(p[0]))
		t.Free(r)
	}
	t.Op("ADDQ", Imm(4*t.mr), t.Field("OffRow"))
	t.Op("DECQ", t.Field("Left"))
	t.Op("JNZ", t.nextTile)
	r := t.GP("zero")
	t.Op("XORQ", r, r)
	for _, p := range append(matrices, [2]string{"OffRow"}) {
		t.Op("MOVQ", r, t.Field(p[0]))
	}
	t.Op("MOVQ", t.Field("PanelB"), r)
	t.Op("ADDQ", r, t.Field("OffB"))
	t.Free(r)
	t.Op("ADDQ", Imm(4*t.N), t.Field("OffCol"))
	t.Op("SUBQ", Imm(t.N), t.Field("Cols"))
	t.Op("DECQ", t.Field("Panels"))
	t.Op("JNZ", t.nextPanel)
	t.Ret()
}

// perRow is a pointer to the tile's first value of an array with one per row, perCol to the panel's of one per column.
func (t *tile) perRow(field string) Reg { return t.offset(field, "OffRow") }
func (t *tile) perCol(field string) Reg { return t.offset(field, "OffCol") }

func (t *tile) offset(field, off string) Reg {
	p := t.Load(field)
	t.Op("ADDQ", t.Field(off), p)
	return p
}
