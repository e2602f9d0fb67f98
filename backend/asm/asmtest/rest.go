package asmtest

import (
	"math/rand/v2"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// Rest are inputs of a call of asm.Rest: n Terms of cols columns, from column skip on, over k columns of a number of
// rows of A.
func Rest(rows, k, skip, cols, n int) (a []uint8, terms []asm.Terms) {
	r := rand.New(rand.NewPCG(uint64(k), uint64(cols)))
	a = make([]uint8, k*rows)
	for i := range a {
		a[i] = [4]uint8{uint8(r.Uint32()), 255, 255, 0}[r.IntN(4)]
	}
	terms = make([]asm.Terms, n)
	for i := range terms {
		t := &terms[i]
		for j := range t.At {
			t.At[j] = uint16(4 * r.IntN(k))
		}
		t.Col = uint32(16 * (skip + r.IntN(cols)))
		t.By = [3][4]int8{{64, -128, 64, 0}, {-128, 0, int8(r.IntN(65)), 63}, {1, 127, int8(-r.IntN(65)), -64}}[r.IntN(3)]
	}
	return a, terms
}

// Columns are inputs of a call of asm.Columns: n groups of four bytes of each of a number of rows.
func Columns(rows, n int) []uint8 {
	src := make([]uint8, 4*n*rows)
	for i := range src {
		src[i] = uint8(i*7 + i>>8)
	}
	return src
}
