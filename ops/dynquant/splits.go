package dynquant

import (
	"math"

	"github.com/qrun-onnx/qrun/backend"
)

// A column of a weight has one scale, and a single element that is much larger than the others makes it coarse for all of
// them: trained encoders have columns with one weight of 40 times the root mean square, and there int8 loses the rest of
// the column. Such an element is split: the activation repeats its channel, and the copies share the element between
// them, so that the column's scale need not hold it at once (outlier channel splitting, Zhao et al. 2019, arXiv
// 1901.09504). The sums stay exact integers, and which channels are repeated depends on the weight alone.

const (
	// splitRatio is the magnitude, in root mean squares of its column, that an element may have without being split.
	splitRatio = 12
	// splitBudget is the largest share of channels that are repeated, as a divisor of the depth.
	splitBudget = 16
)

// splits lists the channels to repeat, ascending, each as often as it needs more copies. Where splitRatio would repeat
// too many, larger elements are left whole until the budget holds.
func (w *weight) splits(kern *backend.Kernels) []int {
	if w.ints != nil {
		return nil
	}
	k, n := w.depth(), w.columns()
	budget := k / splitBudget
	limits := w.rms(kern)
	for i := range limits {
		limits[i] *= splitRatio
	}
	copies := make([]float32, k) // wanted of each channel
	for b := range w.batches() {
		w.wanted(kern, copies, w.float[b*k*n:(b+1)*k*n], limits[b*n:(b+1)*n])
	}
	for factor := float32(1); ; factor *= 1.25 {
		var list []int
		for i, c := range copies {
			for range int(math.Ceil(float64(c/factor))) - 1 {
				if list = append(list, i); len(list) > budget {
					break
				}
			}
		}
		if len(list) <= budget {
			return list
		}
	}
}

// rms is the root mean square of each column of each matrix.
func (w *weight) rms(kern *backend.Kernels) []float32 {
	k, n := w.depth(), w.columns()
	sums := make([]float32, w.batches()*n)
	squares := make([]float32, n)
	for b := range w.batches() {
		src, s := w.float[b*k*n:(b+1)*k*n], sums[b*n:(b+1)*n]
		if w.trans {
			for j := range s {
				s[j] = kern.SumSquares(src[j*k : (j+1)*k])
			}
			continue
		}
		for i := 0; i < len(src); i += n {
			kern.Binary(backend.Mul, squares, src[i:i+n], src[i:i+n])
			kern.Binary(backend.Add, s, s, squares)
		}
	}
	for i, s := range sums {
		sums[i] = float32(math.Sqrt(float64(s) / float64(k)))
	}
	return sums
}

// wanted raises the number of copies of each channel so that none of its elements is above its column's limit. Elements
// that are not finite want none: quantize refuses them.
func (w *weight) wanted(kern *backend.Kernels, copies, src, limits []float32) {
	k, n := w.depth(), w.columns()
	width := n
	if w.trans {
		width = k
	}
	row, over := make([]float32, width), make([]float32, width)
	for r := range len(src) / width {
		kern.Unary(backend.Abs, row, src[r*width:(r+1)*width], 0, 0)
		limit := limits
		if w.trans {
			limit = limits[r : r+1]
		}
		kern.Binary(backend.Sub, over, row, limit)
		if !(kern.MaxOf(over) > 0) {
			continue // nearly always
		}
		for c, x := range row {
			i, l := r, limit[min(c, len(limit)-1)]
			if w.trans {
				i = c
			}
			if q := x / l; x > l && q <= math.MaxInt16 {
				copies[i] = max(copies[i], q)
			}
		}
	}
}
