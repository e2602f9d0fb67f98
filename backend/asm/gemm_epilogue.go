package asm

import "unsafe"

// Bits of ArgsGemm.Flags.
const (
	GemmClip  = 1 << iota // clip to Lo, Hi
	GemmInt               // store the integers
	GemmAlpha             // multiply by Alpha
	GemmTail              // read the last vector of each step of B under the mask of Cols
)

// elem is p[i].
func elem[T any](p *T, i int) T {
	return *(*T)(unsafe.Add(unsafe.Pointer(p), i*int(unsafe.Sizeof(*p))))
}

// row is n elements of row r of a matrix of rows ld bytes apart.
func row[T any](p unsafe.Pointer, ld int64, r, n int) []T {
	if n == 0 { // there may be no memory
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Add(p, r*int(ld))), n)
}

// panel is panel p of B, which has no memory when K is 0.
func (a *ArgsGemm) panel(p int) unsafe.Pointer {
	if a.K == 0 {
		return a.B
	}
	return unsafe.Add(a.B, p*int(a.PanelB))
}

// store finishes the float32 sums of row r and column c on and writes them to C.
func (a *ArgsGemm) store(r, c int, y float32) {
	if a.Bias != nil {
		y += elem(a.Bias, c)
	}
	if a.BiasRow != nil {
		y += elem(a.BiasRow, r)
	}
	if a.Flags&GemmClip != 0 {
		if y < a.Lo {
			y = a.Lo
		}
		if y > a.Hi {
			y = a.Hi
		}
	}
	if a.Residual != nil {
		y += row[float32](unsafe.Pointer(a.Residual), a.LDR, r, c+1)[c]
	}
	row[float32](a.C, a.LDC, r, c+1)[c] = y
}

// storeFloat is store of a sum of float32 products.
func (a *ArgsGemm) storeFloat(r, c int, acc float32) {
	if a.Flags&GemmAlpha != 0 {
		acc *= a.Alpha
	}
	a.store(r, c, acc)
}

// storeInt is store of a sum of integer products without A's zero point, or writes the integer.
func (a *ArgsGemm) storeInt(r, c int, acc int32) {
	zero, comp := elem(a.ZeroA, r), elem(a.Comp, c)
	a.storeCorrected(r, c, acc+int32(int16(zero))*int32(int16(comp))+zero>>16*(comp>>16))
}

// storeCorrected is storeInt of a sum that has been corrected for A's zero point.
func (a *ArgsGemm) storeCorrected(r, c int, acc int32) {
	if a.ZeroB != nil {
		acc -= elem(a.ZeroB, c) * elem(a.RowSum, r)
	}
	if a.Flags&GemmInt != 0 {
		row[int32](a.C, a.LDC, r, c+1)[c] = acc
		return
	}
	s := elem(a.ScaleA, r) * elem(a.ScaleB, c)
	a.store(r, c, float32(float32(acc)*s))
}
