package main

import (
	"context"
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/qrun-onnx/qrun"
	. "github.com/qrun-onnx/qrun/internal/modeltest"
)

func observed(t *testing.T, path string, in qrun.Tensors, runs int) *profile {
	t.Helper()
	s, err := qrun.Open(path, &qrun.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	e := &env{ctx: context.Background()}
	begin := time.Now()
	p, err := e.observe(s, in, runs)
	if err != nil {
		t.Fatal(err)
	}
	if spent := time.Since(begin); len(p.runs) != runs || p.wall() > spent {
		t.Errorf("%d runs of %v in %v", len(p.runs), p.wall(), spent)
	}
	return p
}

// TestProfileAddsUp: operators, or nodes, and what is between them are the time of the runs.
func TestProfileAddsUp(t *testing.T) {
	p := observed(t, filepath.Join(digits, "attention.onnx"), qrun.Tensors{"image": Tensor(make([]float32, 3*64), 3, 64)}, 7)
	for name, rows := range map[string][]*profileRow{"operators": p.ops, "nodes": p.nodes} {
		sum := p.between
		for _, r := range rows {
			sum += r.total
			perRun := time.Duration(0)
			for _, d := range r.perRun {
				perRun += d
			}
			if perRun != r.total || len(r.perRun) != 7 {
				t.Errorf("%s %s: %d runs of %v, in all %v", r.op, r.node, len(r.perRun), perRun, r.total)
			}
		}
		if sum != p.wall() || p.between < 0 {
			t.Errorf("%s: %v with what is between (%v), runs %v", name, sum, p.between, p.wall())
		}
	}
	at := slices.IndexFunc(p.ops, func(r *profileRow) bool { return r.op == "qrun:FusedMatMul" })
	if at < 0 {
		t.Fatal("no product")
	}
	if r := p.ops[at]; r.calls%7 != 0 || r.operations <= 0 || r.bytes <= 0 || !strings.HasPrefix(r.kernel, "f32/") {
		t.Errorf("the products: %+v", *r)
	}
	d := p.doc(&observeFlags{tables: "nodes"})
	total := d.BetweenMS
	for _, r := range d.Nodes {
		total += r.MS
	}
	if math.Abs(total-d.RunMS) > 1e-3*d.RunMS {
		t.Errorf("the document's nodes have %g ms, a run %g", total, d.RunMS)
	}
}

// TestProfileOfBodies: the time of a body's nodes is theirs, not that of the node with the body.
func TestProfileOfBodies(t *testing.T) {
	c := newProfiler()
	stat := func(name string, depth int, d time.Duration) qrun.NodeStat {
		n := qrun.NodeStat{Depth: depth, Duration: d}
		n.Node = fresh(n.Node)
		n.Node.Name, n.Node.Type = name, "Op"
		return n
	}
	for range 2 {
		for _, n := range []qrun.NodeStat{stat("a", 0, 5), stat("inner", 2, 3), stat("inner loop", 1, 10), stat("other", 1, 4), stat("loop", 0, 20), stat("b", 0, 1)} {
			c.node(n)
		}
		c.endRun(30)
	}
	p := c.profile()
	want := map[string]time.Duration{"a": 10, "inner": 6, "inner loop": 14, "other": 8, "loop": 12, "b": 2}
	for _, r := range p.nodes {
		if r.total != want[r.node] {
			t.Errorf("%s has %d, want %d", r.node, r.total, want[r.node])
		}
		delete(want, r.node)
	}
	if len(want) > 0 || p.between != 8 || len(p.ops) != 1 || p.ops[0].total != 52 {
		t.Errorf("missing %v, between %d, operators %+v", want, p.between, p.ops[0])
	}
}

// fresh makes a value of a type whose package is not this one's to import.
func fresh[T any](*T) *T { return new(T) }

// checkTrace is the script command "trace FILE PROCESS...": the file is a trace with these processes; every event of a
// process lies within its whole, operators within runs, parts within operators.
func checkTrace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: trace FILE PROCESS...")
	}
	var doc struct {
		Events []traceEvent `json:"traceEvents"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &doc))
	var names []string
	found := map[string]int{}
	for _, e := range doc.Events {
		found[e.Cat]++
		if e.Phase == "M" {
			if e.Name == "process_name" {
				names = append(names, e.Args["name"].(string))
			}
			continue
		}
		if e.Phase != "X" || e.Dur == nil || *e.Dur < 0 || e.TS < 0 {
			ts.Fatalf("bad event %+v", e)
		}
		around := map[string]string{"operator": "run", "part": "operator"}[e.Cat]
		if around != "" && !slices.ContainsFunc(doc.Events, func(o traceEvent) bool {
			const rounding = 0.01
			return o.PID == e.PID && o.Cat == around && o.Dur != nil && o.TS <= e.TS+rounding && e.TS+*e.Dur <= o.TS+*o.Dur+rounding
		}) {
			ts.Fatalf("no %s around %+v", around, e)
		}
		if e.Cat == "operator" && (e.Args["node"] == nil || e.Args["outputs"] == nil || e.Args["GB/s"] == nil) {
			ts.Fatalf("an operator says little: %+v", e)
		}
	}
	for _, want := range args[1:] {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, want) }) {
			ts.Fatalf("no process %q among %q", want, names)
		}
	}
	for _, cat := range []string{"load", "run", "operator"} {
		if found[cat] == 0 {
			ts.Fatalf("no event of category %s", cat)
		}
	}
}

func TestJoinProfile(t *testing.T) {
	t.Chdir(digits)
	for _, c := range [][2]string{
		{"bench m.onnx --profile", "bench m.onnx --profile"},
		{"bench --profile m.onnx", "bench --profile m.onnx"},
		{"bench --profile attention.onnx", "bench --profile attention.onnx"},
		{"--profile run m.onnx", "--profile run m.onnx"},
		{"m.onnx --profile onnx -n 3", "m.onnx --profile=onnx -n 3"},
		{"m.onnx --profile column", "m.onnx --profile=column"},
		{"m.onnx --profile --top 3", "m.onnx --profile --top 3"},
		{"m.onnx --profile nodes --profile row", "m.onnx --profile=nodes --profile=row"},
		{"m.onnx -- --profile row", "m.onnx -- --profile row"},
	} {
		if got := strings.Join(joinProfile(strings.Fields(c[0]), []string{"bench", "run"}), " "); got != c[1] {
			t.Errorf("%s: %s, want %s", c[0], got, c[1])
		}
	}
}
