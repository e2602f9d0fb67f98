// Package accuracy measures how far one tensor is from another, with the metrics that quantization tools report.
package accuracy

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/tensor"
)

// Stats compares a candidate with a reference, element by element.
type Stats struct {
	N        int     // elements compared
	MaxAbs   float64 // largest |got-want|
	MaxRel   float64 // largest |got-want|/|want| where want is not 0
	MeanAbs  float64
	RMSE     float64
	Cosine   float64 // of the two as vectors; 1 when both are zero, 0 when one is
	SQNR     float64 // 20*log10(|want|/|got-want|) in dB; +Inf when equal
	Mismatch int     // elements of which one alone is NaN, or infinities that differ
}

// Floats returns the elements of a numeric or bool tensor as float64; ok is false for other types.
func Floats(t *tensor.Tensor) (v []float64, ok bool) {
	switch t.DType() {
	case tensor.Float32:
		return widen(tensor.View[float32](t)), true
	case tensor.Float64:
		return tensor.View[float64](t), true
	case tensor.Float16:
		h := tensor.View[tensor.F16](t)
		v = make([]float64, len(h))
		for i, x := range h {
			v[i] = float64(x.Float32())
		}
		return v, true
	case tensor.BFloat16:
		h := tensor.View[tensor.BF16](t)
		v = make([]float64, len(h))
		for i, x := range h {
			v[i] = float64(x.Float32())
		}
		return v, true
	case tensor.Int8:
		return widen(tensor.View[int8](t)), true
	case tensor.Uint8:
		return widen(tensor.View[uint8](t)), true
	case tensor.Int16:
		return widen(tensor.View[int16](t)), true
	case tensor.Uint16:
		return widen(tensor.View[uint16](t)), true
	case tensor.Int32:
		return widen(tensor.View[int32](t)), true
	case tensor.Uint32:
		return widen(tensor.View[uint32](t)), true
	case tensor.Int64:
		return widen(tensor.View[int64](t)), true
	case tensor.Uint64:
		return widen(tensor.View[uint64](t)), true
	case tensor.Bool:
		b := tensor.View[bool](t)
		v = make([]float64, len(b))
		for i, x := range b {
			if x {
				v[i] = 1
			}
		}
		return v, true
	}
	return nil, false
}

func widen[T float32 | int8 | uint8 | int16 | uint16 | int32 | uint32 | int64 | uint64](s []T) []float64 {
	v := make([]float64, len(s))
	for i, x := range s {
		v[i] = float64(x)
	}
	return v
}

// Compare compares two numeric tensors of one shape. Pairs that are both NaN, or the same infinity, count as equal.
func Compare(got, want *tensor.Tensor) (Stats, error) {
	g, ok := Floats(got)
	w, ok2 := Floats(want)
	if !ok || !ok2 || len(g) != len(w) {
		return Stats{}, fmt.Errorf("cannot compare %v with %v", got, want)
	}
	var s Stats
	var dot, gg, ww, dd float64
	for i, a := range g {
		b := w[i]
		s.N++
		switch {
		case a == b, math.IsNaN(a) && math.IsNaN(b):
			if !math.IsNaN(a) && !math.IsInf(a, 0) {
				dot, gg, ww = dot+a*b, gg+a*a, ww+b*b
			}
			continue
		case math.IsNaN(a) || math.IsNaN(b) || math.IsInf(a, 0) || math.IsInf(b, 0):
			s.Mismatch++
			s.MaxAbs, s.MaxRel = math.Inf(1), math.Inf(1)
			continue
		}
		d := math.Abs(a - b)
		s.MaxAbs = max(s.MaxAbs, d)
		if b != 0 {
			s.MaxRel = max(s.MaxRel, d/math.Abs(b))
		}
		s.MeanAbs += d
		dot, gg, ww, dd = dot+a*b, gg+a*a, ww+b*b, dd+d*d
	}
	if s.N > 0 {
		s.MeanAbs /= float64(s.N)
		s.RMSE = math.Sqrt(dd / float64(s.N))
	}
	s.Cosine = cosine(dot, gg, ww)
	s.SQNR = math.Inf(1)
	if dd > 0 {
		s.SQNR = 10 * math.Log10(max(ww, math.SmallestNonzeroFloat64)/dd)
	}
	if s.Mismatch > 0 {
		s.SQNR, s.Cosine = math.Inf(-1), 0
	}
	return s, nil
}

func cosine(dot, gg, ww float64) float64 {
	switch {
	case gg == 0 && ww == 0:
		return 1
	case gg == 0 || ww == 0:
		return 0
	}
	return dot / math.Sqrt(gg) / math.Sqrt(ww)
}

// Close reports whether every element has |got-want| <= atol + rtol*|want|, NaN equal to NaN and infinities equal; the
// index of the worst element otherwise, and how many differ.
func Close(got, want *tensor.Tensor, rtol, atol float64) (ok bool, worst, differ int) {
	g, ok1 := Floats(got)
	w, ok2 := Floats(want)
	if !ok1 || !ok2 || len(g) != len(w) {
		return false, 0, 0
	}
	excess := math.Inf(-1)
	for i, a := range g {
		b := w[i]
		if a == b || math.IsNaN(a) && math.IsNaN(b) {
			continue
		}
		e := math.Abs(a-b) - (atol + rtol*math.Abs(b))
		if e <= 0 {
			continue
		}
		differ++
		if math.IsNaN(e) {
			e = math.Inf(1)
		}
		if e > excess {
			excess, worst = e, i
		}
	}
	return differ == 0, worst, differ
}

// TopAgreement is the share of rows (last axis) whose largest element stands at the same place; NaN without rows.
func TopAgreement(got, want *tensor.Tensor) float64 {
	a, b := TopOne(got), TopOne(want)
	if len(a) == 0 || len(a) != len(b) {
		return math.NaN()
	}
	same := 0
	for i := range a {
		if a[i] == b[i] {
			same++
		}
	}
	return float64(same) / float64(len(a))
}

// TopOne returns the place of the largest element of each row (last axis).
func TopOne(t *tensor.Tensor) []int {
	v, ok := Floats(t)
	if !ok || t.Rank() == 0 || len(v) == 0 {
		return nil
	}
	n := t.Shape()[t.Rank()-1]
	top := make([]int, 0, len(v)/n)
	for r := 0; r < len(v); r += n {
		best := 0
		for i, x := range v[r : r+n] {
			if x > v[r+best] {
				best = i
			}
		}
		top = append(top, best)
	}
	return top
}

// KL is the mean over rows (last axis) of the Kullback-Leibler divergence of softmax(want) from softmax(got), in nats.
func KL(got, want *tensor.Tensor) float64 {
	g, ok1 := Floats(got)
	w, ok2 := Floats(want)
	if !ok1 || !ok2 || len(g) != len(w) || want.Rank() == 0 || len(w) == 0 {
		return math.NaN()
	}
	n := want.Shape()[want.Rank()-1]
	total := 0.0
	for r := 0; r < len(w); r += n {
		lg, lw := logSum(g[r:r+n]), logSum(w[r:r+n])
		for i := r; i < r+n; i++ {
			q, p := g[i]-lg, w[i]-lw
			total += math.Exp(p) * (p - q)
		}
	}
	return total * float64(n) / float64(len(w))
}

func logSum(v []float64) float64 {
	m := math.Inf(-1)
	for _, x := range v {
		m = max(m, x)
	}
	s := 0.0
	for _, x := range v {
		s += math.Exp(x - m)
	}
	return m + math.Log(s)
}
