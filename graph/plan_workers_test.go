package graph

import (
	"sync"
	"testing"
	"time"
)

// trial runs a choice n times, with runs that take so long with workers and alone, and counts those of the two kinds.
func trial(w *workerChoice, n int, shared, alone time.Duration) (counts [2]int) {
	for range n {
		single, measured := w.next()
		d := shared
		if single {
			d = alone
			counts[1]++
		} else {
			counts[0]++
		}
		if measured {
			w.ran(single, d)
		}
	}
	return counts
}

func TestWorkersWhereTheyPay(t *testing.T) {
	const us = time.Microsecond
	for _, c := range []struct {
		name          string
		shared, alone time.Duration
		want          [2]int // of the runs after the first comparison, until the second
		tried         [2]int
	}{
		{"faster with workers", 60 * us, 100 * us, [2]int{keepRuns, 0}, [2]int{tries, tries}},
		{"faster alone", 100 * us, 60 * us, [2]int{0, keepRuns}, [2]int{tries, tries}},
		{"no difference", 100 * us, 102 * us, [2]int{0, keepRuns}, [2]int{tries, tries}},
	} {
		w := &workerChoice{}
		for range 3 {
			if got := trial(w, 2*tries, c.shared, c.alone); got != c.tried {
				t.Errorf("%s: %v runs in the comparison, want %v", c.name, got, c.tried)
			}
			if got := trial(w, keepRuns, c.shared, c.alone); got != c.want {
				t.Errorf("%s: %v runs after it, want %v", c.name, got, c.want)
			}
		}
	}
	w := &workerChoice{}
	if got := trial(w, 2*keepRuns, 2*longRun, 1); got[1] != 0 {
		t.Errorf("%d long runs had no workers", got[1])
	}
	w = &workerChoice{}
	trial(w, 2*tries+keepRuns, 100*us, 60*us)
	trial(w, 2*tries, 60*us, 100*us)
	if w.alone {
		t.Error("the second comparison changes nothing")
	}
}

// Runs at the same time finish comparisons that others began, and none is lost.
func TestWorkersOfConcurrentRuns(t *testing.T) {
	w := &workerChoice{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { trial(w, keepRuns, 100*time.Microsecond, 60*time.Microsecond) })
	}
	wg.Wait()
	if trial(w, keepRuns, 100*time.Microsecond, 60*time.Microsecond); w.turn > 2*tries {
		t.Errorf("%d turns", w.turn)
	}
}
