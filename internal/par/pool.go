package par

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Pool runs the loops of one run at a time. Its methods are called by the goroutine that called Begin; For also by bodies
// of its loops, where it runs inline. Made once and used for many runs, so that a run allocates nothing for it.
type Pool struct {
	limit   *Limit
	done    <-chan struct{} // of the run's context
	ctx     context.Context
	taken   int // workers taken from limit, those that were not started because of GOMAXPROCS not counted
	inLoop  bool
	alone   bool     // the run has no workers
	shared  bool     // a loop of this run went to the workers
	quiet   bool     // no loop of the run before did: workers start with the first that does
	workers []worker // nil when the limit is 1
	hook    func()   // of tests: delays that make rare interleavings frequent
	watch   Watcher

	_ [64]byte
	// shares are the chunks of the present loop, one share for each goroutine that is at work, in order: in loop after
	// loop over the same rows a goroutine begins with the rows that its processor's cache has, and takes others when it
	// has done its own.
	shares []share
	_      [64]byte
	job    job
	_      [64]byte
	// finished counts the chunks that are over.
	finished atomic.Uint32
	failure  atomic.Pointer[PanicError]
	_        [64]byte
}

// Watcher hears of every part of a loop that goes to several goroutines, from the goroutine that did it and before the
// loop is over. Worker 0 is the caller of For.
type Watcher func(worker int, start time.Time, d time.Duration)

// share is end<<16 | next of a range of chunks: next < end says that chunk next is to be claimed. Whoever moves it from
// next to next+1 owns that chunk, and with it the certainty that the fields of the job stay as they are until the chunk
// is reported in finished: so they are read after the claim, never before.
type share struct {
	word atomic.Uint32
	_    [60]byte
}

type job struct {
	body Body
	as   WorkerBody // body when it is one
	cut  cut
}

// PanicError is the error of a loop in whose body something panicked.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// NewPool makes a pool of at most l's goroutines.
func NewPool(l *Limit) *Pool {
	p := &Pool{limit: l}
	if l.n > 1 {
		p.workers, p.shares = make([]worker, l.n-1), make([]share, l.n)
		for i := range p.workers {
			p.workers[i].init(p, i+1)
		}
	}
	return p
}

// Threads is the largest number of goroutines on which a loop of the present run works, the caller's counted.
func (p *Pool) Threads() int {
	if p.alone {
		return 1
	}
	return p.limit.n
}

// Begin starts a run: its loops end early when ctx does. Workers start now, unless the run before had nothing for them.
func (p *Pool) Begin(ctx context.Context) {
	p.ctx, p.done = ctx, ctx.Done()
	if p.workers == nil {
		return
	}
	p.limit.free.Add(-1)
	if p.quiet {
		return
	}
	for n := p.most(); p.taken < n && p.limit.take(); p.taken++ {
		p.workers[p.taken].start()
	}
}

// BeginAlone starts a run on the caller's goroutine only.
func (p *Pool) BeginAlone(ctx context.Context) {
	p.ctx, p.done, p.alone = ctx, ctx.Done(), true
	if p.workers != nil {
		p.limit.free.Add(-1)
	}
}

// most is the number of workers that can be of use.
func (p *Pool) most() int { return min(len(p.workers), runtime.GOMAXPROCS(0)-1) }

// Watch lets w hear of the parts of loops until End. nil is nobody.
func (p *Pool) Watch(w Watcher) { p.watch = w }

// End ends the run. It sends the workers home and gives them a moment to go; one that the host has stopped holds no
// chunk, touches nothing but the pool, and ends as soon as it runs again.
func (p *Pool) End() {
	p.ctx, p.done, p.watch = nil, nil, nil
	if p.workers == nil {
		p.alone = false
		return
	}
	if !p.alone {
		p.quiet = !p.shared
	}
	p.alone, p.shared = false, false
	used := p.workers[:p.taken]
	p.limit.free.Add(int32(1 + p.taken))
	p.taken = 0
	for i := range used {
		used[i].stop()
	}
	for i := range used {
		used[i].awaitGone()
	}
}

// balance follows what other runs of the session do: it takes a worker that has become free, and gives one back when
// there are more runs than goroutines.
func (p *Pool) balance() {
	switch f := p.limit.free.Load(); {
	case f > 0 && p.taken < len(p.workers):
		if p.taken < p.most() && p.limit.take() {
			p.workers[p.taken].start()
			p.taken++
		}
	case f < 0 && p.taken > 0:
		p.taken--
		p.workers[p.taken].stop()
		p.limit.free.Add(1)
	}
}

// For calls b.Do for ranges that together cover 0 <= i < n, and returns when all are done. Ranges begin at multiples of
// grain and have at least grain indices, unless n is less. The error is the context's when the run was cancelled before
// the last range began, or a *PanicError; then some ranges may not have been done. On one goroutine, and inside a body,
// the whole loop is one call of b.Do and a panic passes through.
func (p *Pool) For(n, grain int, b Body) error {
	if n <= 0 {
		return nil
	}
	if p.workers == nil || p.alone || n < 2*grain || n == 1 || p.inLoop {
		doAll(b, n)
		return nil
	}
	p.balance()
	if p.taken == 0 {
		doAll(b, n)
		return nil
	}
	return p.spread(n, grain, b)
}

//go:noinline
func doAll(b Body, n int) {
	if w, ok := b.(WorkerBody); ok {
		w.DoAs(0, 0, n)
		return
	}
	b.Do(0, n)
}

func (p *Pool) spread(n, grain int, b Body) error {
	p.inLoop, p.shared = true, true
	p.job.body, p.job.cut = b, newCut(n, grain, p.taken+1)
	p.job.as, _ = b.(WorkerBody)
	count := uint32(p.job.cut.count)
	p.finished.Store(0)
	for i, n := uint32(0), uint32(p.taken+1); i < n; i++ {
		p.shares[i].word.Store((i+1)*count/n<<16 | i*count/n)
	}
	for i := range p.workers[:p.taken] {
		p.workers[i].wake()
	}
	for p.help(0) {
	}
	for i := 0; p.finished.Load() != count; i++ {
		if i > 1000 {
			runtime.Gosched() // the goroutine that we wait for may need this processor
		}
	}
	p.job.body, p.job.as = nil, nil
	p.inLoop = false
	if e := p.failure.Load(); e != nil {
		p.failure.Store(nil)
		return e
	}
	return p.cancelled()
}

func (p *Pool) cancelled() error {
	select {
	case <-p.done:
		return p.ctx.Err()
	default:
		return nil
	}
}

// pending reports whether a chunk is there to be claimed.
func (p *Pool) pending() bool {
	for i := range p.shares {
		if w := p.shares[i].word.Load(); w&0xffff < w>>16 {
			return true
		}
	}
	return false
}

// help claims one chunk and does it; it reports whether there was one. Shares of others come after its own.
func (p *Pool) help(as int) bool {
	for i := range p.shares {
		s := &p.shares[(as+i)%len(p.shares)]
		for {
			w := s.word.Load()
			next := w & 0xffff
			if next >= w>>16 {
				break
			}
			if s.word.CompareAndSwap(w, w+1) {
				if p.hook != nil {
					p.hook()
				}
				p.chunk(as, int(next))
				return true
			}
		}
	}
	return false
}

// chunk is not inlined for the sake of the stop-the-world phases of the garbage collector: a loop around assembly in
// which no Go function is entered can be preempted hardly ever.
//
//go:noinline
func (p *Pool) chunk(as, i int) {
	defer p.over()
	if p.failure.Load() != nil {
		return
	}
	if p.done != nil && p.cancelled() != nil {
		return
	}
	if w := p.watch; w != nil {
		start := time.Now()
		defer func() { w(as, start, time.Since(start)) }()
	}
	lo, hi := p.job.cut.at(i)
	if p.job.as != nil {
		p.job.as.DoAs(as, lo, hi)
		return
	}
	p.job.body.Do(lo, hi)
}

// over reports a chunk as finished, and keeps its panic.
func (p *Pool) over() {
	if r := recover(); r != nil {
		p.failure.CompareAndSwap(nil, &PanicError{Value: r, Stack: debug.Stack()})
	}
	p.finished.Add(1)
}
