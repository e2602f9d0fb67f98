package main

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/internal/accuracy"
	"github.com/qrun-onnx/qrun/tensor"
)

func (e *env) line(label, format string, a ...any) {
	fmt.Fprintf(e.stdout, "%-18s %s\n", label, fmt.Sprintf(format, a...))
}

func (e *env) printRun(path string, all []*ran, in *loaded, labels []int64) {
	last := all[len(all)-1]
	info := last.session.Model()
	e.line(filepath.Base(path), "opset %d · %s · %s parameters", info.Opsets[""], plural(info.Nodes, "node"), millions(info.Parameters))
	e.printDecisions(last.session.Report())
	for i, v := range last.session.Inputs() {
		e.line(first(i, "input"), "%s   %v   %s", v.Name, in.runs[0][v.Name], in.notes[i])
	}
	e.line("kernels", "%s on %s", strings.Join(last.session.Kernels(), ", "), plural(last.session.Threads(), "thread"))
	n := 0
	for _, v := range last.session.Outputs() {
		t := last.out[0][v.Name]
		e.line(first(n, "output"), "%s   %s", v.Name, describe(t))
		n++
	}
	if len(in.runs) > 1 {
		e.line("samples", "%d", len(in.runs))
	}
	if len(all) == 2 {
		e.printCloseness(all[0], all[1])
	}
	if labels != nil {
		e.printAccuracy(all, len(labels))
	}
	e.printSpeed(all)
	if len(in.generated) > 0 && len(all) == 2 {
		fmt.Fprintf(e.stdout, "Made-up input (%s): this says little about accuracy. Give real data with --input.\n", strings.Join(in.generated, ", "))
	}
}

func first(i int, label string) string {
	if i == 0 {
		return label
	}
	return ""
}

func (e *env) printDecisions(r *qrun.Report) {
	if r == nil || len(r.Nodes) == 0 {
		return
	}
	done, kept := r.Summary()
	for i, s := range done {
		e.line(first(i, "quantized"), "%s", s)
	}
	for i, s := range kept {
		e.line(first(i, "kept float32"), "%s", s)
	}
}

func (e *env) printCloseness(ref, got *ran) {
	for i, v := range got.session.Outputs() {
		c, err := closeness(ref.out, got.out, v.Name)
		if err != nil {
			e.line(first(i, "against float32"), "%s   %v", v.Name, err)
			continue
		}
		text := fmt.Sprintf("%s   cosine %.5f   max |d| %.3g   SQNR %s dB", v.Name, c.cosine, c.maxAbs, decibel(c.sqnr))
		if c.rows > 0 {
			text += fmt.Sprintf("   top-1 agrees %d/%d", c.agree, c.rows)
		}
		e.line(first(i, "against float32"), "%s", text)
	}
}

// printAccuracy prints the share of samples whose largest output is the label's.
func (e *env) printAccuracy(all []*ran, n int) {
	parts := make([]string, len(all))
	for i, r := range all {
		parts[i] = fmt.Sprintf("%s %.2f %% (%d of %d)", r.name, 100*float64(r.right)/float64(n), r.right, n)
	}
	e.line("accuracy", "%s", strings.Join(parts, "   "))
}

// countAllRight fills in how many answers are right, where there are labels.
func countAllRight(all []*ran, labels []int64) (err error) {
	for _, r := range all {
		if labels == nil {
			break
		}
		if r.right, err = countRight(r, labels); err != nil {
			return err
		}
	}
	return nil
}

// countRight compares the first output's largest element per row with the labels, over all samples in order.
func countRight(r *ran, labels []int64) (int, error) {
	name := r.session.Outputs()[0].Name
	var top []int
	for _, out := range r.out {
		top = append(top, accuracy.TopOne(out[name])...)
	}
	if len(top) != len(labels) {
		return 0, usagef("--labels has %d labels, output %q has %d rows", len(labels), name, len(top))
	}
	right := 0
	for i, t := range top {
		if int64(t) == labels[i] {
			right++
		}
	}
	return right, nil
}

// printSpeed shows the tenth percentile of the runs, which the load of other programs disturbs least.
func (e *env) printSpeed(all []*ran) {
	for i, r := range all {
		text := fmt.Sprintf("%-12s load %s   run %s   weights %s", r.name, millis(r.load), millis(r.timing.p10), bytesText(r.session.WeightsBytes()))
		if i > 0 {
			text += "   " + speedText(all[0].timing.p10, r.timing.p10) + sizeText(", ", all[0].session.WeightsBytes(), r.session.WeightsBytes())
		}
		e.line(first(i, "time and size"), "%s", text)
	}
}

// describe says what a tensor holds in one line: range, and the largest places where it looks like class scores.
func describe(t *tensor.Tensor) string {
	v, ok := accuracy.Floats(t)
	if !ok || t.Kind() != tensor.KindTensor {
		return t.String()
	}
	if len(v) == 0 {
		return t.String() + "   empty"
	}
	if len(v) == 1 {
		return fmt.Sprintf("%v   %v", t, number(v[0], t.DType()))
	}
	lo, hi, nan := math.Inf(1), math.Inf(-1), 0
	for _, x := range v {
		if math.IsNaN(x) {
			nan++
			continue
		}
		lo, hi = min(lo, x), max(hi, x)
	}
	text := fmt.Sprintf("%v   min %s   max %s", t, number(lo, t.DType()), number(hi, t.DType()))
	if nan > 0 {
		text += fmt.Sprintf("   %d NaN", nan)
	}
	rows := t.Rank() == 2 && t.DType().IsFloat()
	switch {
	case rows && t.Shape()[0] == 1 && t.Shape()[1] >= 2:
		text += "   top " + places(v)
	case rows && t.Shape()[1] >= 2 && t.Shape()[1] <= 10000:
		top := accuracy.TopOne(t)
		if len(top) > 10 {
			text += fmt.Sprintf("   top-1 by row %v ...", top[:10])
		} else {
			text += fmt.Sprintf("   top-1 by row %v", top)
		}
	}
	return text
}

func places(v []float64) string {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case v[a] > v[b]:
			return -1
		case v[a] < v[b]:
			return 1
		}
		return 0
	})
	n := min(5, len(order))
	return fmt.Sprintf("%d: %s", n, strings.Trim(fmt.Sprint(order[:n]), "[]"))
}

func number(x float64, d tensor.DType) string {
	if d.IsFloat() {
		return fmt.Sprintf("%.5g", x)
	}
	return fmt.Sprintf("%d", int64(x))
}
