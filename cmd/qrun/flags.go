package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/qrun-onnx/qrun"
)

// modelFlags are the flags of every command that loads a model.
type modelFlags struct {
	quantize    string
	profile     string
	arithmetic  bool // profile was given as a flag that may also ask for something else
	ops         string
	only        []string
	exclude     []string
	minElements int
	threads     int
	noPass      []string
	cache       string
}

func (f *modelFlags) add(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.quantize, "quantize", "none", "none, dynamic (int8) or fp16")
	f.addSelection(c)
}

// addMeasured is add for a command whose --profile can ask for times too.
func (f *modelFlags) addMeasured(c *cobra.Command, o *observeFlags) {
	f.profile = "row"
	o.add(c, f)
	f.addChoice(c)
}

// addSelection adds all but --quantize.
func (f *modelFlags) addSelection(c *cobra.Command) {
	c.Flags().StringVar(&f.profile, "profile", "row", "arithmetic of --quantize dynamic: row (a scale per activation row) or onnx (per tensor)")
	f.addChoice(c)
}

func (f *modelFlags) addChoice(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.ops, "ops", "", "operator types to quantize: MatMul,Gemm,Gather (the default), and Conv")
	fl.StringArrayVar(&f.only, "only", nil, "quantize only nodes of this name; * and ** match any text, repeatable")
	fl.StringArrayVar(&f.exclude, "exclude", nil, "keep nodes of this name in float; * and ** match any text, repeatable")
	fl.IntVar(&f.minElements, "min-elements", 0, "smallest weight to quantize, in elements")
	fl.IntVar(&f.threads, "threads", 0, "goroutines to compute on (default GOMAXPROCS)")
	fl.StringVar(&f.cache, "cache", "", "directory that keeps packed weights for the next load of the same model")
	fl.StringArrayVar(&f.noPass, "no-pass", nil, "switch off a rewriting pass, repeatable (qrun env --passes lists them)")
}

// quantizing are the flags that only quantization reads.
var quantizing = []string{"profile", "ops", "only", "exclude", "min-elements"}

// check refuses flags that have no meaning since none of the modes quantizes.
func (f *modelFlags) check(c *cobra.Command, modes ...string) error {
	for _, m := range modes {
		if strings.TrimSpace(m) != "none" {
			return nil
		}
	}
	for _, name := range quantizing {
		flag := c.Flags().Lookup(name)
		if _, both := flag.Value.(*profileValue); flag.Changed && (!both || f.arithmetic) {
			return usagef("--%s says how to quantize: give --quantize dynamic or fp16 too", name)
		}
	}
	return nil
}

// options are those for one value of --quantize. What only quantization reads is dropped for none, so that a list of
// modes can share the flags.
func (f *modelFlags) options(quantize string) (*qrun.Options, error) {
	switch quantize {
	case "none", "dynamic", "fp16":
	default:
		return nil, usagef("--quantize %q, want none, dynamic or fp16", quantize)
	}
	switch f.profile {
	case "row", "onnx":
	default:
		if f.arithmetic {
			return nil, usagef("--profile %q, want row, onnx, ops or nodes", f.profile)
		}
		return nil, usagef("--profile %q, want row or onnx", f.profile)
	}
	if f.minElements < 0 {
		return nil, usagef("--min-elements %d, want 0 or more", f.minElements)
	}
	if f.threads < 0 {
		return nil, usagef("--threads %d, want 1 or more", f.threads)
	}
	o := &qrun.Options{Quantize: qrun.Quantize(quantize), Threads: f.threads, DisablePasses: f.noPass, CacheDir: f.cache}
	if quantize == "none" {
		return o, nil
	}
	o.Only, o.Exclude, o.MinElements = f.only, f.exclude, f.minElements
	if quantize == "dynamic" {
		o.Profile = qrun.Profile(f.profile)
	}
	if f.ops != "" {
		for _, op := range strings.Split(f.ops, ",") {
			o.Ops = append(o.Ops, strings.TrimSpace(op))
		}
	}
	return o, nil
}

// addInput adds the flags that say on what a model runs.
func (f *inputFlags) add(c *cobra.Command) {
	fl := c.Flags()
	fl.StringArrayVarP(&f.specs, "input", "i", nil, "[NAME=]VALUE: x.npy, all.npz, test_data_set_0/, x.pb, x.json, picture, 101,102, zeros, ones, random:-1:1, - (npz on stdin); repeatable")
	fl.StringToIntVar(&f.dims, "dim", nil, "size of a symbolic dimension, NAME=N; repeatable")
	fl.Uint64Var(&f.seed, "seed", 1, "seed of made-up inputs")
	fl.StringVar(&f.image, "image", "imagenet", "pixels of pictures: imagenet, unit (0 to 1) or raw (0 to 255)")
}
