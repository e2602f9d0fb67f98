package qrun_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/qrun-onnx/qrun"
)

// medianRun is the median time of some runs.
func medianRun(t *testing.T, s *qrun.Session, in qrun.Tensors, n int) time.Duration {
	t.Helper()
	d := make([]time.Duration, n)
	for i := range d {
		start := time.Now()
		run(t, s, in)
		d[i] = time.Since(start)
	}
	slices.Sort(d)
	return d[n/2]
}

// A model that is too small for two goroutines takes one. The machine may be busy, so the best of some attempts counts,
// and what is compared was measured in turns.
func TestTwoThreadsAreNotSlower(t *testing.T) {
	if testing.Short() || raceDetector || runtime.GOMAXPROCS(0) < 2 {
		t.Skip("compares times of two processors")
	}
	in := digitInput(t, digitImages(t)[:pixels])
	for _, path := range digitModels {
		one, two := open(t, path, qrun.Options{Threads: 1}), open(t, path, qrun.Options{Threads: 2})
		medianRun(t, two, in, 30)
		best := 0.0
		for range 10 {
			a := medianRun(t, one, in, 60)
			b := medianRun(t, two, in, 60)
			if r := float64(a) / float64(b); r > best {
				best = r
			}
			if best > 1/1.05 {
				break
			}
		}
		if best < 1/1.15 {
			t.Errorf("%s: two threads have %.2f of the speed of one", path, best)
		}
	}
}

// Two sessions of two goroutines each at a time do together about what they do one after the other.
func TestTwoSessionsShareProcessors(t *testing.T) {
	if testing.Short() || raceDetector || runtime.GOMAXPROCS(0) < 2 {
		t.Skip("compares times of two processors")
	}
	in := digitInput(t, digitImages(t))
	s := [2]*qrun.Session{open(t, digitModels[1], qrun.Options{Threads: 2}), open(t, digitModels[1], qrun.Options{Threads: 2})}
	runs := func(s *qrun.Session, n int) {
		for range n {
			run(t, s, in)
		}
	}
	runs(s[0], 20)
	runs(s[1], 20)
	var said []string
	for range 5 {
		const n = 5
		start := time.Now()
		runs(s[0], n)
		runs(s[1], n)
		apart := time.Since(start)
		start = time.Now()
		var both sync.WaitGroup
		for i := range s {
			both.Go(func() { runs(s[i], n) })
		}
		both.Wait()
		together := time.Since(start)
		if float64(apart)/float64(together) >= 0.8 {
			return
		}
		said = append(said, fmt.Sprintf("%v apart, %v together", apart, together))
	}
	t.Errorf("two sessions disturb each other: %q", said)
}
