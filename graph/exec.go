package graph

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/qrun-onnx/qrun/internal/par"
	"github.com/qrun-onnx/qrun/tensor"
)

// Executable is a graph ready to run. It is immutable, and its methods may be called from any number of goroutines.
// Between runs it holds memory and no goroutine.
type Executable struct {
	graph     *Graph
	prog      *program
	limit     *par.Limit
	plans     *planCache
	heapPlans *planCache
	weights   int64
	arenas    atomic.Int64 // bytes of the largest run state so far

	mu   sync.Mutex
	free []*runState
}

// ExecOptions says how an Executable works. The zero value is the default.
type ExecOptions struct {
	// Threads is the number of goroutines that all runs together use, 0 for GOMAXPROCS. A run always has the one that
	// called it; more concurrent runs than Threads have that one alone.
	Threads int
}

// RunOptions are for those who look at a run.
type RunOptions struct {
	// OnNode is called after every operator that ran, in the order of execution. Views and what was known before the
	// run are not among them.
	OnNode func(NodeStat)
	// OnPart is called for every part of an operator's loop that several goroutines share, from the one that did it, before
	// OnNode is called for the operator. Worker 0 is the run's own goroutine.
	OnPart func(worker int, start time.Time, d time.Duration)
	// Watch is called after every node with its inputs and outputs, nil where they are absent, taken over by a packed
	// operator or read by nobody. They must not be changed, and stay valid after the run: with Watch every value has
	// memory of its own.
	Watch func(n *Node, in, out []*tensor.Tensor)
}

// NewExecutable makes a graph ready to run; the graph belongs to it from then on. Operators pack their constants, and
// the originals that are needed no more are released. The error is a *NodeError where one node is to blame.
func NewExecutable(g *Graph, o ExecOptions) (*Executable, error) {
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	prog, err := newProgram(g, nil)
	if err != nil {
		return nil, err
	}
	if err := prepack(prog, o.Threads); err != nil {
		return nil, err
	}
	e := &Executable{graph: g, prog: prog, limit: par.NewLimit(o.Threads), plans: newPlanCache(maxPlans), heapPlans: newPlanCache(1)}
	e.weights = weightBytes(prog)
	return e, nil
}

// Graph is the graph that runs. It must not be changed.
func (e *Executable) Graph() *Graph { return e.graph }

// Threads is the number of goroutines that all runs together use.
func (e *Executable) Threads() int { return e.limit.Threads() }

// WeightBytes is the memory of the constants, packed or not.
func (e *Executable) WeightBytes() int64 { return e.weights }

// ArenaBytes is the memory for intermediate values and for operators' scratch of the largest run so far. Concurrent runs
// have one each.
func (e *Executable) ArenaBytes() int64 { return e.arenas.Load() }

// Run runs the graph on inputs by name and returns its outputs by name, which share memory with nothing else. opts may
// be nil. Errors are *InputError, *NodeError, or the context's.
func (e *Executable) Run(ctx context.Context, inputs map[string]*tensor.Tensor, opts *RunOptions) (map[string]*tensor.Tensor, error) {
	rs := e.acquire()
	if err := e.checkInputs(inputs, rs.in); err != nil {
		e.putBack(rs)
		return nil, err
	}
	outs, err := e.run(ctx, rs, opts)
	if err != nil {
		return nil, err
	}
	named := make(map[string]*tensor.Tensor, len(outs))
	for i, t := range outs {
		named[e.graph.Outputs[i].Name] = t
	}
	return named, nil
}

// run runs on rs, whose in is set, and puts it back.
func (e *Executable) run(ctx context.Context, rs *runState, opts *RunOptions) (outs []*tensor.Tensor, err error) {
	if err := ctx.Err(); err != nil {
		e.putBack(rs)
		return nil, err
	}
	cache := e.plans
	if opts != nil {
		rs.opts = *opts
		if opts.Watch != nil {
			cache = e.heapPlans
		}
	}
	rs.done = ctx.Done()
	begun := false
	defer func() {
		if begun {
			rs.pool.End()
		}
		if r := recover(); r != nil {
			// Of a hook, or a defect here; the state of rs is unknown, so it is not used again.
			outs, err = nil, fmt.Errorf("panic: %v\n%s", r, debug.Stack())
			return
		}
		e.putBack(rs)
	}()
	if err := rs.root.bind(cache, rs.in, nil); err != nil {
		return nil, err
	}
	// Those who hear of parts want to see some, and looking at nodes takes time of its own.
	choice, alone, measured := rs.root.now.plan.workers, false, false
	if rs.opts.OnPart == nil && e.limit.Threads() > 1 {
		alone, measured = choice.next()
		measured = measured && rs.opts.OnNode == nil && rs.opts.Watch == nil
	}
	start := time.Now()
	begun = true
	if alone {
		rs.pool.BeginAlone(ctx)
	} else {
		rs.pool.Watch(rs.opts.OnPart)
		rs.pool.Begin(ctx)
	}
	if outs, err = rs.root.runBound(ctx, rs.in); err == nil && measured {
		choice.ran(alone, time.Since(start))
	}
	return outs, err
}

func (e *Executable) acquire() *runState {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n := len(e.free); n > 0 {
		rs := e.free[n-1]
		e.free[n-1] = nil
		e.free = e.free[:n-1]
		return rs
	}
	return newRunState(e.prog, e.limit)
}

// putBack keeps as many run states as can run at a time.
func (e *Executable) putBack(rs *runState) {
	clear(rs.in)
	clear(rs.into)
	rs.direct = false
	rs.opts, rs.done = RunOptions{}, nil
	rs.root.forget()
	for n := rs.size(); ; {
		old := e.arenas.Load()
		if n <= old || e.arenas.CompareAndSwap(old, n) {
			break
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.free) < runtime.GOMAXPROCS(0) {
		e.free = append(e.free, rs)
	}
}
