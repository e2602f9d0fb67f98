package main

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"
	"github.com/spf13/cobra"

	"github.com/qrun-onnx/qrun"
)

type benchFlags struct {
	modelFlags
	inputFlags
	observeFlags
	modes       []string
	threadList  []int
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
	fl.IntVarP(&f.runs, "runs", "n", 0, "runs per setting (default: until the median settles)")
	fl.DurationVar(&f.budget, "for", 5*time.Second, "longest time in all")
	fl.IntVar(&f.warmup, "warmup", 10, "runs before measuring")
	fl.IntVar(&f.concurrency, "concurrency", 1, "goroutines that run the session at the same time")
	fl.BoolVar(&f.json, "json", false, "print a JSON document")
	fl.BoolVar(&f.stdio, "stdio", false, "be the child of a side-by-side benchmark: commands on stdin, times on stdout")
	fl.StringVar(&f.folder, "inputs", "", "with --stdio: folder with input_*.pb")
	return c
}

// variant is one setting under measurement.
type variant struct {
	mode    string
	threads int
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
	threads := f.threadList
	if len(threads) == 0 {
		threads = []int{f.threads}
	}
	f.stdin = e.stdin
	var all []*variant
	var in *loaded
	for _, mode := range f.modes {
		for _, t := range threads {
			v, err := e.openVariant(path, f, mode, t)
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
		t.setting(fmt.Sprintf("%s %s, %s", filepath.Base(path), v.name, plural(v.threads, "thread")))
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

func (e *env) openVariant(path string, f *benchFlags, mode string, threads int) (*variant, error) {
	mf := f.modelFlags
	mf.threads = threads
	o, err := mf.options(strings.TrimSpace(mode))
	if err != nil {
		return nil, err
	}
	start := time.Now()
	s, err := open(path, o)
	if err != nil {
		return nil, err
	}
	v := &variant{mode: mode, threads: s.Threads()}
	v.name, v.session, v.load = modeName(mode, f.profile), s, time.Since(start)
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

type benchDoc struct {
	Schema  string        `json:"schema"`
	Model   string        `json:"model"`
	CPU     string        `json:"cpu"`
	Backend string        `json:"backend"`
	Results []benchResult `json:"results"`
}

type benchResult struct {
	Quantize     string  `json:"quantize"`
	Profile      string  `json:"profile,omitempty"`
	Threads      int     `json:"threads"`
	Concurrency  int     `json:"concurrency"`
	LoadMS       float64 `json:"load_ms"`
	FirstMS      float64 `json:"first_ms"`
	Runs         int     `json:"runs"`
	MinMS        float64 `json:"min_ms"`
	P10MS        float64 `json:"p10_ms"`
	MedianMS     float64 `json:"median_ms"`
	P90MS        float64 `json:"p90_ms"`
	P99MS        float64 `json:"p99_ms"`
	PerSecond    float64 `json:"per_second"`
	WeightsBytes int64   `json:"weights_bytes"`
	ArenaBytes   int64   `json:"arena_bytes"`
	PeakRSSBytes int64   `json:"peak_rss_bytes"`
	Allocations  float64 `json:"allocations"` // per run
	AllocBytes   float64 `json:"allocated_bytes"`

	Timings *profileDoc `json:"timings,omitempty"`
}

func benchDocument(path string, f *benchFlags, all []*variant) benchDoc {
	doc := benchDoc{Schema: "qrun.bench/1", Model: path, CPU: qrun.Environment().CPU, Backend: all[0].session.Backend()}
	for _, v := range all {
		r := benchResult{Quantize: v.mode, Threads: v.threads, Concurrency: f.concurrency, LoadMS: ms(v.load), FirstMS: ms(v.first),
			Runs: v.timing.runs, MinMS: ms(v.timing.min), P10MS: ms(v.timing.p10), MedianMS: ms(v.timing.median), P90MS: ms(v.timing.p90),
			P99MS: ms(v.timing.p99), PerSecond: v.perSecond(), WeightsBytes: v.session.WeightsBytes(), ArenaBytes: v.session.ArenaBytes(), PeakRSSBytes: peakRSS()}
		r.Allocations, r.AllocBytes = v.allocs.count, v.allocs.bytes
		if v.mode == "dynamic" {
			r.Profile = f.profile
		}
		if v.profile != nil {
			r.Timings = v.profile.doc(&f.observeFlags)
		}
		doc.Results = append(doc.Results, r)
	}
	return doc
}

func (v *variant) perSecond() float64 { return float64(v.timing.runs) / v.wall.Seconds() }

func (e *env) printBench(f *benchFlags, all []*variant, in *loaded) error {
	info := qrun.Environment()
	e.line("processor", "%s, kernels %s", info.CPU, all[0].session.Backend())
	for i, v := range all[0].session.Inputs() {
		e.line(first(i, "input"), "%s   %v   %s", v.Name, in.runs[0][v.Name], in.notes[i])
	}
	t := tablewriter.NewTable(e.stdout, tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithRendition(tw.Rendition{Borders: tw.BorderNone, Symbols: tw.NewSymbols(tw.StyleASCII)}))
	head := []string{""}
	rows := [][]string{{"median"}, {"p10"}, {"p90 / p99"}, {"throughput"}, {"load / first run"}, {"weights"}, {"working memory"}, {"allocated a run"}, {"runs"}}
	for i, v := range all {
		name := v.name
		if len(f.threadList) > 1 {
			name += fmt.Sprintf(", %s", plural(v.threads, "thread"))
		}
		head = append(head, name)
		median, size := millis(v.timing.median), bytesText(v.session.WeightsBytes())
		if i > 0 {
			median += "   " + speedText(all[0].timing.median, v.timing.median)
			size += sizeText("   ", all[0].session.WeightsBytes(), v.session.WeightsBytes())
		}
		for k, cell := range []string{median, millis(v.timing.p10), millis(v.timing.p90) + " / " + millis(v.timing.p99),
			rateText(v.perSecond()), millis(v.load) + " / " + millis(v.first), size, bytesText(v.session.ArenaBytes()),
			fmt.Sprintf("%s, %.0f times", bytesText(int64(v.allocs.bytes)), v.allocs.count), strconv.Itoa(v.timing.runs)} {
			rows[k] = append(rows[k], cell)
		}
	}
	t.Header(head)
	for _, r := range rows {
		if err := t.Append(r); err != nil {
			return err
		}
	}
	if err := t.Render(); err != nil {
		return err
	}
	e.line("measured", "taking turns after %s of warm-up, %s%s", plural(f.warmup, "run"), plural(all[0].session.Threads(), "thread"), concurrent(f.concurrency))
	for _, v := range all {
		if v.profile == nil {
			continue
		}
		fmt.Fprintln(e.stdout)
		e.line("profile", "%s, %s, means of %s under observation", v.name, plural(v.threads, "thread"), plural(len(v.profile.runs), "run"))
		if err := e.printProfile(v.profile, &f.observeFlags); err != nil {
			return err
		}
	}
	return nil
}

func concurrent(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(", %d at the same time", n)
}
