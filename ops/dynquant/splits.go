package dynquant

import (
	"fmt"
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
	// The number of channels, then the channels.
	list, _ := backend.Cached(kern, w.float, w.recipe("splits", nil), func() ([]uint32, error) {
		found := w.findSplits(kern)
		list := []uint32{uint32(len(found))}
		for _, c := range found {
			list = append(list, uint32(c))
		}
		return list, nil
	})
	channels := make([]int, len(list)-1)
	for i, c := range list[1:] {
		channels[i] = int(c)
	}
	return channels
}

// recipe names what is made of the weight.
func (w *weight) recipe(what string, repeat []int) string {
	return fmt.Sprint(what, w.shape, w.trans, repeat)
}

func (w *weight) findSplits(kern *backend.Kernels) []int {
	k, n := w.depth(), w.columns()
	budget := k / splitBudget
	limits := w.rms(kern)
	for i := range limits {
		limits[i] *= splitRatio
	}
	copies := make([]float32, k) // wanted of each channel
	for b, top := range w.tops(kern) {
		for j, a := range top {
			if limit := limits[b*n+j]; a > limit {
				w.wanted(copies, b, j, limit)
			}
		}
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

// tops are the largest magnitudes of the columns of each matrix.
func (w *weight) tops(kern *backend.Kernels) [][]float32 {
	w.once.Do(func() {
		k, n := w.depth(), w.columns()
		w.top = make([][]float32, w.batches())
		row := make([]float32, max(k, n))
		for b := range w.top {
			w.top[b] = make([]float32, n)
			topOf(kern, w.top[b], w.float[b*k*n:(b+1)*k*n], row, w.trans)
		}
	})
	return w.top
}

// topOf finds the largest magnitude of each column, NaN where one is. row is memory for one row.
func topOf(kern *backend.Kernels, top, src, row []float32, trans bool) {
	n := len(top)
	if trans {
		n = len(src) / len(top)
	}
	row = row[:n]
	for i := 0; i < len(src); i += n {
		kern.Unary(backend.Abs, row, src[i:i+n], 0, 0)
		if trans {
			top[i/n] = kern.MaxOf(row)
		} else {
			kern.Binary(backend.Max, top, top, row)
		}
	}
}

// wanted raises the number of copies of each channel so that none of the elements of column j is above the limit.
// Elements that are not finite want none: quantize refuses them.
func (w *weight) wanted(copies []float32, b, j int, limit float32) {
	k, n := w.depth(), w.columns()
	src := w.float[b*k*n : (b+1)*k*n]
	at, step := j, n
	if w.trans {
		at, step = j*k, 1
	}
	for i := range copies {
		x := float32(math.Abs(float64(src[at+i*step])))
		if c := x / limit; x > limit && c <= math.MaxInt16 {
			copies[i] = max(copies[i], c)
		}
	}
}
