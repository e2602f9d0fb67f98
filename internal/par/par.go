// Package par runs loops on the goroutines of one model run.
//
// A Pool belongs to one run at a time. Begin starts its workers, so that their wake-up (tens of microseconds) overlaps
// the run's first nodes; between loops they poll for a bounded time and then park; End sends them home. Chunks of a loop
// are claimed one by one by the workers and by the caller, each from a share of its own first. The caller waits only for
// chunks that somebody has claimed: a worker that comes late, or whose processor the host took away, costs nothing.
package par

// Body is the work of a loop. Do handles the indices lo <= i < hi; calls for disjoint ranges run at the same time.
// An interface and not a func, so that a loop over a preallocated Body allocates nothing.
type Body interface{ Do(lo, hi int) }

// Func adapts a function to Body, for loops where one small allocation does not matter.
type Func func(lo, hi int)

// Do calls f.
func (f Func) Do(lo, hi int) { f(lo, hi) }

// WorkerBody is implemented by bodies that keep memory per goroutine. DoAs is called instead of Do; no two calls of one
// loop with the same worker run at the same time, and 0 <= worker < Pool.Threads().
type WorkerBody interface {
	Body
	DoAs(worker, lo, hi int)
}

// chunksPerThread is how finely a loop is cut: enough that goroutines of unequal speed finish together, few enough that
// claiming costs nothing beside the work.
const chunksPerThread = 6

// maxThreads bounds a Pool, so that the chunks of a loop can be counted in 16 bits.
const maxThreads = 1024

// cut says how n indices are divided: into count chunks of whole units of grain indices, the last with the remainder too.
type cut struct{ n, grain, units, count int }

func newCut(n, grain, threads int) cut {
	grain = max(grain, 1)
	units := max(n/grain, 1)
	return cut{n: n, grain: grain, units: units, count: min(units, threads*chunksPerThread)}
}

// at returns the range of chunk i.
func (c *cut) at(i int) (lo, hi int) {
	q, r := c.units/c.count, c.units%c.count
	lo = (i*q + min(i, r)) * c.grain
	if i == c.count-1 {
		return lo, c.n
	}
	return lo, ((i+1)*q + min(i+1, r)) * c.grain
}
