package asmtest

import (
	"math/rand/v2"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// Rest are inputs of a call of asm.Rest: cols columns with up to 3 Terms each over k columns of A.
func Rest(k, cols int) (a []uint8, terms []asm.Terms, counts []int32) {
	r := rand.New(rand.NewPCG(uint64(k), uint64(cols)))
	a = make([]uint8, k*asm.RestRows)
	for i := range a {
		a[i] = [4]uint8{uint8(r.Uint32()), 255, 255, 0}[r.IntN(4)]
	}
	counts = make([]int32, cols)
	for c := range counts {
		counts[c] = int32((c + 1) % 4)
		for range counts[c] {
			var t asm.Terms
			for i := range t.At {
				t.At[i] = uint16(4 * r.IntN(k))
			}
			t.By = [2][4]int8{{64, 64, -128, 127}, {-128, 0, int8(r.IntN(65)), -64}}[r.IntN(2)]
			terms = append(terms, t)
		}
	}
	return a, terms, counts
}

// Columns are inputs of a call of asm.Columns: n groups of four bytes of each of 32 rows.
func Columns(n int) []uint8 {
	src := make([]uint8, 4*n*asm.RestRows)
	for i := range src {
		src[i] = uint8(i*7 + i>>8)
	}
	return src
}
