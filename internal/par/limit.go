package par

import "sync/atomic"

// Limit is the number of goroutines that all runs of a session use together. A run always has its caller's goroutine and
// takes workers only while some are free, so that concurrent runs do not multiply.
type Limit struct {
	n    int
	free atomic.Int32 // below zero when more runs than n are under way
}

// NewLimit returns a Limit of n goroutines, at least 1.
func NewLimit(n int) *Limit {
	l := &Limit{n: min(max(n, 1), maxThreads)}
	l.free.Store(int32(l.n))
	return l
}

// Threads is the number given to NewLimit.
func (l *Limit) Threads() int { return l.n }

// take takes one goroutine if one is free.
func (l *Limit) take() bool {
	for {
		f := l.free.Load()
		if f <= 0 {
			return false
		}
		if l.free.CompareAndSwap(f, f-1) {
			return true
		}
	}
}
