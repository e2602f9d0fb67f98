package asm

import "unsafe"

// Terms are four terms of a column of B that clipping left: By times the element of A's row at At/4.
type Terms struct {
	At [4]uint16
	By [4]int8
}

// RestRows is the number of rows that Rest and Columns take at once.
const RestRows = 32

// RowPlace is the byte of a column that Columns puts row r in.
func RowPlace(r int) int { return r%4 + r/8*4 + r/4%2*16 }

func gemmU8C8Scalar(a *ArgsGemm) { referenceClipped(a, 1, ScalarCols) }

// Reference computes what the kernel with this number computes, for tests.
func (k GemmU8C8) Reference(a *ArgsGemm) {
	if k == GemmU8C8Scalar {
		gemmU8C8Scalar(a)
		return
	}
	referenceClipped(a, GemmU8C8Kernels[k].M, GemmU8C8Kernels[k].N)
}

func referenceClipped(a *ArgsGemm, m, n int) {
	for r := range int(a.Tiles) * m {
		x := row[uint8](a.A, a.LDA, r, int(a.K)*8)
		for c := range int(a.Cols) {
			b := row[int8](a.B, a.PanelB, c/n, int(a.K)*n*8)
			acc := int32(0)
			if a.Init != nil {
				acc = row[int32](unsafe.Pointer(a.Init), a.LDI, r, c+1)[c]
			}
			for k, v := range x {
				acc += int32(v) * int32(b[k/4*4*n+c%n*4+k%4])
			}
			a.storeInt(r, c, acc)
		}
	}
}

func restScalar(a *ArgsRest) {
	counts := unsafe.Slice(a.Counts, a.Cols)
	total := 0
	for _, n := range counts {
		total += int(n)
	}
	terms := unsafe.Slice(a.Terms, total)
	for c, n := range counts {
		dst := row[int32](unsafe.Pointer(a.Dst), 4*RestRows, c, RestRows)
		clear(dst)
		for _, t := range terms[:n] {
			for i, by := range t.By {
				x := row[uint8](unsafe.Pointer(a.A), 8, int(t.At[i]), RestRows)
				for r := range dst {
					dst[r] += int32(by) * int32(x[RowPlace(r)])
				}
			}
		}
		terms = terms[n:]
	}
}

func columnsScalar(a *ArgsColumns) {
	for k := range int(a.N) {
		src := row[[4]uint8](unsafe.Pointer(a.Src), 4*RestRows, k, RestRows)
		for i := range 4 {
			dst := row[uint8](unsafe.Pointer(a.Dst), RestRows, 4*k+i, RestRows)
			for r, v := range src {
				dst[RowPlace(r)] = v[i]
			}
		}
	}
}
