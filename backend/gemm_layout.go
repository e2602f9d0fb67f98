package backend

import (
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// layout is how one tier cuts matrices for a kind of product. B lies in panels of up to nv vectors of vec columns,
// one after the other, each depth elements of K by column by step.
type layout struct {
	isa     asm.ISA
	vec, nv int // columns of a vector, vectors of the widest panel
	mr      int // rows of the tallest tile
	narrow  bool
	depth   int                   // elements of K that lie together, and that a step takes but for AMX
	pad     int                   // K is padded to a multiple of it
	size    int                   // bytes of an element of packed B
	rate    int                   // products per cycle, to know how long a call takes
	tiles   [maxTile + 1][5]uint8 // kernels by rows and vectors
	pairs   bool                  // all tiles have an even number of rows but for the last of a block
	weak    int                   // height of tiles whose few sums leave the latency of a product in sight, or 0
	ragged  uint8                 // AMX: the kernel for few rows of a last panel that lacks a vector, which those of tiles write
}

// maxTile is the number of rows of the tallest tile of any tier.
const maxTile = 32

// newLayout collects the tiles of an instruction set from a family's kernels.
func newLayout(kernels []asm.Kernel, isa asm.ISA, vec, depth, size, rate int) layout {
	l := layout{isa: isa, vec: vec, depth: depth, pad: depth, size: size, rate: rate}
	if isa == asm.Scalar {
		l.vec, l.nv, l.mr = asm.ScalarCols, 1, 1
		return l
	}
	for i, k := range kernels {
		if k.ISA == isa {
			nv := k.N / vec
			l.tiles[k.M][nv] = uint8(i)
			l.mr, l.nv = max(l.mr, k.M), max(l.nv, nv)
		}
	}
	l.narrow = l.tiles[1][1] != 0
	return l
}

// panels is the number of panels of n columns.
func (l *layout) panels(n int) int { return ceil(n, l.vec*l.nv) }

// wide is the number of panels that are nv vectors wide, which lie before those of one less. Where narrow panels exist
// none is much narrower than the others, as that would starve the tile of work per load.
func (l *layout) wide(n int) (count, nv int) {
	panels := l.panels(n)
	if !l.narrow || panels == 0 {
		return panels, l.nv
	}
	vectors := ceil(n, l.vec)
	return vectors % panels, vectors/panels + 1
}

// panel is the first column of panel i of n columns, and its width in vectors.
func (l *layout) panel(i, n int) (col, nv int) {
	wide, nv := l.wide(n)
	if i >= wide {
		return (wide + i*(nv-1)) * l.vec, nv - 1
	}
	return i * nv * l.vec, nv
}

// sameWidth is the end of the run of equally wide panels that panel i is in.
func (l *layout) sameWidth(i, n int) int {
	if wide, _ := l.wide(n); i < wide {
		return wide
	}
	return l.panels(n)
}

// span are the columns of panels p0 to p1 of n columns.
func (l *layout) span(p0, p1, n int) (col0, col1 int) {
	col0, _ = l.panel(p0, n)
	col1, nv := l.panel(p1-1, n)
	return col0, min(n, col1+nv*l.vec)
}

// width is the number of columns with padding.
func (l *layout) width(n int) int {
	if n == 0 {
		return 0
	}
	col, nv := l.panel(l.panels(n)-1, n)
	return col + nv*l.vec
}

// padded is K with padding.
func (l *layout) padded(k int) int { return ceil(k, l.pad) * l.pad }

func ceil(a, b int) int { return (a + b - 1) / b }

// aligned makes n elements on a 64-byte boundary.
func aligned[T any](n int) []T {
	var t T
	size := int(unsafe.Sizeof(t))
	s := make([]T, n+64/size)
	off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(s)))&63) / size
	return s[off : off+n : off+n]
}
