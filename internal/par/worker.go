package par

import (
	"runtime"
	"sync/atomic"
	"time"
)

// States of a worker.
const (
	gone     uint32 = iota // no goroutine
	active                 // working or polling
	parked                 // waiting for a signal in wakeup
	stopping               // told to go, and not gone yet
)

// pollFor is how long a worker polls for the next loop before it parks: longer than the serial nodes between two loops
// usually take, short enough that a run with little to share burns little.
const pollFor = 300 * time.Microsecond

// pollsPerLook is the number of polls between two looks at the clock.
const pollsPerLook = 256

// worker is one goroutine of a pool, and outlives it: a worker that was told to go and is not gone when the next run
// begins stays.
type worker struct {
	state  atomic.Uint32
	index  int
	pool   *Pool
	wakeup chan struct{} // of one element; who moves the state away from parked sends
	body   func()        // run as a value: starting it allocates nothing
	_      [64]byte
}

func (w *worker) init(p *Pool, index int) {
	w.pool, w.index, w.wakeup = p, index, make(chan struct{}, 1)
	w.body = w.run
}

func (w *worker) start() {
	if !w.state.CompareAndSwap(stopping, active) {
		w.state.Store(active)
		go w.body()
	}
}

func (w *worker) wake() {
	if w.state.Load() == parked && w.state.CompareAndSwap(parked, active) {
		w.wakeup <- struct{}{}
	}
}

func (w *worker) stop() {
	for {
		if w.state.CompareAndSwap(active, stopping) {
			return
		}
		if w.state.CompareAndSwap(parked, stopping) {
			w.wakeup <- struct{}{}
			return
		}
	}
}

// awaitGone waits a moment for the worker to end.
func (w *worker) awaitGone() {
	for i := 0; i < 200 && w.state.Load() != gone; i++ {
		if i >= 20 {
			runtime.Gosched() // it may wait for this processor
		}
	}
}

func (w *worker) run() {
	if w.pool.hook != nil {
		w.pool.hook()
	}
	for {
		for w.pool.help(w.index) {
		}
		switch w.poll() {
		case active:
		case stopping:
			if w.state.CompareAndSwap(stopping, gone) {
				return
			}
		case parked:
			w.park()
		}
	}
}

// poll waits for a chunk to be there (active), for stop (stopping), or for time to pass (parked).
func (w *worker) poll() uint32 {
	var since time.Time
	for looks := 0; ; looks++ {
		for range pollsPerLook {
			if w.pool.pending() {
				return active
			}
			if w.state.Load() == stopping {
				return stopping
			}
		}
		if looks == 0 {
			since = time.Now()
			continue
		}
		if time.Since(since) > pollFor {
			return parked
		}
		if looks%32 == 0 {
			runtime.Gosched() // other runs may have something to do
		}
	}
}

func (w *worker) park() {
	if !w.state.CompareAndSwap(active, parked) {
		return
	}
	// A loop published before the state was changed has woken nobody.
	if w.pool.pending() && w.state.CompareAndSwap(parked, active) {
		return
	}
	<-w.wakeup
}
