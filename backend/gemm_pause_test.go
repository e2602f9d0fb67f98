package backend

import (
	"runtime"
	"slices"
	"testing"
	"time"
)

// TestGemmPause says that products do not hold up the garbage collector: assembly is not preemptible, and a loop of
// calls without a preemption point holds it up for seconds.
func TestGemmPause(t *testing.T) {
	onTiers(t, func(t *testing.T, k *Kernels) {
		const m, n, depth = 64, 512, 8192
		g := newBench(k, "u8s8", m, n, depth, 1)
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for {
				select {
				case <-stop:
					return
				default:
					g.do(0, g.init())
				}
			}
		}()
		var stats runtime.MemStats
		var waits []time.Duration
		for range 15 {
			time.Sleep(time.Millisecond)
			start := time.Now()
			runtime.ReadMemStats(&stats) // stops the world
			waits = append(waits, time.Since(start))
		}
		close(stop)
		<-done
		slices.Sort(waits)
		// Other processes may take the CPU at any time, so the bound is for the median and far above the aim.
		if w := waits[len(waits)/2]; w > 20*time.Millisecond {
			t.Errorf("the world stopped after %v", w)
		}
	})
}
