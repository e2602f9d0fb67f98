// Package asmtest makes the inputs on which kernels are compared with their references, natively and in the
// generator's interpreter. Buffers are as long as the contract says and no longer.
package asmtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// Buffer is memory that a kernel gets a pointer to.
type Buffer struct {
	Bytes    []byte
	Writable bool
}

// Gemm is one call of a matrix product.
type Gemm struct {
	Name    string
	Args    asm.ArgsGemm
	Buffers []Buffer
	Result  []float32 // C, with a pattern between the rows
	Int     bool      // Result holds integers
}

type maker struct {
	*rand.Rand
	g *Gemm
}

// buffer registers n elements; of none, one that must not be read as the pointer must not be nil.
func buffer[T any](m maker, n int, writable bool) []T {
	s := make([]T, max(n, 1))
	b := unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0])))
	m.g.Buffers = append(m.g.Buffers, Buffer{b, writable})
	return s[:n]
}

func fill[T any](m maker, n int, f func() T) *T {
	s := buffer[T](m, n, false)
	for i := range s {
		s[i] = f()
	}
	return unsafe.SliceData(s)
}

// float is mostly an ordinary number and sometimes a special one.
func (m maker) float() float32 {
	switch m.IntN(64) {
	case 0:
		return [...]float32{0, float32(math.Copysign(0, -1)), 1e-42, 3e38, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}[m.IntN(7)]
	}
	return float32(m.NormFloat64())
}

// depths are K with every remainder of the unrolled loops.
var depths = []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 17}

// depth is how many elements of K integer kernels take per step.
func depth(isa asm.ISA) int {
	switch isa {
	case asm.Scalar:
		return 1
	case asm.AVX2:
		return 2
	case asm.AMX:
		return 64
	case asm.NEON:
		return 16
	case asm.NEONI8MM:
		return 8
	}
	return 4
}

// GemmCases are calls for a kernel. kind is the type of its B: int8, clipped, float32 or float16.
func GemmCases(d asm.Kernel, kind string) []*Gemm {
	m, n, w := max(d.M, 1), d.N, 16
	switch d.ISA {
	case asm.Scalar:
		n, w = asm.ScalarCols, asm.ScalarCols
	case asm.AVX2, asm.AVXVNNI:
		w = 8
	case asm.NEON, asm.NEONDOT, asm.NEONI8MM:
		w = 4
	case asm.AMX:
		w = n
	}
	var cases []*Gemm
	for round := range 3 {
		for _, k := range depths {
			r := maker{rand.New(rand.NewPCG(uint64(k), uint64(round*100+m*10+n))), &Gemm{}}
			panels := 1 + r.IntN(3)
			cols := panels*n - r.IntN(w)
			if round == 0 {
				cols = panels * n
			}
			g, h := r.g, m
			g.Args.K, g.Args.Tiles, g.Args.Panels, g.Args.Cols = int64(k), int64(1+r.IntN(3)), int64(panels), int64(cols)
			if d.ISA == asm.AMX {
				if k > 5 {
					continue
				}
				h = r.amx(m)
			}
			if d.ISA == asm.NEONI8MM && m%2 == 1 {
				g.Args.Tiles = 1
			}
			rows := h * int(g.Args.Tiles)
			switch kind {
			case "int8":
				r.ints(d.ISA, rows, n, panels, k, depth(d.ISA))
			case "clipped":
				r.ints(d.ISA, rows, n, panels, k, 8)
				r.init(rows, cols)
			case "float32":
				r.floats(rows, cols, n, panels, k)
			case "float16":
				r.halves(rows, n, panels, k)
			}
			r.epilogue(rows, cols)
			g.Name = fmt.Sprintf("%s K=%d tiles=%d rows=%d panels=%d cols=%d flags=%d", d.Name, k, g.Args.Tiles, rows, panels, cols, g.Args.Flags)
			cases = append(cases, g)
		}
	}
	return cases
}

// amx sets what kernels with tile registers need, for tiles of up to m rows, and returns their number.
func (m maker) amx(most int) int {
	rows := 1 + m.IntN(most)
	if most > 16 {
		rows = max(rows, 2)
	}
	config := asm.TileConfig(rows, most)
	a := &m.g.Args
	a.Rows, a.Config = int64(rows), unsafe.SliceData(buffer[uint8](m, 64, false))
	copy(unsafe.Slice(a.Config, 64), config[:])
	a.Scratch, a.Chunk, a.TileS = unsafe.SliceData(buffer[int32](m, int(a.Tiles)*1024, true)), 1+m.Int64N(6), 4096
	if a.Chunk >= a.K {
		a.TileS = 0
	}
	return rows
}

func (m maker) ints(isa asm.ISA, rows, n, panels, k, depth int) {
	a := &m.g.Args
	mode := m.IntN(4)
	u8 := func() uint8 { return [4]uint8{uint8(m.Uint32()), 255, 255, 0}[mode] }
	pad := m.IntN(9)
	pairs := 1 // rows of A that lie together
	if isa == asm.NEONI8MM {
		pairs = 2
	}
	if depth == 2 {
		a.LDA = int64(2*k*depth + 2*pad)
		a.A = unsafe.Pointer(fill(m, max(0, (rows-1)*int(a.LDA/2)+k*depth), func() int16 { return int16(u8()) }))
	} else {
		a.LDA = int64(k*depth + pad)
		a.A = unsafe.Pointer(fill(m, max(0, ((rows+pairs-1)/pairs-1)*pairs*int(a.LDA)+pairs*k*depth), u8))
	}
	a.PanelB = int64(n * k * depth)
	n *= panels
	weight := func() int8 { return [4]int8{int8(m.Uint32()), -128, 127, -128}[mode] }
	if isa == asm.AVX2 && depth == 8 { // four add up to at most 128
		weight = func() int8 { return [4]int8{int8(m.IntN(65) - 32), -32, 32, -32}[mode] }
	}
	a.B = unsafe.Pointer(fill(m, n*k*depth, weight))
	a.Comp = fill(m, n, func() int32 { return int32(m.Uint32()) & (0x7fff<<16 | 127) })
	if mode > 0 {
		a.Comp = fill(m, n, func() int32 { return -1<<31 | 127 })
	}
	a.ZeroA = fill(m, rows, func() int32 { return m.Int32N(256) * (1 + 128<<16) })
	if isa >= asm.NEON {
		a.Comp = fill(m, n, func() int32 { return m.Int32() - m.Int32() })
		a.ZeroA = fill(m, rows, func() int32 { return m.Int32N(384) - 128 })
	}
	a.ScaleA = fill(m, rows, m.float)
	a.ScaleB = fill(m, n, m.float)
	if m.IntN(3) == 0 {
		a.ZeroB = fill(m, n, func() int32 { return m.Int32N(256) - 128 })
		a.RowSum = fill(m, rows, func() int32 { return m.Int32N(255 * 70000) })
	}
	if m.IntN(3) == 0 {
		a.Flags |= asm.GemmInt
		m.g.Int = true
	}
}

// init sets sums to start from, in most cases.
func (m maker) init(rows, cols int) {
	a := &m.g.Args
	if m.IntN(3) > 0 {
		a.LDI = int64(4 * ((cols+15)&^15 + m.IntN(3)))
		a.Init = fill(m, (rows-1)*int(a.LDI/4)+(cols+15)&^15, func() int32 { return int32(m.Uint32()) >> 8 })
	}
}

func (m maker) floats(rows, cols, n, panels, k int) {
	a := &m.g.Args
	m.floatA(rows, k)
	a.LDB, a.PanelB = int64(4*n), int64(4*n*k)
	if m.IntN(2) == 0 { // in place: nothing may be read past the last row
		a.Flags |= asm.GemmTail
		a.LDB, a.PanelB = int64(4*(cols+m.IntN(5))), int64(4*n)
		a.B = unsafe.Pointer(fill(m, max(0, (k-1)*int(a.LDB/4)+cols), m.float))
		return
	}
	a.B = unsafe.Pointer(fill(m, panels*n*k, m.float))
}

func (m maker) halves(rows, n, panels, k int) {
	a := &m.g.Args
	m.floatA(rows, k)
	a.LDB, a.PanelB = int64(2*n), int64(2*n*k)
	a.B = unsafe.Pointer(fill(m, panels*n*k, func() uint16 {
		if m.IntN(4) == 0 {
			return uint16(m.Uint32())
		}
		return asm.FloatToHalf(m.float())
	}))
}

func (m maker) floatA(rows, k int) {
	a := &m.g.Args
	a.LDA = int64(4 * (k + m.IntN(5)))
	a.A = unsafe.Pointer(fill(m, max(0, (rows-1)*int(a.LDA/4)+k), m.float))
	if m.IntN(3) == 0 {
		a.Flags |= asm.GemmAlpha
		a.Alpha = m.float()
	}
}

func (m maker) epilogue(rows, cols int) {
	a := &m.g.Args
	if m.IntN(2) == 0 {
		a.Bias = fill(m, cols, m.float)
	}
	if m.IntN(3) == 0 {
		a.BiasRow = fill(m, rows, m.float)
	}
	if m.IntN(3) == 0 {
		a.Flags |= asm.GemmClip
		a.Lo, a.Hi = -0.5, m.float()
	}
	if m.IntN(3) == 0 {
		a.LDR = int64(4 * (cols + m.IntN(5)))
		a.Residual = fill(m, (rows-1)*int(a.LDR/4)+cols, m.float)
	}
	a.LDC = int64(4 * (cols + m.IntN(5)))
	c := buffer[float32](m, (rows-1)*int(a.LDC/4)+cols, true)
	for i := range c {
		c[i] = 12345
	}
	m.g.Result = c
	a.C = unsafe.Pointer(&c[0])
}

// Take returns a copy of the result and resets it, so that the call can be made again.
func (g *Gemm) Take() []float32 {
	c := append([]float32(nil), g.Result...)
	for i := range g.Result {
		g.Result[i] = 12345
	}
	return c
}

// Diff says where results differ: bits must be equal, but any NaN is like any other.
func (g *Gemm) Diff(got, want []float32) error {
	for i, w := range want {
		if math.Float32bits(got[i]) == math.Float32bits(w) || !g.Int && w != w && got[i] != got[i] {
			continue
		}
		ld := int(g.Args.LDC / 4)
		return fmt.Errorf("%s: row %d column %d: got %v (%#x), want %v (%#x)",
			g.Name, i/ld, i%ld, got[i], math.Float32bits(got[i]), w, math.Float32bits(w))
	}
	return nil
}
