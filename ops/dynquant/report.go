package dynquant

import (
	"cmp"
	"fmt"
	"slices"
)

// Decision says what became of one candidate node.
type Decision struct {
	Node        string
	Op          string
	Decision    string // int8, fp16 or float32
	Reason      string // why it was kept in float32; empty otherwise
	WeightShape []int  // nil where there is no constant weight
	BytesBefore int64  // of the weight
	BytesAfter  int64
}

// Report has a Decision for each node that could have been quantized, in the order of execution.
type Report struct {
	Mode  string // int8, profile row; fp16
	Nodes []Decision
}

// Summary groups the decisions into lines: what was done, and what was kept in float32 and why.
func (r *Report) Summary() (done, kept []string) {
	type group struct{ op, what string }
	count := map[group]int{}
	before, after := map[group]int64{}, map[group]int64{}
	var order []group
	for _, d := range r.Nodes {
		g := group{d.Op, d.Reason}
		if count[g] == 0 {
			order = append(order, g)
		}
		count[g]++
		before[g] += d.BytesBefore
		after[g] += d.BytesAfter
	}
	slices.SortStableFunc(order, func(a, b group) int { return cmp.Compare(count[b], count[a]) })
	for _, g := range order {
		if g.what != "" {
			kept = append(kept, fmt.Sprintf("%d %s: %s", count[g], g.op, g.what))
			continue
		}
		done = append(done, fmt.Sprintf("%d %s to %s   %s -> %s", count[g], g.op, r.Mode, size(before[g]), size(after[g])))
	}
	return done, kept
}

func size(n int64) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
}
