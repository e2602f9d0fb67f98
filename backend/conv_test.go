package backend

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// ConvF32 takes a layout's tile numbers as its own kernels'.
func TestConvKernelsAreNumberedAsGemmF32(t *testing.T) {
	for i, k := range asm.GemmF32Kernels {
		c := asm.ConvF32Kernels[i]
		if c.ISA != k.ISA || c.M != k.M || c.N != k.N {
			t.Errorf("kernel %d: %+v, want the tile of %+v", i, c, k)
		}
	}
}

func TestConvF32(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func(n int) []float32 {
		s := make([]float32, n)
		for i := range s {
			s[i] = float32(r.NormFloat64())
		}
		return s
	}
	for _, size := range [][3]int{{1, 1, 1}, {1, 700, 9}, {1, 33, 1}, {2, 50, 27}, {8, 48, 5}, {13, 100, 64}, {40, 17, 30}, {3, 5, 0}, {1, 5, 0}} {
		m, n, depth := size[0], size[1], size[2]
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			a, x, bias, residual := random(m*depth), random(500+n), random(m), random(m*n)
			var offsets ConvOffsets
			for range depth {
				offsets.Add(r.IntN(500))
			}
			at := make([]float32, depth)
			for _, act := range []Activation{ActNone, ActRelu, ActSigmoid} {
				for _, res := range [][]float32{nil, residual} {
					want := make([]float32, m*n)
					for i := range want {
						offsets.Gather(at, x[i%n:])
						sum := 0.0
						for k, v := range at {
							sum += float64(v) * float64(a[i/n*depth+k])
						}
						sum += float64(bias[i/n])
						switch act {
						case ActRelu:
							sum = max(sum, 0)
						case ActSigmoid:
							sum = 1 / (1 + math.Exp(-sum))
						}
						if res != nil {
							sum += float64(res[i])
						}
						want[i] = float32(sum)
					}
					var first []float32
					for _, k := range All() {
						g := ConvF32{M: m, N: n, A: a, LDA: depth, X: x, Offsets: &offsets, C: make([]float32, m*n), LDC: n}
						g.Epi = Epilogue{BiasRow: bias, Act: act, Residual: res, LDR: n}
						g.Run(k)
						for i, v := range g.C {
							if math.Abs(float64(v-want[i])) > 1e-5*(1+math.Abs(float64(want[i]))) {
								t.Fatalf("%s: element %d is %v, want %v", k.Name(), i, v, want[i])
							}
							if first != nil && first[i] != v {
								t.Fatalf("%s: element %d is %v, on %s %v", k.Name(), i, v, All()[0].Name(), first[i])
							}
						}
						if first == nil {
							first = g.C
						}
					}
				}
			}
		})
	}
}

func TestConvOffsetsRepeat(t *testing.T) {
	var got, want ConvOffsets
	for ch := range 5 {
		for _, tap := range []int{0, 1, 40, 7} {
			want.Add(100*ch + tap)
			if ch == 0 {
				got.Add(tap)
			}
		}
	}
	got.Repeat(4, 4, 100)
	if !slices.Equal(got.bytes, want.bytes) || got.reach != want.reach {
		t.Errorf("%v reaching %d, want %v reaching %d", got.bytes, got.reach, want.bytes, want.reach)
	}
	got.Repeat(0, 3, 100)
	if got.Len() != 20 {
		t.Errorf("%d offsets after none were repeated", got.Len())
	}
}
