package main

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// vecValues are n values: special ones, then random ones of every magnitude and of ordinary magnitudes.
func vecValues(n int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	special := []float32{
		0, float32(math.Copysign(0, -1)), inf, -inf, nan, 1e-45, -1e-45, 1e-38, -1e-38, math.MaxFloat32, -math.MaxFloat32,
		88.72, 88.73, -87.5, -87.3, -86.9, 0.5, 1.5, -2.5, 4, -4, 10, -25, 1, -1, 0.70710677, 0x1p-126,
	}
	x := make([]float32, n)
	for i := range x {
		switch r := rng.IntN(8); {
		case r == 0:
			x[i] = special[rng.IntN(len(special))]
		case r == 1:
			x[i] = math.Float32frombits(rng.Uint32())
		default:
			x[i] = float32(rng.NormFloat64() * 4)
		}
	}
	return x
}

// sameBits says whether two results are equal; any NaN is as good as another.
func sameBits(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

// vecLengths are lengths with every kind of tail, fewer of them in short mode.
func vecLengths() []int {
	var n []int
	for i := range 131 {
		if i < 34 || i%16 < 2 || i%16 == 15 || !testing.Short() {
			n = append(n, i)
		}
	}
	return n
}

func TestVecUnary(t *testing.T) {
	funcs := unaryFuncs()
	if len(funcs) != int(asm.NumUnary) {
		t.Fatalf("%d functions, want %d", len(funcs), asm.NumUnary)
	}
	for i, k := range interpreted(vecUnaryFamily()) {
		f := asm.Unary(i % len(funcs))
		for _, n := range vecLengths() {
			src := vecValues(n, uint64(n))
			want := make([]float32, n)
			p0, p1 := float32(0.7), float32(1.2)
			for j, x := range src {
				want[j] = asm.UnaryOf(f, x, p0, p1)
			}
			buf := rw(append([]float32(nil), src...))
			dst := make([]float32, n)
			args := map[string]any{"Dst": rw(dst), "Src": ro(src), "N": n, "P0": p0, "P1": p1}
			if n%2 == 1 {
				args["Dst"], args["Src"] = buf, buf // in place
			}
			run(t, k, args)
			for j := range want {
				got := dst[j]
				if n%2 == 1 {
					got = math.Float32frombits(uint32(buf.data[4*j]) | uint32(buf.data[4*j+1])<<8 | uint32(buf.data[4*j+2])<<16 | uint32(buf.data[4*j+3])<<24)
				}
				if !sameBits(got, want[j]) {
					t.Fatalf("%s: element %d of %d: f(%g) = %g (%#x), want %g (%#x)", k.Name, j, n, src[j], got,
						math.Float32bits(got), want[j], math.Float32bits(want[j]))
				}
			}
		}
	}
}
