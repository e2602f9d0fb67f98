package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"
	"github.com/spf13/cobra"
)

// observeFlags ask for a look into the runs of a setting.
type observeFlags struct {
	tables string // of --profile: "", ops or nodes
	top    int
	trace  string
}

func (f *observeFlags) add(c *cobra.Command, m *modelFlags) {
	fl := c.Flags()
	p := fl.VarPF(&profileValue{m, f}, "profile", "", "alone, or ops: a table of the time per operator; nodes: per node too; row or onnx: arithmetic of --quantize dynamic, a scale per activation row or per tensor")
	p.NoOptDefVal, p.DefValue = "ops", "row"
	fl.IntVar(&f.top, "top", 20, "nodes that --profile=nodes lists, 0 for all")
	fl.StringVar(&f.trace, "trace", "", "write what loading and runs did to a file that ui.perfetto.dev and chrome://tracing show")
}

// wanted reports whether there is a table to print.
func (f *observeFlags) wanted() bool { return f.tables != "" }

// profileValue is the flag --profile of commands that measure: it names the arithmetic, or asks for a table of times.
type profileValue struct {
	model   *modelFlags
	observe *observeFlags
}

func (v *profileValue) Type() string { return "string" }

// String is called on the zero value too.
func (v *profileValue) String() string {
	if v.model == nil {
		return ""
	}
	return v.model.profile
}

// Set keeps a word that it does not know as the arithmetic, whose check refuses it.
func (v *profileValue) Set(s string) error {
	if s == "ops" || s == "nodes" {
		v.observe.tables = s
		return nil
	}
	v.model.profile, v.model.arithmetic = s, true
	return nil
}

// joinProfile puts the value of --profile into its argument. The flag may stand alone, so that an argument which follows
// it is taken for its value only where it is no model and no flag.
func joinProfile(args, commands []string) []string {
	var joined []string
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			return append(joined, args[i:]...)
		}
		if a == "--profile" && i+1 < len(args) {
			next := args[i+1]
			known := slices.Contains([]string{"row", "onnx", "ops", "nodes"}, next)
			if known || !strings.HasPrefix(next, "-") && !strings.ContainsAny(next, `/\.`) && !slices.Contains(commands, next) && !exists(next) {
				a += "=" + next
				i++
			}
		}
		joined = append(joined, a)
	}
	return joined
}

func plainTable(e *env) *tablewriter.Table {
	return tablewriter.NewTable(e.stdout, tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithRendition(tw.Rendition{Borders: tw.BorderNone, Symbols: tw.NewSymbols(tw.StyleASCII)}))
}

// printProfile prints the time per operator, and per node if asked for: means over the runs.
func (e *env) printProfile(p *profile, f *observeFlags) error {
	n := time.Duration(len(p.runs))
	t := plainTable(e)
	t.Header("operator", "calls", "time", "min", "median", "%", "GOP/s", "GB/s", "kernel")
	for _, r := range p.ops {
		s := summarize(r.perRun)
		if err := t.Append(r.op, callsText(r.calls, len(p.runs)), millis(r.total/n), millis(s.min), millis(s.median), percent(r.total, p.wall()),
			rateCell(r.rate(r.operations)), rateCell(r.rate(r.bytes)), r.kernel); err != nil {
			return err
		}
	}
	whole := summarize(p.runs)
	for _, row := range [][]string{
		{"[between operators]", "", millis(p.between / n), "", "", percent(p.between, p.wall()), "", "", ""},
		{"[run]", "", millis(p.wall() / n), millis(whole.min), millis(whole.median), "100", "", "", ""},
	} {
		if err := t.Append(row); err != nil {
			return err
		}
	}
	if err := t.Render(); err != nil || f.tables != "nodes" {
		return err
	}
	t = plainTable(e)
	t.Header("node", "operator", "time", "%", "GOP/s", "GB/s", "shapes")
	list := p.nodes
	if f.top > 0 && len(list) > f.top {
		list = list[:f.top]
	}
	for _, r := range list {
		if err := t.Append(r.node, r.op, millis(r.total/n), percent(r.total, p.wall()), rateCell(r.rate(r.operations)), rateCell(r.rate(r.bytes)), r.shapesText()); err != nil {
			return err
		}
	}
	if err := t.Render(); err != nil {
		return err
	}
	if len(list) < len(p.nodes) {
		e.line("nodes", "the longest %d of %d; --top 0 lists all", len(list), len(p.nodes))
	}
	return nil
}

func callsText(calls, runs int) string {
	if calls%runs == 0 {
		return fmt.Sprint(calls / runs)
	}
	return fmt.Sprintf("%.1f", float64(calls)/float64(runs))
}

func rateCell(x float64) string {
	switch {
	case x == 0:
		return "-"
	case x < 10:
		return fmt.Sprintf("%.2g", x)
	}
	return fmt.Sprintf("%.0f", x)
}

func percent(part, whole time.Duration) string {
	return fmt.Sprintf("%.1f", 100*float64(part)/float64(max(1, whole)))
}

// profileDoc is a profile in the documents of bench and run.
type profileDoc struct {
	Runs      int              `json:"runs"`
	RunMS     float64          `json:"run_ms"`
	BetweenMS float64          `json:"between_ms"`
	Operators []profileRowDoc  `json:"operators"`
	Nodes     []profileNodeDoc `json:"nodes,omitempty"`
}

type profileRowDoc struct {
	Operator   string  `json:"operator"`
	Kernel     string  `json:"kernel,omitempty"`
	Calls      float64 `json:"calls"` // per run, as all that follows
	MS         float64 `json:"ms"`
	MinMS      float64 `json:"min_ms"`
	MedianMS   float64 `json:"median_ms"`
	Share      float64 `json:"share"`
	Operations int64   `json:"operations"`
	Bytes      int64   `json:"bytes"`
	GOPs       float64 `json:"gop_per_s"`
	GBs        float64 `json:"gb_per_s"`
}

type profileNodeDoc struct {
	Node string `json:"node"`
	profileRowDoc
	Inputs  []string `json:"inputs"`
	Outputs []string `json:"outputs"`
}

func (p *profile) doc(f *observeFlags) *profileDoc {
	n := int64(len(p.runs))
	d := &profileDoc{Runs: len(p.runs), RunMS: ms(p.wall()) / float64(n), BetweenMS: ms(p.between) / float64(n)}
	row := func(r *profileRow) profileRowDoc {
		s := summarize(r.perRun)
		return profileRowDoc{r.op, r.kernel, float64(r.calls) / float64(n), ms(r.total) / float64(n), ms(s.min), ms(s.median),
			float64(r.total) / float64(max(1, p.wall())), r.operations / n, r.bytes / n, r.rate(r.operations), r.rate(r.bytes)}
	}
	for _, r := range p.ops {
		d.Operators = append(d.Operators, row(r))
	}
	if f.tables == "nodes" {
		for _, r := range p.nodes {
			d.Nodes = append(d.Nodes, profileNodeDoc{r.node, row(r), r.in, r.out})
		}
	}
	return d
}
