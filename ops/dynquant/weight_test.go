package dynquant

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/tensor"
)

// slowQuantize is the definition of a weight's quantization, element by element.
func slowQuantize(w *weight) (q []int8, scale []float32) {
	k, n := w.depth(), w.columns()
	at := func(b, i, j int) float32 {
		if w.trans {
			return w.float[b*k*n+j*k+i]
		}
		return w.float[b*k*n+i*n+j]
	}
	q = make([]int8, len(w.float))
	for b := range w.batches() {
		for j := range n {
			var a float64
			for i := range k {
				a = max(a, math.Abs(float64(at(b, i, j))))
			}
			s := float32(a / 127)
			if s < 0x1p-126 {
				s = 1
			}
			scale = append(scale, s)
			for i := range k {
				v := int8(min(max(math.RoundToEven(float64(at(b, i, j)/s)), -127), 127))
				if w.trans {
					q[b*k*n+j*k+i] = v
				} else {
					q[b*k*n+i*n+j] = v
				}
			}
		}
	}
	return q, scale
}

func TestQuantizeWeights(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, kern := range backend.All() {
		for _, shape := range [][]int{{1, 1}, {3, 5}, {10, 5}, {64, 48}, {65, 17}, {2, 9, 33}, {4, 0x21, 8}} {
			for _, trans := range []bool{false, true} {
				n := 1
				for _, d := range shape {
					n *= d
				}
				w := &weight{float: make([]float32, n), shape: shape, trans: trans}
				for i := range w.float {
					w.float[i] = float32(rng.NormFloat64())
					if rng.IntN(5) == 0 { // ties after the division, and zeros
						w.float[i] = float32(rng.IntN(9)-4) / 2
					}
				}
				got, err := w.quantize(kern, nil)
				if err != nil {
					t.Fatal(err)
				}
				q, s := slowQuantize(w)
				if !slices.Equal(tensor.View[int8](got.w), q) || !slices.Equal(tensor.View[float32](got.scale), s) {
					t.Errorf("%s %v trans %v: differs from the definition", kern.Name(), shape, trans)
				}
			}
		}
	}
}

func TestQuantizeWeightsEdges(t *testing.T) {
	kern := backend.All()[0]
	zero := &weight{float: make([]float32, 6), shape: []int{3, 2}}
	q, err := zero.quantize(kern, nil)
	if err != nil || !slices.Equal(tensor.View[float32](q.scale), []float32{1, 1}) || slices.Max(tensor.View[int8](q.w)) != 0 {
		t.Errorf("zeros: %v %v", q, err)
	}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		for _, trans := range []bool{false, true} {
			w := &weight{float: []float32{1, 2, bad, 4}, shape: []int{2, 2}, trans: trans}
			if _, err := w.quantize(kern, w.splits(kern)); !errors.Is(err, errNotFinite) {
				t.Errorf("%v: got %v", bad, err)
			}
		}
	}
}

// TestSplits puts one weight of 40 times the others into a column: its channel is repeated, the sum over its places is
// the whole weight, and the other weights of the column keep their precision.
func TestSplits(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const k, n = 256, 24
	for _, trans := range []bool{false, true} {
		w := &weight{float: make([]float32, k*n), shape: []int{k, n}, trans: trans}
		if trans {
			w.shape = []int{n, k}
		}
		at := func(i, j int) int {
			if trans {
				return j*k + i
			}
			return i*n + j
		}
		for i := range w.float {
			w.float[i] = float32(rng.NormFloat64())
		}
		w.float[at(77, 5)] = -160
		for _, kern := range backend.All() {
			repeat := w.splits(kern)
			if len(repeat) == 0 || slices.ContainsFunc(repeat, func(i int) bool { return i != 77 }) {
				t.Fatalf("repeated channels %v, want 77 alone", repeat)
			}
			q, err := w.quantize(kern, repeat)
			if err != nil {
				t.Fatal(err)
			}
			depth := k + len(repeat)
			v := tensor.View[int8](q.w)
			el := func(i, j int) int {
				if trans {
					return int(v[j*depth+i])
				}
				return int(v[i*n+j])
			}
			s := tensor.View[float32](q.scale)
			for j := range n {
				for i := range k {
					sum := el(i, j)
					for c, r := range repeat {
						if r == i {
							sum += el(k+c, j)
						}
					}
					if d := math.Abs(float64(float32(sum)*s[j] - w.float[at(i, j)])); d > float64(s[j])*0.5001 {
						t.Fatalf("%s: element %d %d is off by %v, half a step is %v", kern.Name(), i, j, d, s[j]/2)
					}
				}
			}
			if whole := float32(160.0 / 127); s[5] > whole/2 {
				t.Errorf("the scale of the column is %v, without splitting %v", s[5], whole)
			}
		}
	}
}

func TestSplitsKeepToTheBudget(t *testing.T) {
	w := &weight{float: make([]float32, 64*4), shape: []int{64, 4}}
	for i := range 32 { // half of the channels are far above the rest
		w.float[i*4] = 1e6
	}
	for i := range w.float {
		if w.float[i] == 0 {
			w.float[i] = 1e-6
		}
	}
	if got := w.splits(backend.All()[0]); len(got) > 64/splitBudget {
		t.Errorf("%d channels are repeated, the budget is %d", len(got), 64/splitBudget)
	}
}
