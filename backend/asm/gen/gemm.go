package main

import "fmt"

// gemmArgs are the arguments of all matrix products: Tiles tiles of the kernel's rows by one panel of B. Strides are
// in bytes. Pointers that a product does not use are nil.
var gemmArgs = &Args{Name: "Gemm", Fields: []Field{
	{"A", "unsafe.Pointer", "rows of A"},
	{"LDA", "int64", "bytes between rows of A"},
	{"B", "unsafe.Pointer", "the panel: K steps of the kernel's columns"},
	{"LDB", "int64", "bytes between steps of B (float32 and float16 only)"},
	{"K", "int64", "steps: elements of float32 and float16, groups of integers"},
	{"C", "unsafe.Pointer", "rows of C"},
	{"LDC", "int64", "bytes between rows of C"},
	{"Tiles", "int64", "tiles below each other, at least 1"},
	{"Cols", "int64", "columns of C in this panel, more than the kernel's less one vector, at most the kernel's"},
	{"Flags", "int64", "Gemm… bits"},
	{"Bias", "*float32", "added per column, or nil"},
	{"BiasRow", "*float32", "added per row, or nil"},
	{"Residual", "*float32", "matrix added last, or nil"},
	{"LDR", "int64", "bytes between rows of Residual"},
	{"Lo", "float32", "with GemmClip: values below become Lo"},
	{"Hi", "float32", "and values above become Hi"},
	{"Alpha", "float32", "with GemmAlpha: multiplies the sum (float32 and float16 only)"},
	{"Comp", "*int32", "integers: per column, what the zero point of A multiplies, as 16-bit halves lo+128*hi"},
	{"ZeroA", "*int32", "integers: per row, the zero point of A times 1+128<<16"},
	{"ScaleA", "*float32", "integers: per row"},
	{"ScaleB", "*float32", "integers: per column"},
	{"ZeroB", "*int32", "integers: per column, or nil"},
	{"RowSum", "*int32", "integers: per row, subtracted ZeroB times"},
	{"OffA", "int64", "0; the kernel keeps its place here, as pointers past an end must not stay in memory"},
	{"OffC", "int64", "0"},
	{"OffR", "int64", "0"},
	{"OffRow", "int64", "0"},
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
	masks  Reg // AVX2: address of the masks of Cols

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

// prologue finds the mask of the last vector's columns.
func (t *tile) prologue() {
	cols := t.Load("Cols")
	if t.evex() {
		t.tail = t.Mask("tail")
		one := t.GP("one")
		t.Op("SUBQ", Imm(16*(t.nv-1)), cols)
		t.Op("MOVQ", Imm(1), one)
		t.Op("SHLXQ", cols, one, one)
		t.Op("DECQ", one)
		t.Op("KMOVW", one, t.tail)
		t.Free(one, cols)
		return
	}
	ones := make([]uint32, 32)
	for i := range 16 {
		ones[i] = ^uint32(0)
	}
	t.masks = t.GP("masks")
	t.Op("LEAQ", t.Lanes(ones...), t.masks)
	t.Op("NEGQ", cols)
	t.Op("LEAQ", At(t.masks, 64).Idx(cols, 4), t.masks)
	t.Free(cols)
}

// advance moves the offsets to the next tile's rows and jumps back while there are tiles.
func (t *tile) advance(next Label) {
	for _, p := range [][2]string{{"OffA", "LDA"}, {"OffC", "LDC"}, {"OffR", "LDR"}} {
		r := t.GP("advance")
		t.Op("MOVQ", Imm(t.mr), r)
		t.Op("IMULQ", t.Field(p[1]), r)
		t.Op("ADDQ", r, t.Field(p[0]))
		t.Free(r)
	}
	t.Op("ADDQ", Imm(4*t.mr), t.Field("OffRow"))
	t.Op("DECQ", t.Field("Tiles"))
	t.Op("JNZ", next)
	t.Ret()
}
