package graph

import (
	"sync"
	"time"
)

// workerChoice decides whether runs of a plan take workers, by trying both: whether the parts of a loop are worth the
// wake-up of a goroutine, and what both processors read worth the way between their caches, depends on the machine, the
// model and who else runs. Results have the same bits either way. Its methods may be called from any number of runs.
type workerChoice struct {
	mu    sync.Mutex
	turn  int // runs of the present comparison so far
	keep  int // runs until the next comparison
	alone bool
	best  [2]time.Duration // of the comparison: with workers, alone
}

const (
	longRun  = 4 * time.Millisecond // with workers; a longer one is not compared, as its loops are worth theirs
	tries    = 5                    // runs of a comparison of each kind, of which the first does not count
	keepRuns = 1000                 // from one comparison to the next: so half a percent of runs are on trial
)

// next says how the next run works, and whether to report it to ran.
func (w *workerChoice) next() (alone, measured bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.keep > 0 {
		w.keep--
		return w.alone, false
	}
	return w.turn >= tries, true
}

// ran takes the time of a measured run.
func (w *workerChoice) ran(alone bool, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.keep > 0 || alone != (w.turn >= tries) {
		return // of a comparison that other runs have ended
	}
	kind := 0
	if alone {
		kind = 1
	}
	w.turn++
	if w.turn%tries != 1 && (w.best[kind] == 0 || d < w.best[kind]) {
		w.best[kind] = d
	}
	switch {
	case w.turn == tries && w.best[0] > longRun:
		w.alone = false
	case w.turn == 2*tries:
		w.alone = w.best[1] <= w.best[0]+w.best[0]/32
	default:
		return
	}
	w.turn, w.keep, w.best = 0, keepRuns, [2]time.Duration{}
}
