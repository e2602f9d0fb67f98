package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/qrun-onnx/qrun"
)

type runFlags struct {
	modelFlags
	inputFlags
	observeFlags
	output  string
	labels  string
	timings bool
	quiet   bool
	json    bool
}

func (e *env) runCommand() *cobra.Command {
	f := &runFlags{}
	c := &cobra.Command{
		Use:   "run MODEL",
		Short: "Run a model once on given or made-up input; with --quantize, beside its float32 form",
		Long: `Runs a model. With --quantize the float32 model runs too, on the same input, and the report says how close the
answers are and how much faster and smaller the quantized model is.`,
		Args: oneModel,
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(c, f.quantize); err != nil {
				return err
			}
			if f.timings && f.tables == "" {
				f.tables = "ops"
			}
			return e.run(args[0], f)
		},
	}
	c.Flags().StringVar(&f.quantize, "quantize", "none", "none, dynamic (int8) or fp16")
	f.addMeasured(c, &f.observeFlags)
	f.inputFlags.add(c)
	fl := c.Flags()
	fl.StringVarP(&f.output, "output", "o", "", "write the outputs: x.npz, x.npy, x.json, or a folder for output_0.pb ...")
	fl.StringVar(&f.labels, "labels", "", "right classes of the samples, an integer .npy: prints the share of right answers")
	fl.BoolVar(&f.timings, "timings", false, "the same as --profile=ops")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "print the outputs alone")
	fl.BoolVar(&f.json, "json", false, "print a JSON document")
	return c
}

// ran is one session with its answers.
type ran struct {
	name    string // float32, dynamic/row, ...
	session *qrun.Session
	load    time.Duration
	out     []qrun.Tensors // per sample
	right   int            // answers that agree with the labels
	timing  timing
}

func modeName(quantize, profile string) string {
	switch quantize {
	case "none":
		return "float32"
	case "dynamic":
		return "dynamic/" + profile
	}
	return quantize
}

func (e *env) run(path string, f *runFlags) error {
	if err := checkOutputName(f.output); err != nil {
		return err
	}
	labels, err := readLabels(f.labels)
	if err != nil {
		return err
	}
	modes := []string{f.quantize}
	if f.quantize != "none" {
		modes = []string{"none", f.quantize}
	}
	var all []*ran
	for _, m := range modes {
		o, err := f.options(m)
		if err != nil {
			return err
		}
		start := time.Now()
		s, err := open(path, o)
		if err != nil {
			return err
		}
		all = append(all, &ran{name: modeName(m, f.profile), session: s, load: time.Since(start)})
	}
	f.stdin = e.stdin
	in, err := f.load(all[0].session.Inputs())
	if err != nil {
		return err
	}
	for _, r := range all {
		for _, tensors := range in.runs {
			out, err := r.session.Run(e.ctx, tensors)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			r.out = append(r.out, out)
		}
	}
	if err := countAllRight(all, labels); err != nil {
		return err
	}
	last := all[len(all)-1]
	if f.output != "" {
		if err := writeOutputs(f.output, last.session.Outputs(), last.out); err != nil {
			return err
		}
	}
	if !f.quiet {
		if err := timeRuns(e.ctx, all, in.runs, 400*time.Millisecond); err != nil {
			return err
		}
	}
	if f.trace != "" {
		if err := e.traceRun(path, f, all, in); err != nil {
			return err
		}
	}
	var p *profile
	if f.wanted() && !f.quiet {
		if p, err = e.observe(last.session, in.runs[0], 0); err != nil {
			return err
		}
	}
	switch {
	case f.json:
		return e.printRunJSON(path, f, all, in, labels, p)
	case f.quiet:
		return e.printValues(last)
	}
	e.printRun(path, all, in, labels)
	if p != nil {
		return e.printProfile(p, &f.observeFlags)
	}
	return nil
}

func (e *env) traceRun(path string, f *runFlags, all []*ran, in *loaded) error {
	t := &tracer{}
	for _, r := range all {
		t.setting(fmt.Sprintf("%s %s, %s", filepath.Base(path), r.name, plural(r.session.Threads(), "thread")))
		t.load(r.session.LoadSteps())
		if err := t.runs(e.ctx, r.session, in.runs[0], traceRuns); err != nil {
			return err
		}
	}
	if err := t.write(f.trace); err != nil {
		return fmt.Errorf("--trace %s: %w", f.trace, err)
	}
	return nil
}
