package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/qrun-onnx/qrun"
)

// tracer writes what loads and runs did as events of the trace format of Chrome and Perfetto: a process per setting, a
// thread per goroutine. The time between loading and the runs that are shown is cut out.
type tracer struct {
	events []traceEvent
	pid    int
	cursor time.Duration // where the next load or run begins
	origin time.Time     // of the present run

	named map[int]bool // rows of the process that have a name

	nodes []tracedNode // of the present run
	mu    sync.Mutex
	parts []tracePart // of the node that runs
}

// tracedNode is an execution of a node, with the parts that its goroutines did.
type tracedNode struct {
	stat  qrun.NodeStat
	parts []tracePart
}

// traceEvent is an event of the format; times are in microseconds.
type traceEvent struct {
	Name  string         `json:"name"`
	Cat   string         `json:"cat,omitempty"`
	Phase string         `json:"ph"`
	TS    float64        `json:"ts"`
	Dur   *float64       `json:"dur,omitempty"`
	PID   int            `json:"pid"`
	TID   int            `json:"tid"`
	Args  map[string]any `json:"args,omitempty"`
}

type tracePart struct {
	worker int
	start  time.Time
	d      time.Duration
}

// traceGap is the distance of loads and runs in the trace.
const traceGap = 100 * time.Microsecond

func micros(d time.Duration) float64 { return float64(d) / 1e3 }

// setting begins a process of the trace.
func (t *tracer) setting(name string) {
	t.pid++
	t.cursor, t.named = 0, map[int]bool{}
	t.meta("process_name", 0, name)
	t.thread(0)
}

func (t *tracer) meta(kind string, tid int, name string) {
	t.events = append(t.events, traceEvent{Name: kind, Phase: "M", PID: t.pid, TID: tid, Args: map[string]any{"name": name}})
}

// thread names a row: 0 is the goroutine that called Run.
func (t *tracer) thread(tid int) {
	if t.named[tid] {
		return
	}
	t.named[tid] = true
	name := "run"
	if tid > 0 {
		name = fmt.Sprint("worker ", tid)
	}
	t.meta("thread_name", tid, name)
}

// event adds a complete event, which lies within those around it by its times.
func (t *tracer) event(cat, name string, tid int, start time.Time, d time.Duration, args map[string]any) {
	dur := micros(d)
	t.events = append(t.events, traceEvent{name, cat, "X", micros(t.cursor + start.Sub(t.origin)), &dur, t.pid, tid, args})
}

// load shows the steps of loading.
func (t *tracer) load(steps []qrun.LoadStep) {
	if len(steps) == 0 {
		return
	}
	t.origin = steps[0].Start
	end := t.origin
	for _, s := range steps {
		if e := s.Start.Add(s.Duration); e.After(end) {
			end = e
		}
	}
	whole := end.Sub(t.origin)
	t.event("load", "load", 0, t.origin, whole, nil)
	for _, s := range steps {
		t.event("load", s.Name, 0, s.Start, s.Duration, nil)
	}
	t.cursor += whole + traceGap
}

// traceRuns is the number of runs that a trace shows.
const traceRuns = 10

// runs shows some runs on one input.
func (t *tracer) runs(ctx context.Context, s *qrun.Session, in qrun.Tensors, n int) error {
	for i := range n {
		t.nodes = t.nodes[:0]
		start := time.Now()
		if _, err := s.RunWith(ctx, in, qrun.RunOptions{OnNode: t.node, OnPart: t.part}); err != nil {
			return err
		}
		wall := time.Since(start)
		t.origin = start
		t.event("run", "run", 0, start, wall, map[string]any{"run": i})
		for _, n := range t.nodes {
			t.show(n)
		}
		t.cursor += wall + traceGap
	}
	return nil
}

// part is called from the goroutines of a run.
func (t *tracer) part(worker int, start time.Time, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.parts = append(t.parts, tracePart{worker, start, d})
}

func (t *tracer) node(n qrun.NodeStat) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.nodes = append(t.nodes, tracedNode{n, t.parts})
	t.parts = nil
}

// show adds the events of an operator.
func (t *tracer) show(n tracedNode) {
	s := n.stat
	op := operatorName(s)
	args := map[string]any{"node": s.Node.Name, "inputs": strings.Join(specTexts(s.In), ", "), "outputs": strings.Join(specTexts(s.Out), ", "), "bytes": s.Bytes}
	if s.Kernel != "" {
		args["kernel"] = s.Kernel
	}
	d := float64(max(1, s.Duration))
	if s.FLOPs > 0 {
		args["operations"], args["GOP/s"] = s.FLOPs, float64(s.FLOPs)/d
	}
	args["GB/s"] = float64(s.Bytes) / d
	t.event("operator", op, 0, s.Start, s.Duration, args)
	for _, p := range n.parts {
		t.thread(p.worker)
		t.event("part", op, p.worker, p.start, p.d, map[string]any{"node": s.Node.Name})
	}
}

// write replaces the file by the trace.
func (t *tracer) write(path string) error {
	info := qrun.Environment()
	return atomically(path, func(w io.Writer) error {
		b := bufio.NewWriter(w)
		if err := json.NewEncoder(b).Encode(struct {
			Unit   string         `json:"displayTimeUnit"`
			Other  map[string]any `json:"otherData"`
			Events []traceEvent   `json:"traceEvents"`
		}{"ms", map[string]any{"cpu": info.CPU, "version": info.Version, "go": info.Go}, t.events}); err != nil {
			return err
		}
		return b.Flush()
	})
}
