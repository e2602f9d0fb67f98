package backend

import (
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// formA is how a tier's integer kernels read A, which is made of blocks of its rows as they are needed.
type formA uint8

const (
	bytesA  formA = iota // as it is
	wideA                // AVX2: 16-bit integers
	signedA              // NEON, NEONDOT: signed bytes, of A less 128, since their products are of signed bytes
	pairsA               // NEONI8MM: two rows interleaved by eight bytes
)

// plain says whether the kernels take zero points and column sums as plain numbers: those of arm64.
func (f formA) plain() bool { return f == signedA || f == pairsA }

// less is what the kernels' values of A are less than A.
func (f formA) less() int32 {
	if f == signedA {
		return 128
	}
	return 0
}

// zero is a zero point of A as the kernels take it.
func (f formA) zero(z int32) int32 {
	if f.plain() {
		return z - f.less()
	}
	return z * (1 + 128<<16)
}

// one is a byte that the kernels read as 1.
func (f formA) one() uint8 { return uint8(1 + f.less()) }

// prepare makes rows of A in the form of the kernels, and returns the bytes from row to row.
func (g *GemmU8S8) prepare(made *[]int16, row0, row1, stride int) (lda int) {
	k := g.k
	bytes := stride
	if k.form == wideA {
		bytes = 2 * stride
	}
	dst := pointer(grow(made, (row1-row0+1)*bytes/2))
	if stride == 0 {
		return 0
	}
	for r := row0; r < row1; r++ {
		src, to := &g.A[r*g.LDA : r*g.LDA+stride][0], unsafe.Add(dst, (r-row0)*bytes)
		switch k.form {
		case wideA:
			asm.WidenAVX2.Call(&asm.ArgsWiden{Dst: (*int16)(to), Src: src, N: int64(stride)})
		case signedA:
			asm.SignedNEON.Call(&asm.ArgsSigned{Dst: (*int8)(to), Src: src, N: int64(stride)})
		case pairsA:
			next := src // of a last row without another
			if r++; r < row1 {
				next = &g.A[r*g.LDA : r*g.LDA+stride][0]
			}
			asm.PairNEON.Call(&asm.ArgsPair{Dst: (*uint8)(to), A: src, B: next, N: int64(stride)})
		}
	}
	return bytes
}
