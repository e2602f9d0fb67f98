package main

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/qrun-onnx/qrun"
)

type benchFlags struct {
	modelFlags
	inputFlags
	observeFlags
	modes       []string
	threadList  []int
	backends    []string
	runs        int
	budget      time.Duration
	warmup      int
	concurrency int
	stdio       bool
	folder      string
	json        bool
}

func (e *env) benchCommand() *cobra.Command {
	f := &benchFlags{}
	c := &cobra.Command{
		Use:   "bench MODEL",
		Short: "Measure latency and throughput; several settings take turns in one process",
		Args:  oneModel,
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(c, f.modes...); err != nil {
				return err
			}
			if f.stdio {
				return e.benchStdio(args[0], f)
			}
			return e.bench(args[0], f)
		},
	}
	f.addMeasured(c, &f.observeFlags)
	f.inputFlags.add(c)
	fl := c.Flags()
	fl.StringSliceVar(&f.modes, "quantize", []string{"none"}, "a list of none, dynamic, fp16: they take turns")
	fl.IntSliceVar(&f.threadList, "thread-list", nil, "a list of thread counts: they take turns")
	fl.StringSliceVar(&f.backends, "backend-list", nil, "a list of tiers of kernels (qrun env lists them): they take turns")
	fl.IntVarP(&f.runs, "runs", "n", 0, "runs per setting (default: until the median settles)")
	fl.DurationVar(&f.budget, "for", 5*time.Second, "longest time in all")
	fl.IntVar(&f.warmup, "warmup", 10, "runs before measuring")
	fl.IntVar(&f.concurrency, "concurrency", 1, "goroutines that run the session at the same time")
	fl.BoolVar(&f.json, "json", false, "print a JSON document")
	fl.BoolVar(&f.stdio, "stdio", false, "be the child of a side-by-side benchmark: commands on stdin, times on stdout")
	fl.StringVar(&f.folder, "inputs", "", "with --stdio: folder with input_*.pb")
	return c
}

// setting is what one variant differs in from the others.
type setting struct {
	mode    string
	backend string // "" is the session's choice
	threads int
}

// settings are all combinations of the lists.
func (f *benchFlags) settings() []setting {
	threads, backends := f.threadList, f.backends
	if len(threads) == 0 {
		threads = []int{f.threads}
	}
	if len(backends) == 0 {
		backends = []string{""}
	}
	var all []setting
	for _, mode := range f.modes {
		for _, b := range backends {
			for _, t := range threads {
				all = append(all, setting{strings.TrimSpace(mode), strings.TrimSpace(b), t})
			}
		}
	}
	return all
}

// variant is one setting under measurement.
type variant struct {
	setting
	ran
	first   time.Duration
	samples []time.Duration
	wall    time.Duration
	profile *profile // if asked for
	allocs  allocations
}

// allocations are those of one run.
type allocations struct {
	count float64
	bytes float64
}

func (e *env) bench(path string, f *benchFlags) error {
	if f.concurrency < 1 || f.runs < 0 || f.warmup < 0 {
		return usagef("--concurrency wants 1 or more, --runs and --warmup 0 or more")
	}
	f.stdin = e.stdin
	var all []*variant
	var in *loaded
	for _, s := range f.settings() {
		v, err := e.openVariant(path, f, s)
		if err != nil {
			return err
		}
		if in == nil {
			if in, err = f.load(v.session.Inputs()); err != nil {
				return err
			}
		}
		start := time.Now()
		if _, err := v.session.Run(e.ctx, in.runs[0]); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		v.first = time.Since(start)
		all = append(all, v)
	}
	if err := f.measure(e.ctx, all, in.runs); err != nil {
		return err
	}
	if err := e.lookInto(path, f, all, in); err != nil {
		return err
	}
	if f.json {
		return e.printJSON(benchDocument(path, f, all))
	}
	return e.printBench(f, all, in)
}

// lookInto measures what needs an observer, or a quiet process: after the times, which it must not disturb.
func (e *env) lookInto(path string, f *benchFlags, all []*variant, in *loaded) (err error) {
	t := &tracer{}
	for _, v := range all {
		if v.allocs, err = e.countAllocations(v.session, in.runs[0]); err != nil {
			return err
		}
		if f.wanted() {
			if v.profile, err = e.observe(v.session, in.runs[0], f.runs); err != nil {
				return err
			}
		}
		if f.trace == "" {
			continue
		}
		t.setting(filepath.Base(path) + " " + f.titleWithThreads(v))
		t.load(v.session.LoadSteps())
		n := traceRuns
		if f.runs > 0 {
			n = min(n, f.runs)
		}
		if err := t.runs(e.ctx, v.session, in.runs[0], n); err != nil {
			return err
		}
	}
	if f.trace != "" {
		if err := t.write(f.trace); err != nil {
			return fmt.Errorf("--trace %s: %w", f.trace, err)
		}
	}
	return nil
}

// countAllocations is the mean over a few runs.
func (e *env) countAllocations(s *qrun.Session, in qrun.Tensors) (allocations, error) {
	const runs = 5
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		if _, err := s.Run(e.ctx, in); err != nil {
			return allocations{}, err
		}
	}
	runtime.ReadMemStats(&after)
	return allocations{float64(after.Mallocs-before.Mallocs) / runs, float64(after.TotalAlloc-before.TotalAlloc) / runs}, nil
}

func (e *env) openVariant(path string, f *benchFlags, st setting) (*variant, error) {
	mf := f.modelFlags
	mf.threads = st.threads
	o, err := mf.options(st.mode)
	if err != nil {
		return nil, err
	}
	o.Backend = st.backend
	start := time.Now()
	s, err := open(path, o)
	if err != nil {
		return nil, err
	}
	st.backend, st.threads = s.Backend(), s.Threads()
	v := &variant{setting: st}
	v.name, v.session, v.load = modeName(st.mode, f.profile), s, time.Since(start)
	return v, nil
}

// measure lets the variants take turns, in bursts of about 20 ms, until each has its runs, or all medians have settled,
// or the time is up.
func (f *benchFlags) measure(ctx context.Context, all []*variant, runs []qrun.Tensors) error {
	for range f.warmup {
		for _, v := range all {
			if _, err := v.session.Run(ctx, runs[0]); err != nil {
				return err
			}
		}
	}
	start := time.Now()
	for round := 0; ; round++ {
		for _, v := range all {
			burst := time.Now()
			for n := 0; n == 0 || time.Since(burst) < 20*time.Millisecond; n++ {
				if f.runs > 0 && len(v.samples) >= f.runs {
					break
				}
				if err := f.once(ctx, v, runs[(len(v.samples)+n)%len(runs)]); err != nil {
					return err
				}
			}
		}
		if f.runs > 0 {
			if !slices.ContainsFunc(all, func(v *variant) bool { return len(v.samples) < f.runs }) {
				break
			}
		} else if time.Since(start) > f.budget || round >= 20 && settled(all) {
			break
		}
	}
	for _, v := range all {
		v.timing = summarize(v.samples)
	}
	return nil
}

// once times one run, or as many at the same time as --concurrency says.
func (f *benchFlags) once(ctx context.Context, v *variant, in qrun.Tensors) error {
	start := time.Now()
	if f.concurrency == 1 {
		_, err := v.session.Run(ctx, in)
		d := time.Since(start)
		v.samples, v.wall = append(v.samples, d), v.wall+d
		return err
	}
	times := make([]time.Duration, f.concurrency)
	errs := make([]error, f.concurrency)
	var wg sync.WaitGroup
	for i := range f.concurrency {
		wg.Go(func() {
			t := time.Now()
			_, errs[i] = v.session.Run(ctx, in)
			times[i] = time.Since(t)
		})
	}
	wg.Wait()
	v.wall += time.Since(start)
	v.samples = append(v.samples, times...)
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// settled reports whether the medians of the two halves of every variant's samples are within half a percent.
func settled(all []*variant) bool {
	for _, v := range all {
		n := len(v.samples)
		if n < 40 {
			return false
		}
		a, b := summarize(v.samples[:n/2]).median, summarize(v.samples[n/2:]).median
		if d := float64(a-b) / float64(b); d > 0.005 || d < -0.005 {
			return false
		}
	}
	return true
}
