package main

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qrun-onnx/qrun"
)

type inspectDoc struct {
	Schema       string           `json:"schema"`
	IRVersion    int64            `json:"ir_version"`
	Opsets       map[string]int   `json:"opsets"`
	Producer     string           `json:"producer"`
	Inputs       []valueDoc       `json:"inputs"`
	Outputs      []valueDoc       `json:"outputs"`
	Parameters   int64            `json:"parameters"`
	WeightsBytes int64            `json:"weights_bytes"`
	Operators    map[string]int   `json:"operators"`
	Unsupported  []unsupportedDoc `json:"unsupported"`
	Quantization []decisionDoc    `json:"quantization"`
}

type unsupportedDoc struct {
	Operator string `json:"operator"`
	Nodes    int    `json:"nodes"`
	First    string `json:"first"`
}

type decisionDoc struct {
	Node        string `json:"node"`
	Op          string `json:"op"`
	Decision    string `json:"decision"`
	Reason      string `json:"reason,omitempty"`
	WeightShape []int  `json:"weight_shape,omitempty"`
	BytesBefore int64  `json:"bytes_before"`
	BytesAfter  int64  `json:"bytes_after"`
}

func (e *env) inspectCommand() *cobra.Command {
	f := &modelFlags{}
	var asJSON, verbose bool
	c := &cobra.Command{
		Use:   "inspect MODEL",
		Short: "Show inputs, outputs, operators and parameters, and what would be quantized and why not",
		Args:  oneModel,
		RunE:  func(_ *cobra.Command, args []string) error { return e.inspect(args[0], f, asJSON, verbose) },
	}
	c.Flags().StringVar(&f.quantize, "quantize", "dynamic", "the quantization to report on: dynamic (int8) or fp16")
	f.addSelection(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON document")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "list every node's decision")
	return c
}

func (e *env) inspect(path string, f *modelFlags, asJSON, verbose bool) error {
	info, err := qrun.Describe(path)
	if err != nil {
		return inFile(path, err)
	}
	o, err := f.options(f.quantize)
	if err != nil {
		return err
	}
	var report *qrun.Report
	s, err := qrun.Open(path, o)
	switch {
	case err == nil:
		report = s.Report()
		info.Outputs = s.Outputs()
	case errors.Is(err, qrun.ErrUnsupported) && len(info.Unsupported) > 0:
		// told as part of the description
	default:
		return inFile(path, err)
	}
	if asJSON {
		return e.printJSON(inspectDocument(info, report))
	}
	e.printInspection(path, info, report, verbose)
	return nil
}

func inspectDocument(info *qrun.Info, report *qrun.Report) inspectDoc {
	doc := inspectDoc{Schema: "qrun.inspect/1", IRVersion: info.IRVersion, Opsets: info.Opsets, Producer: info.Producer,
		Parameters: info.Parameters, WeightsBytes: info.WeightsBytes, Operators: info.Operators,
		Inputs: []valueDoc{}, Outputs: []valueDoc{}, Unsupported: []unsupportedDoc{}, Quantization: []decisionDoc{}}
	for _, v := range info.Inputs {
		doc.Inputs = append(doc.Inputs, valueDoc{v.Name, typeName(v.Spec), dimsJSON(v.Spec)})
	}
	for _, v := range info.Outputs {
		doc.Outputs = append(doc.Outputs, valueDoc{v.Name, typeName(v.Spec), dimsJSON(v.Spec)})
	}
	for _, u := range info.Unsupported {
		doc.Unsupported = append(doc.Unsupported, unsupportedDoc{u.Operator, u.Nodes, u.First})
	}
	if report != nil {
		for _, d := range report.Nodes {
			doc.Quantization = append(doc.Quantization, decisionDoc{d.Node, d.Op, d.Decision, d.Reason, d.WeightShape, d.BytesBefore, d.BytesAfter})
		}
	}
	return doc
}

func (e *env) printInspection(path string, info *qrun.Info, report *qrun.Report, verbose bool) {
	parts := []string{fmt.Sprintf("IR %d", info.IRVersion)}
	for _, domain := range sortedKeys(info.Opsets) {
		name := domain
		if name == "" {
			name = "ai.onnx"
		}
		parts = append(parts, fmt.Sprintf("opset %s %d", name, info.Opsets[domain]))
	}
	if info.Producer != "" {
		parts = append(parts, info.Producer)
	}
	parts = append(parts, millions(info.Parameters)+" parameters", bytesText(info.WeightsBytes))
	e.line(filepath.Base(path), "%s", strings.Join(parts, " · "))
	for i, v := range info.Inputs {
		e.line(first(i, "inputs"), "%-24s %v", v.Name, v.Spec)
	}
	for i, v := range info.Outputs {
		e.line(first(i, "outputs"), "%-24s %v", v.Name, v.Spec)
	}
	e.line("operators", "%s", operatorCounts(info))
	for i, u := range info.Unsupported {
		e.line(first(i, "not implemented"), "%s   %s, first %q", u.Operator, plural(u.Nodes, "node"), u.First)
	}
	if report == nil {
		return
	}
	e.printDecisions(report)
	if !verbose {
		return
	}
	for _, d := range report.Nodes {
		fmt.Fprintf(e.stdout, "  %-10s %-12s %-48s %v   %s -> %s   %s\n", d.Decision, d.Op, d.Node, d.WeightShape, bytesText(d.BytesBefore), bytesText(d.BytesAfter), d.Reason)
	}
}

func operatorCounts(info *qrun.Info) string {
	names := sortedKeys(info.Operators)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(info.Operators[b], info.Operators[a]) })
	var list []string
	for i, n := range names {
		if i == 12 && len(names) > 14 {
			list = append(list, fmt.Sprintf("%d more", len(names)-i))
			break
		}
		list = append(list, fmt.Sprintf("%s %d", n, info.Operators[n]))
	}
	text := strings.Join(list, " · ")
	if len(info.Unsupported) == 0 {
		text += "; all implemented"
	}
	return text
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
