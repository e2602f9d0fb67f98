package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/qrun-onnx/qrun"
)

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
	Backend      string  `json:"backend"`
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
		r := benchResult{Quantize: v.mode, Backend: v.backend, Threads: v.threads, Concurrency: f.concurrency, LoadMS: ms(v.load), FirstMS: ms(v.first),
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
	e.line("processor", "%s, kernels %s", info.CPU, distinct(all, func(v *variant) string { return v.backend }))
	for i, v := range all[0].session.Inputs() {
		e.line(first(i, "input"), "%s   %v   %s", v.Name, in.runs[0][v.Name], in.notes[i])
	}
	t := tablewriter.NewTable(e.stdout, tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithRendition(tw.Rendition{Borders: tw.BorderNone, Symbols: tw.NewSymbols(tw.StyleASCII)}))
	head := []string{""}
	rows := [][]string{{"median"}, {"p10"}, {"p90 / p99"}, {"throughput"}, {"load / first run"}, {"weights"}, {"working memory"}, {"allocated a run"}, {"runs"}}
	for i, v := range all {
		name := f.title(v)
		if len(f.threadList) > 1 {
			name = f.titleWithThreads(v)
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
	e.line("measured", "taking turns after %s of warm-up, %s%s", plural(f.warmup, "run"),
		distinct(all, func(v *variant) string { return plural(v.threads, "thread") }), concurrent(f.concurrency))
	for _, v := range all {
		if v.profile == nil {
			continue
		}
		fmt.Fprintln(e.stdout)
		e.line("profile", "%s, means of %s under observation", f.titleWithThreads(v), plural(len(v.profile.runs), "run"))
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

// title names a variant among those of other tiers.
func (f *benchFlags) title(v *variant) string {
	if len(f.backends) > 1 {
		return v.name + ", " + v.backend
	}
	return v.name
}

// titleWithThreads is title with the number of threads.
func (f *benchFlags) titleWithThreads(v *variant) string {
	return f.title(v) + ", " + plural(v.threads, "thread")
}

// distinct joins the values of all variants, each once, in order.
func distinct(all []*variant, of func(*variant) string) string {
	var texts []string
	for _, v := range all {
		if t := of(v); !slices.Contains(texts, t) {
			texts = append(texts, t)
		}
	}
	return strings.Join(texts, ", ")
}
