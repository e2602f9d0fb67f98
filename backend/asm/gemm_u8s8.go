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
		referenceInt[int16](a, d, 2)
	case AMX:
		d.M = int(a.Rows)
		a.K *= 16
		referenceInt[uint8](a, d, 4)
	default:
		referenceInt[uint8](a, d, 4)
	}
}

func referenceInt[T uint8 | int16](a *ArgsGemm, d Kernel, depth int) {
	for r := range int(a.Tiles) * d.M {
		x := row[T](a.A, a.LDA, r, int(a.K)*depth)
		for c := range int(a.Cols) {
			b := row[int8](a.B, a.PanelB, c/d.N, int(a.K)*d.N*depth)
			acc := int32(0)
			for k := range int(a.K) {
				for i := range depth {
					acc += int32(x[k*depth+i]) * int32(b[(k*d.N+c%d.N)*depth+i])
				}
			}
			a.storeInt(r, c, acc)
		}
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
