package onnxtest

import (
	"bytes"
	"fmt"
	"os"
	"slices"

	"github.com/qrun-onnx/qrun/internal/accuracy"
	"github.com/qrun-onnx/qrun/tensor"
)

func isFile(path string) bool { info, err := os.Stat(path); return err == nil && !info.IsDir() }

// compare returns what is wrong with got, "" when nothing is, and widens m by a float output's errors.
func compare(got, want *tensor.Tensor, l Limits, m *Measures) string {
	if got == nil {
		return "missing"
	}
	if got.Kind() != want.Kind() {
		return fmt.Sprintf("is %v, want %v", got, want)
	}
	if want.Kind() != tensor.KindTensor {
		g, w := got.Elems(), want.Elems()
		if len(g) != len(w) {
			return fmt.Sprintf("has %d elements, want %d", len(g), len(w))
		}
		for i := range w {
			if text := compare(g[i], w[i], l, m); text != "" {
				return fmt.Sprintf("element %d: %s", i, text)
			}
		}
		return ""
	}
	if got.DType() != want.DType() || !slices.Equal(got.Shape(), want.Shape()) {
		return fmt.Sprintf("is %v, want %v", got, want)
	}
	if want.DType() == tensor.String {
		return compareStrings(tensor.View[string](got), tensor.View[string](want))
	}
	if bytes.Equal(got.Bytes(), want.Bytes()) {
		m.Floats = m.Floats || want.DType().IsFloat()
		return ""
	}
	if !want.DType().IsFloat() {
		return differences(got, want)
	}
	return compareFloats(got, want, l, m)
}

func compareStrings(got, want []string) string {
	for i := range want {
		if got[i] != want[i] {
			return fmt.Sprintf("element %d is %q, want %q", i, got[i], want[i])
		}
	}
	return ""
}

// differences counts the elements of integers that differ.
func differences(got, want *tensor.Tensor) string {
	g, ok := accuracy.Floats(got)
	w, _ := accuracy.Floats(want)
	if !ok {
		return "the bytes differ"
	}
	n, first := 0, -1
	for i := range w {
		if g[i] != w[i] {
			if n++; first < 0 {
				first = i
			}
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d values differ, first at %v: %v, want %v", n, len(w), place(first, want.Shape()), g[first], w[first])
}

func compareFloats(got, want *tensor.Tensor, l Limits, m *Measures) string {
	s, err := accuracy.Compare(got, want)
	if err != nil {
		return err.Error()
	}
	m.Floats = true
	m.MaxAbs, m.MaxRel = max(m.MaxAbs, s.MaxAbs), max(m.MaxRel, s.MaxRel)
	m.Cosine, m.SQNR = min(m.Cosine, s.Cosine), min(m.SQNR, s.SQNR)
	if l.Exact {
		return differences(got, want)
	}
	ok, worst, n := accuracy.Close(got, want, l.RTol, l.ATol)
	if ok || l.MinCosine > 0 && s.Mismatch == 0 && s.Cosine >= l.MinCosine {
		return ""
	}
	g, _ := accuracy.Floats(got)
	w, _ := accuracy.Floats(want)
	text := fmt.Sprintf("%d of %d values differ, worst at %v: %.6g, want %.6g (rtol %g, atol %g", n, len(w), place(worst, want.Shape()), g[worst], w[worst], l.RTol, l.ATol)
	if l.MinCosine > 0 {
		text += fmt.Sprintf("; cosine %.5f, want %g", s.Cosine, l.MinCosine)
	}
	return text + ")"
}

// place is the index of flat element i.
func place(i int, shape []int) []int {
	at := make([]int, len(shape))
	for d := len(shape) - 1; d >= 0; d-- {
		at[d] = i % shape[d]
		i /= shape[d]
	}
	return at
}
