package main

import (
	"cmp"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/internal/accuracy"
)

// verdict is "ok (why)" or "outside (why)".
func (f *compareFlags) verdict(c outputCloseness, ref, got []qrun.Tensors, name string) string {
	if f.haveTolerance {
		for i := range ref {
			if ok, _, n := accuracy.Close(got[i][name], ref[i][name], f.rtol, f.atol); !ok {
				return fmt.Sprintf("outside (%d elements differ by more than atol %g, rtol %g)", n, f.atol, f.rtol)
			}
		}
		return fmt.Sprintf("ok (atol %g, rtol %g)", f.atol, f.rtol)
	}
	if c.cosineMin < f.minCosine {
		return fmt.Sprintf("outside (cosine >= %g)", f.minCosine)
	}
	if c.rows > 0 && f.minTop1 > 0 && float64(c.agree)/float64(c.rows) < f.minTop1 {
		return fmt.Sprintf("outside (top-1 >= %g)", f.minTop1)
	}
	return fmt.Sprintf("ok (cosine >= %g)", f.minCosine)
}

func (e *env) printCompare(doc compareDoc, verdicts []string, in *loaded) {
	title := fmt.Sprintf("%s, %s against %s", plural(doc.Samples, "sample"), doc.Candidate, filepath.Base(doc.Reference))
	width := len(title)
	for _, o := range doc.Outputs {
		width = max(width, len(o.Name))
	}
	fmt.Fprintf(e.stdout, "%-*s %10s %10s %9s %9s\n", width, title, "max |d|", "mean |d|", "cosine", "SQNR")
	for i, o := range doc.Outputs {
		sqnr := "inf"
		if o.SQNR != nil {
			sqnr = fmt.Sprintf("%.1f dB", *o.SQNR)
		}
		extra := ""
		if o.TopOne != nil {
			extra = fmt.Sprintf("   top-1 agrees %.2f %%", 100**o.TopOne)
		}
		fmt.Fprintf(e.stdout, "%-*s %10s %10s %9s %9s   %s%s\n", width, o.Name, optional(o.MaxAbs, "%.3g"), optional(o.MeanAbs, "%.3g"), optional(o.CosineMin, "%.5f"), sqnr, verdicts[i], extra)
	}
	if a := doc.Accuracy; a != nil {
		e.line("accuracy", "%s %.2f %%   %s %.2f %%", doc.Reference, 100*a.Reference, doc.Candidate, 100*a.Candidate)
	}
	if len(doc.Layers) > 0 {
		fmt.Fprintf(e.stdout, "%-48s %10s %11s %9s\n", "least accurate layers", "isolated", "cumulative", "outliers")
		for i, l := range doc.Layers {
			if i == 10 {
				fmt.Fprintf(e.stdout, "%d more; --json lists them\n", len(doc.Layers)-i)
				break
			}
			fmt.Fprintf(e.stdout, "%-48s %10s %11s %9.1f   int8 [%d %d]\n", l.Node, optional(l.Isolated, "%.1f dB"), optional(l.Cumulative, "%.1f dB"), l.Outliers, l.k, l.n)
		}
		l := doc.Layers[0]
		fmt.Fprintf(e.stdout, "To keep the first in float32: --exclude '%s'   (+%s)\n", l.Node, bytesText(l.bytes))
	}
	if len(in.generated) > 0 {
		fmt.Fprintf(e.stdout, "Made-up input (%s): this says little about accuracy. Give real data with --input.\n", strings.Join(in.generated, ", "))
	}
}

func optional(x *float64, format string) string {
	if x == nil {
		return "-"
	}
	return fmt.Sprintf(format, *x)
}

// layerErrors measures every quantized layer on the first sample: isolated on the input of the float32 run, cumulative
// with the errors of the layers before it, worst first.
func (e *env) layerErrors(path string, f *compareFlags, in *loaded, got *ran) ([]layerDoc, error) {
	if f.quantize != "dynamic" {
		return nil, usagef("--layers looks at --quantize dynamic, got %s", f.quantize)
	}
	quantized := map[string]bool{}
	for _, d := range got.session.Report().Nodes {
		quantized[d.Node] = d.Reason == ""
	}
	var list []layerDoc
	at := map[string]int{}
	_, err := qrun.TraceLayers(e.ctx, path, in.runs[0], qrun.Profile(f.profile), func(n string) bool { return quantized[n] }, func(l qrun.LayerTrace) error {
		s, err := accuracy.Compare(l.Result, l.Float)
		if err != nil {
			return err
		}
		k, n := l.W.Shape()[0], l.W.Shape()[1]
		at[l.Node] = len(list)
		list = append(list, layerDoc{Node: l.Node, Op: l.Op, Isolated: finite(s.SQNR), Outliers: l.OutlierRatio(), bytes: int64(3 * k * n), k: k, n: n})
		return nil
	})
	if err != nil {
		return nil, err
	}
	cumulative, err := qrun.LayerSQNR(e.ctx, path, in.runs[0], got.session)
	if err != nil {
		return nil, err
	}
	for node, db := range cumulative {
		if i, ok := at[node]; ok {
			list[i].Cumulative = finite(db)
		}
	}
	slices.SortStableFunc(list, func(a, b layerDoc) int { return cmp.Compare(orInf(a.Isolated), orInf(b.Isolated)) })
	return list, nil
}

func orInf(x *float64) float64 {
	if x == nil {
		return math.Inf(1)
	}
	return *x
}
