package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/internal/onnxtest"
)

type compareFlags struct {
	modelFlags
	inputFlags
	expect              string
	labels              string
	layers              bool
	minCosine, minTop1  float64
	atol, rtol          float64
	json, haveTolerance bool
}

func (e *env) compareCommand() *cobra.Command {
	f := &compareFlags{}
	c := &cobra.Command{
		Use:   "compare MODEL",
		Short: "Compare the quantized model with the float32 one, or either with stored outputs",
		Long: `Runs the float32 model and the quantized one on the same inputs and says how close the outputs are. With --expect the
outputs are compared with those of a test data folder instead. The exit code is 3 when a limit is not met.`,
		Args: oneModel,
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(c, f.mode()); err != nil {
				return err
			}
			f.haveTolerance = c.Flags().Changed("atol") || c.Flags().Changed("rtol")
			return e.compare(args[0], f)
		},
	}
	c.Flags().StringVar(&f.quantize, "quantize", "", "none, dynamic (int8) or fp16 (default dynamic, with --expect none)")
	f.addSelection(c)
	f.inputFlags.add(c)
	fl := c.Flags()
	fl.StringVar(&f.expect, "expect", "", "folder with output_*.pb to compare with (and input_*.pb where --input is not given)")
	fl.StringVar(&f.labels, "labels", "", "right classes of the samples, an integer .npy")
	fl.BoolVar(&f.layers, "layers", false, "the error of every quantized layer, alone and accumulated")
	fl.Float64Var(&f.minCosine, "min-cosine", 0.99, "lowest cosine of an output over the samples")
	fl.Float64Var(&f.minTop1, "min-top1", 0, "lowest share of rows whose largest element stays in place")
	fl.Float64Var(&f.atol, "atol", 0, "absolute tolerance; with --atol or --rtol elements are compared in place of the cosine")
	fl.Float64Var(&f.rtol, "rtol", 0, "relative tolerance")
	fl.BoolVar(&f.json, "json", false, "print a JSON document")
	return c
}

type compareDoc struct {
	Schema    string         `json:"schema"`
	Model     string         `json:"model"`
	Reference string         `json:"reference"`
	Candidate string         `json:"candidate"`
	Samples   int            `json:"samples"`
	Outputs   []compareOut   `json:"outputs"`
	Accuracy  *accuracyDoc   `json:"accuracy,omitempty"`
	Layers    []layerDoc     `json:"layers,omitempty"`
	Weights   map[string]int `json:"weights_bytes"`
	OK        bool           `json:"ok"`
}

type accuracyDoc struct {
	Metric    string  `json:"metric"`
	Reference float64 `json:"reference"`
	Candidate float64 `json:"candidate"`
	Labels    string  `json:"labels"`
}

type layerDoc struct {
	Node       string   `json:"node"`
	Op         string   `json:"op"`
	Isolated   *float64 `json:"isolated_sqnr_db"`
	Cumulative *float64 `json:"cumulative_sqnr_db"`
	Outliers   float64  `json:"outlier_ratio"`
	bytes      int64
	k, n       int
}

// mode is --quantize or its default.
func (f *compareFlags) mode() string {
	switch {
	case f.quantize != "":
		return f.quantize
	case f.expect != "":
		return "none"
	}
	return "dynamic"
}

func (e *env) compare(path string, f *compareFlags) error {
	f.quantize = f.mode()
	if f.expect == "" && f.quantize == "none" {
		return usagef("nothing to compare: give --quantize dynamic or fp16, or --expect FOLDER")
	}
	if f.expect != "" && !exists(f.expect) {
		return fmt.Errorf("--expect %s: no such folder", f.expect)
	}
	if f.expect != "" && len(f.specs) == 0 {
		f.specs = []string{f.expect}
	}
	labels, err := readLabels(f.labels)
	if err != nil {
		return err
	}
	got, err := e.openMode(path, f.quantize, &f.modelFlags)
	if err != nil {
		return err
	}
	f.stdin = e.stdin
	in, err := f.load(got.session.Inputs())
	if err != nil {
		return err
	}
	ref := &ran{name: f.expect}
	if f.expect == "" {
		if ref, err = e.openMode(path, "none", &f.modelFlags); err != nil {
			return err
		}
	}
	for _, r := range []*ran{ref, got} {
		if err := e.runAll(path, r, in.runs); err != nil {
			return err
		}
	}
	if f.expect != "" {
		if ref.out, err = expected(f.expect, got.session.Outputs(), len(in.runs)); err != nil {
			return err
		}
	}
	return e.reportCompare(path, f, in, ref, got, labels)
}

func (e *env) openMode(path, mode string, f *modelFlags) (*ran, error) {
	o, err := f.options(mode)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	s, err := open(path, o)
	if err != nil {
		return nil, err
	}
	return &ran{name: modeName(mode, f.profile), session: s, load: time.Since(start)}, nil
}

func (e *env) runAll(path string, r *ran, runs []qrun.Tensors) error {
	if r.session == nil {
		return nil
	}
	for _, in := range runs {
		out, err := r.session.Run(e.ctx, in)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		r.out = append(r.out, out)
	}
	return nil
}

// expected reads the outputs of a test data folder, the reference for one sample.
func expected(dir string, outputs []qrun.Output, samples int) ([]qrun.Tensors, error) {
	if samples != 1 {
		return nil, usagef("--expect has the outputs of one sample, got %d", samples)
	}
	out, err := onnxtest.ReadOutputs(dir, outputs)
	if err != nil {
		return nil, fmt.Errorf("--expect: %w", err)
	}
	if len(out) == 0 {
		return nil, usagef("--expect %s: no output_*.pb in it", dir)
	}
	return []qrun.Tensors{out}, nil
}

func (e *env) reportCompare(path string, f *compareFlags, in *loaded, ref, got *ran, labels []int64) (err error) {
	doc := compareDoc{Schema: "qrun.compare/1", Model: path, Reference: ref.name, Candidate: got.name, Samples: len(in.runs), OK: true,
		Weights: map[string]int{"candidate": int(got.session.WeightsBytes())}}
	if ref.session != nil {
		doc.Weights["reference"] = int(ref.session.WeightsBytes())
	}
	var verdicts []string
	for _, o := range got.session.Outputs() {
		if ref.out[0][o.Name] == nil {
			continue
		}
		c, err := closeness(ref.out, got.out, o.Name)
		if err != nil {
			return fmt.Errorf("output %q: %w", o.Name, err)
		}
		doc.Outputs = append(doc.Outputs, c.doc(o.Name))
		v := f.verdict(c, ref.out, got.out, o.Name)
		verdicts = append(verdicts, v)
		doc.OK = doc.OK && v[:2] == "ok"
	}
	if labels != nil && ref.session != nil {
		if err := countAllRight([]*ran{ref, got}, labels); err != nil {
			return err
		}
		n := float64(len(labels))
		doc.Accuracy = &accuracyDoc{"top1", float64(ref.right) / n, float64(got.right) / n, f.labels}
	}
	if f.layers {
		if doc.Layers, err = e.layerErrors(path, f, in, got); err != nil {
			return err
		}
	}
	if f.json {
		if err := e.printJSON(doc); err != nil {
			return err
		}
	} else {
		e.printCompare(doc, verdicts, in)
	}
	if !doc.OK {
		return outsideError{fmt.Errorf("%s: outside the limits", filepath.Base(path))}
	}
	return nil
}
