package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/tensor"
)

// profile is where the time of some runs on one input went. Times of a row are sums over its calls in a run; those of
// nodes with bodies do not have the time of the bodies, whose nodes have rows of their own. All rows and the time
// between operators add up to the time of the runs.
type profile struct {
	runs    []time.Duration
	between time.Duration // over all runs
	ops     []*profileRow // by operator type and kernel, the longest first
	nodes   []*profileRow // by node, the longest first
}

// profileRow is one operator type or node.
type profileRow struct {
	op, node, kernel string
	in, out          []string // of a node: its tensors as it had them first
	calls            int      // over all runs, like the sums that follow
	total            time.Duration
	operations       int64
	bytes            int64
	perRun           []time.Duration
}

// profiler collects a profile from what runs report.
type profiler struct {
	p          profile
	ops, nodes map[string]*profileRow
	children   []time.Duration // by depth: of the nodes there since the last one above
	top        time.Duration   // of the nodes of the model's graph in this run
}

func newProfiler() *profiler {
	return &profiler{ops: map[string]*profileRow{}, nodes: map[string]*profileRow{}}
}

// operatorName has the domain where it is not ONNX's own.
func operatorName(n qrun.NodeStat) string {
	if n.Node.Domain == "" {
		return n.Node.Type
	}
	return n.Node.Domain + ":" + n.Node.Type
}

// node takes one execution of a node. Those of a body come before the node that has the body.
func (c *profiler) node(n qrun.NodeStat) {
	for len(c.children) <= n.Depth+1 {
		c.children = append(c.children, 0)
	}
	own := n.Duration - c.children[n.Depth+1]
	c.children[n.Depth+1] = 0
	c.children[n.Depth] += n.Duration
	if n.Depth == 0 {
		c.top += n.Duration
	}
	op := operatorName(n)
	c.add(c.ops, op+"\x00"+n.Kernel, profileRow{op: op, kernel: n.Kernel}, own, n)
	key := fmt.Sprint(n.Depth, "\x00", n.Node.Name, "\x00", op)
	if c.nodes[key] == nil {
		c.add(c.nodes, key, profileRow{op: op, node: n.Node.Name, kernel: n.Kernel, in: specTexts(n.In), out: specTexts(n.Out)}, own, n)
		return
	}
	c.add(c.nodes, key, profileRow{}, own, n)
}

func (c *profiler) add(rows map[string]*profileRow, key string, like profileRow, own time.Duration, n qrun.NodeStat) {
	r := rows[key]
	if r == nil {
		r = &like
		rows[key] = r
	}
	for len(r.perRun) <= len(c.p.runs) {
		r.perRun = append(r.perRun, 0)
	}
	r.perRun[len(c.p.runs)] += own
	r.calls++
	r.total += own
	r.operations += n.FLOPs
	r.bytes += n.Bytes
}

// endRun closes a run that took wall.
func (c *profiler) endRun(wall time.Duration) {
	c.p.between += wall - c.top
	c.p.runs = append(c.p.runs, wall)
	c.top = 0
	clear(c.children)
}

func (c *profiler) profile() *profile {
	c.p.ops, c.p.nodes = longestFirst(c.ops), longestFirst(c.nodes)
	for _, r := range slices.Concat(c.p.ops, c.p.nodes) {
		for len(r.perRun) < len(c.p.runs) { // not in every run
			r.perRun = append(r.perRun, 0)
		}
	}
	return &c.p
}

func longestFirst(rows map[string]*profileRow) []*profileRow {
	list := make([]*profileRow, 0, len(rows))
	for _, r := range rows {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *profileRow) int {
		return cmp.Or(cmp.Compare(b.total, a.total), cmp.Compare(a.op, b.op), cmp.Compare(a.node, b.node))
	})
	return list
}

// specTexts are the tensors that are there.
func specTexts(specs []tensor.Spec) (texts []string) {
	for _, s := range specs {
		if s.DType != tensor.Undefined || s.Kind != tensor.KindTensor {
			texts = append(texts, s.String())
		}
	}
	return texts
}

// wall is the time of all runs.
func (p *profile) wall() (total time.Duration) {
	for _, d := range p.runs {
		total += d
	}
	return total
}

// rate is n, a sum over the runs, per nanosecond, so in thousands of millions a second; 0 where there is nothing to count.
// It takes the median run, since a mean would count what other programs took.
func (r *profileRow) rate(n int64) float64 {
	d := summarize(r.perRun).median
	if d == 0 { // not in every run
		return float64(n) / float64(max(1, r.total))
	}
	return float64(n) / float64(len(r.perRun)) / float64(d)
}

// Runs that a profile is taken from, unless their number is given.
const (
	profileRuns = 10 // at least
	profileMost = 200
	profileFor  = 300 * time.Millisecond
)

// observe profiles runs on one input: so many, or 0 for until there is enough to go by.
func (e *env) observe(s *qrun.Session, in qrun.Tensors, runs int) (*profile, error) {
	for range 2 {
		if _, err := s.Run(e.ctx, in); err != nil {
			return nil, err
		}
	}
	c := newProfiler()
	begin := time.Now()
	for i := 0; ; i++ {
		if runs > 0 && i == runs || runs == 0 && i >= profileRuns && (i == profileMost || time.Since(begin) > profileFor) {
			return c.profile(), nil
		}
		start := time.Now()
		if _, err := s.RunWith(e.ctx, in, qrun.RunOptions{OnNode: c.node}); err != nil {
			return nil, err
		}
		c.endRun(time.Since(start))
	}
}

// shapesText has the matrices among a node's inputs, or all where there is none, and its first output.
func (r *profileRow) shapesText() string {
	in := slices.DeleteFunc(slices.Clone(r.in), func(s string) bool { return !strings.Contains(s, " ") })
	if len(in) == 0 {
		in = r.in
	}
	return strings.Join(append(slices.Clone(in), "->"), " ") + " " + strings.Join(r.out[:min(1, len(r.out))], "")
}
