package asm

import "unsafe"

// The Go kernel of GemmU8S8 has panels of ScalarCols columns and tiles of one row, one byte per step.
const ScalarCols = 4

func gemmU8S8Scalar(a *ArgsGemm) {
	n := int(a.K)
	for p := range int(a.Panels) {
		b := unsafe.Slice((*[ScalarCols]int8)(a.panel(p)), n)
		for r := range int(a.Tiles) {
			x := row[uint8](a.A, a.LDA, r, n)
			var s [ScalarCols]int32
			for k, v := range b[:len(x)] {
				u := int32(x[k])
				s[0] += u * int32(v[0])
				s[1] += u * int32(v[1])
				s[2] += u * int32(v[2])
				s[3] += u * int32(v[3])
			}
			for c := range min(ScalarCols, int(a.Cols)-p*ScalarCols) {
				a.storeInt(r, p*ScalarCols+c, s[c])
			}
		}
	}
}

// Reference computes what the kernel with this number computes, for tests: it has the kernel's tile and layout.
func (k GemmU8S8) Reference(a *ArgsGemm) {
	d := GemmU8S8Kernels[k]
	switch d.ISA {
	case Scalar:
		gemmU8S8Scalar(a)
	case AVX2:
		referenceInt(a, d, 2, elementOf[int16])
	case NEON:
		referenceInt(a, d, 16, elementOf[int8])
	case NEONDOT:
		referenceInt(a, d, 4, elementOf[int8])
	case NEONI8MM:
		referenceInt(a, d, 8, elementOfPair)
	case AMX:
		d.M = int(a.Rows)
		a.K *= 16
		referenceInt(a, d, 4, elementOf[uint8])
	default:
		referenceInt(a, d, 4, elementOf[uint8])
	}
}

// referenceInt sums the products of a kernel whose steps take depth elements, of which element reads those of A.
func referenceInt(a *ArgsGemm, d Kernel, depth int, element func(a *ArgsGemm, r, k int) int32) {
	for r := range int(a.Tiles) * d.M {
		for c := range int(a.Cols) {
			b := row[int8](a.B, a.PanelB, c/d.N, int(a.K)*d.N*depth)
			acc := int32(0)
			for k := range int(a.K) {
				for i := range depth {
					acc += element(a, r, k*depth+i) * int32(b[(k*d.N+c%d.N)*depth+i])
				}
			}
			switch d.ISA {
			case NEON, NEONDOT, NEONI8MM:
				a.storeCorrected(r, c, acc+elem(a.ZeroA, r)*elem(a.Comp, c))
			default:
				a.storeInt(r, c, acc)
			}
		}
	}
}

// elementOf is element k of row r of A.
func elementOf[T uint8 | int8 | int16](a *ArgsGemm, r, k int) int32 {
	return int32(row[T](a.A, a.LDA, r, k+1)[k])
}

// elementOfPair is element k of row r of pairs of rows that Pair made.
func elementOfPair(a *ArgsGemm, r, k int) int32 {
	k = k/8*16 + k%8 + r%2*8
	return int32(row[uint8](a.A, 2*a.LDA, r/2, k+1)[k])
}

func signedScalar(a *ArgsSigned) {
	dst := unsafe.Slice(a.Dst, a.N)
	for i, v := range unsafe.Slice(a.Src, a.N) {
		dst[i] = int8(int(v) - 128)
	}
}

func pairScalar(a *ArgsPair) {
	dst, x, y := unsafe.Slice(a.Dst, 2*a.N), unsafe.Slice(a.A, a.N), unsafe.Slice(a.B, a.N)
	for i := range x {
		dst[i/8*16+i%8], dst[i/8*16+8+i%8] = x[i], y[i]
	}
}

func widenScalar(a *ArgsWiden) {
	dst := unsafe.Slice(a.Dst, a.N)
	for i, v := range unsafe.Slice(a.Src, a.N) {
		dst[i] = int16(v)
	}
}

// TileConfig is the configuration of tile registers for tiles of rows rows of a kernel of up to most.
func TileConfig(rows, most int) (c [64]uint8) {
	first, second := rows, rows
	if most > 16 {
		first = (rows + 1) / 2
		second = rows - first
	}
	c[0] = 1
	// Sums, then A, then B: two of A for a kernel of 32 rows.
	heights := [8]int{first, first, first, first, first, 16, 16, 16}
	if most > 16 {
		heights = [8]int{first, first, second, second, first, second, 16, 16}
	}
	for i, h := range heights {
		c[16+2*i], c[48+i] = 64, uint8(h)
	}
	return c
}
