// Package par runs loops on the goroutines of one model run.
package par

// Body is the work of a loop. Do handles the indices lo <= i < hi; calls for disjoint ranges run at the same time.
// An interface and not a func, so that a loop over a preallocated Body allocates nothing.
type Body interface{ Do(lo, hi int) }

// Func adapts a function to Body, for loops where one small allocation does not matter.
type Func func(lo, hi int)

// Do calls f.
func (f Func) Do(lo, hi int) { f(lo, hi) }
