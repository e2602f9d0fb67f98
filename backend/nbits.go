package backend

import "github.com/qrun-onnx/qrun/backend/asm"

// NBitsRows is rows of 4-bit codes in blocks that have a scale and a zero point each, to be multiplied with a vector:
// (code - zero)*scale. Blocks have Chunks times 32 elements, as has the vector's end.
type NBitsRows struct {
	Codes       []uint8   // rows of Blocks*Chunks*16 bytes, the lower half of a byte before the upper
	Scale, Zero []float32 // rows of Blocks; Zero may be one number for all
	Blocks      int
	Chunks      int
}

// NBitsVector brings a vector into the order that DotNBits reads, of each 32 elements the even ones and then the odd ones,
// with zeros behind it up to len(dst), a multiple of 32.
func NBitsVector(dst, src []float32) {
	clear(dst[len(src)&^31:])
	whole := len(src) &^ 31
	for i := 0; i < whole; i += 32 {
		s, d := src[i:i+32], dst[i:i+32]
		for l := range 16 {
			d[l], d[16+l] = s[2*l], s[2*l+1]
		}
	}
	for i, x := range src[whole:] {
		dst[whole+i%2*16+i/2] = x
	}
}

// DotNBits is the product of row r and a vector that NBitsVector has ordered: per block 16 lanes of fused multiply-adds
// with the even and the odd elements, added with the block's scale to 16 lanes, and the fixed tree of all reductions. Its
// bits depend on no tier.
func (k *Kernels) DotNBits(w *NBitsRows, r int, a []float32) float32 {
	row := w.row(r, a)
	return k.nbits.Dot(&row)
}

// WidenNBits writes row r as float32 to dst, in the order of NBitsVector.
func (k *Kernels) WidenNBits(dst []float32, w *NBitsRows, r int) {
	row := w.row(r, dst)
	k.widenNBits.Widen(&row)
}

func (w *NBitsRows) row(r int, a []float32) asm.NBitsRow {
	need(len(a) >= w.Blocks*w.Chunks*32, "vector", len(a), w.Blocks*w.Chunks*32)
	row := asm.NBitsRow{A: a, Codes: w.Codes[r*w.Blocks*w.Chunks*16:][:w.Blocks*w.Chunks*16], Scale: w.Scale[r*w.Blocks : (r+1)*w.Blocks], Zero: w.Zero, Chunks: w.Chunks}
	if len(w.Zero) > 1 {
		row.Zero = w.Zero[r*w.Blocks : (r+1)*w.Blocks]
	}
	return row
}
