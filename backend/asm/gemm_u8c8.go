package asm

import "unsafe"

// Terms are four terms of a column of B that clipping left: By times the element of A's row at At/4.
type Terms struct {
	At  [4]uint16
	By  [4]int8
	Col uint32 // 16 times the column
}

// RestRows is the number of rows that the largest kernels of Rest and Columns take at once; the others take RestFew.
const (
	RestRows = 32
	RestFew  = 8
)

// RowPlace is the byte of a column that Columns puts row r of RestRows in. Those of RestFew are in order.
func RowPlace(r int) int { return r/8%2 + r%4*2 + r/16*8 + r/4%2*16 }

// place is the byte of row r of a number of rows.
func place(r, rows int) int {
	if rows == RestFew {
		return r
	}
	return RowPlace(r)
}

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
	rows := int(a.Rows)
	clear(unsafe.Slice(a.Dst, int(a.Cols)*rows))
	for _, t := range unsafe.Slice(a.Terms, a.N) {
		dst := row[int32](unsafe.Pointer(a.Dst), int64(4*rows), int(t.Col/16)-int(a.Skip)/(4*rows), rows)
		for i, by := range t.By {
			x := row[uint8](unsafe.Pointer(a.A), int64(rows), int(t.At[i]/4), rows)
			for r := range dst {
				dst[r] += int32(by) * int32(x[place(r, rows)])
			}
		}
	}
}

func columnsScalar(a *ArgsColumns) {
	rows := int(a.Rows)
	for k := range int(a.N) {
		src := row[[4]uint8](unsafe.Pointer(a.Src), int64(4*rows), k, rows)
		for i := range 4 {
			dst := row[uint8](unsafe.Pointer(a.Dst), int64(rows), 4*k+i, rows)
			for r, v := range src {
				dst[place(r, rows)] = v[i]
			}
		}
	}
}
