package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/qrun-onnx/qrun"
)

// operatorTime is one row of the table of --timings.
type operatorTime struct {
	op, kernel string
	calls      int
	total      time.Duration
	flops      int64
}

// printTimings profiles a few runs on one input and prints the time per operator, the mean over the runs.
func (e *env) printTimings(r *ran, in qrun.Tensors) error {
	const runs = 10
	rows := map[string]*operatorTime{}
	var busy time.Duration
	start := time.Now()
	for range runs {
		_, err := r.session.RunWith(e.ctx, in, qrun.RunOptions{OnNode: func(n qrun.NodeStat) {
			name := n.Node.Type
			if n.Node.Domain != "" {
				name = n.Node.Domain + ":" + name
			}
			t := rows[name+n.Kernel]
			if t == nil {
				t = &operatorTime{op: name, kernel: n.Kernel}
				rows[name+n.Kernel] = t
			}
			t.calls++
			t.total += n.Duration
			t.flops += n.FLOPs
			if n.Depth == 0 {
				busy += n.Duration
			}
		}})
		if err != nil {
			return err
		}
	}
	wall := time.Since(start)
	list := make([]*operatorTime, 0, len(rows))
	for _, t := range rows {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b *operatorTime) int { return cmp.Or(cmp.Compare(b.total, a.total), cmp.Compare(a.op, b.op)) })
	t := tablewriter.NewTable(e.stdout, tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithRendition(tw.Rendition{Borders: tw.BorderNone, Symbols: tw.NewSymbols(tw.StyleASCII)}))
	t.Header("operator", "calls", "time", "%", "GOP/s", "kernel")
	for _, o := range list {
		rate := "-"
		if o.flops > 0 {
			rate = fmt.Sprintf("%.0f", float64(o.flops)/o.total.Seconds()/1e9)
		}
		if err := t.Append(o.op, fmt.Sprint(o.calls/runs), millis(o.total/runs), percent(o.total, wall), rate, o.kernel); err != nil {
			return err
		}
	}
	if err := t.Append("[between operators]", "", millis((wall-busy)/runs), percent(wall-busy, wall), "", ""); err != nil {
		return err
	}
	return t.Render()
}

func percent(part, whole time.Duration) string {
	return fmt.Sprintf("%.1f", 100*float64(part)/float64(max(1, whole)))
}
