package backend

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// weights are spread like those of a trained layer: most are small, so that clipping pays.
func weights(r *rand.Rand, n int) []int8 {
	return random(n, func() int8 { return int8(max(-128, min(127, math.Round(r.NormFloat64()*38)))) })
}

// TestClipped has products large enough for the clipped form of B, with all remainders of its blocks of rows.
func TestClipped(t *testing.T) {
	for _, size := range [][3]int{{4, 18, 66}, {7, 40, 100}, {8, 16, 64}, {9, 31, 64}, {16, 16, 64}, {17, 33, 72}, {23, 40, 65}, {31, 20, 100}, {32, 48, 128}, {45, 50, 77}, {150, 70, 130}, {330, 17, 64}} {
		r := newRand(size)
		c := newIntCase(r, size[0], size[1], size[2])
		c.b = weights(r, len(c.b))
		c.expect()
		onTiers(t, func(t *testing.T, k *Kernels) {
			for range 2 {
				c.check(t, k, 1)
				c.check(t, k, 3)
				for i := range c.A { // padding stays zero
					if i%c.LDA < c.k {
						c.A[i] = 255
					}
				}
				c.RowSumA = random(c.M, func() int32 { return 255 * int32(c.k) })
				c.expect()
			}
			if b := k.PackI8(c.b, c.k, c.n, c.ldb, c.trans, nil, nil); (b.clip != nil) != (k.u8c8.isa != asm.Scalar) {
				t.Fatalf("%v: clipped %v", size, b.clip != nil)
			}
		})
	}
}

// TestClip checks what the kernels rely on, and that nothing is lost: the clipped weights and the terms add up to B.
func TestClip(t *testing.T) {
	onTiers(t, func(t *testing.T, k *Kernels) {
		const K, N = 123, 35
		r := rand.New(rand.NewPCG(3, 4))
		b := weights(r, K*N)
		for i := range 8 {
			b[i*N+i], b[(i+1)*N+i], b[(i+4)*N+i], b[(i+5)*N+i] = -128, -128, -128, -128
			b[(i+64)*N+i], b[(i+65)*N+i], b[(i+68)*N+i], b[(i+69)*N+i] = 127, 127, 127, 127
		}
		c := k.PackI8(b, K, N, N, false, nil, nil).clip
		if c == nil {
			if k.u8c8.isa != asm.Scalar {
				t.Fatal("no clipped form")
			}
			return
		}
		terms := map[int][]asm.Terms{}
		for i := range c.first {
			for _, t := range c.of(i, i+1) {
				col := int(t.Col / 16)
				terms[col] = append(terms[col], t)
			}
		}
		for col := range N {
			var column [K + 5]int
			for x := range column {
				column[x] = int(c.data[col/16*16*128+x/4*64+col%16*4+x%4])
			}
			for x := 0; x < len(column); x += 8 {
				for h := 0; h < 4; h += 2 {
					checkSums(t, column[x+h], column[x+h+1], column[x+4+h], column[x+5+h])
				}
			}
			for _, term := range terms[col] {
				checkSums(t, int(term.By[0]), int(term.By[1]), int(term.By[2]), int(term.By[3]))
				for i, by := range term.By {
					column[term.At[i]/4] += int(by)
				}
			}
			delete(terms, col)
			for x := range K {
				if column[x] != int(b[x*N+col]) {
					t.Fatalf("row %d column %d: %d, want %d", x, col, column[x], b[x*N+col])
				}
			}
		}
		if len(terms) > 0 {
			t.Errorf("%d terms are of no column", len(terms))
		}
		if k.PackI8(random(K*N, func() int8 { return int8(r.Uint32()) }), K, N, N, false, nil, nil).clip != nil {
			t.Error("weights that are large throughout are clipped")
		}
	})
}

func checkSums(t *testing.T, weights ...int) {
	t.Helper()
	pos, neg := 0, 0
	for _, w := range weights {
		pos, neg = pos+max(w, 0), neg+min(w, 0)
	}
	if pos > clipSum || neg < -clipSum {
		t.Fatalf("%v add up to more than %d", weights, clipSum)
	}
}

func TestOverSum(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20000 {
		var w [2][8]int8
		for i := range w {
			for j := range w[i] {
				w[i][j] = [5]int8{int8(r.Uint32()), int8(r.IntN(65)), 127, -128, int8(-r.IntN(65))}[r.IntN(5)]
			}
		}
		want := uint64(0)
		for i := range 4 {
			pos, neg := 0, 0
			for _, v := range []int8{w[0][2*i], w[0][2*i+1], w[1][2*i], w[1][2*i+1]} {
				pos, neg = pos+max(int(v), 0), neg-min(int(v), 0)
			}
			if pos > clipSum || neg > clipSum {
				want |= 1 << (16*i + 15)
			}
		}
		var n [2]uint64
		for i := range w {
			for j, v := range w[i] {
				n[i] |= uint64(uint8(v)) << (8 * j)
			}
		}
		if got := overSum(n[0], n[1]); got != want {
			t.Fatalf("%v: %x, want %x", w, got, want)
		}
	}
}
