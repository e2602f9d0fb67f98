package par

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestCutCoversEveryIndexOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5000).Draw(t, "n")
		grain := rapid.IntRange(0, 6000).Draw(t, "grain")
		threads := rapid.IntRange(1, 9).Draw(t, "threads")
		c := newCut(n, grain, threads)
		if c.count > threads*chunksPerThread {
			t.Fatalf("%d chunks", c.count)
		}
		next := 0
		for i := range c.count {
			lo, hi := c.at(i)
			if lo != next || hi <= lo || hi-lo < min(grain, n) || (grain > 0 && lo%grain != 0) {
				t.Fatalf("chunk %d of %+v is %d..%d after %d", i, c, lo, hi, next)
			}
			next = hi
		}
		if next != n {
			t.Fatalf("%+v ends at %d", c, next)
		}
	})
}

// counter counts how often every index was done.
type counter struct{ hits []atomic.Int32 }

func (c *counter) Do(lo, hi int) {
	for i := lo; i < hi; i++ {
		c.hits[i].Add(1)
	}
}

func (c *counter) check(t *testing.T, n int, want int32) {
	t.Helper()
	for i := range n {
		if got := c.hits[i].Swap(0); got != want {
			t.Fatalf("index %d of %d done %d times, want %d", i, n, got, want)
		}
	}
}

func withProcs(t *testing.T, n int) {
	old := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
}

func TestForDoesEveryIndexOnce(t *testing.T) {
	withProcs(t, 4)
	for _, threads := range []int{1, 2, 4, 7} {
		p := NewPool(NewLimit(threads))
		c := &counter{hits: make([]atomic.Int32, 1000)}
		for range 20 {
			p.Begin(context.Background())
			for range 50 {
				n := rand.IntN(1000)
				if err := p.For(n, 1+rand.IntN(40), c); err != nil {
					t.Fatal(err)
				}
				c.check(t, n, 1)
			}
			p.End()
		}
	}
}

func TestLateWorkers(t *testing.T) {
	withProcs(t, 4)
	p := NewPool(NewLimit(4))
	p.hook = func() {
		switch rand.IntN(4) {
		case 0:
			time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
		case 1:
			runtime.Gosched()
		}
	}
	c := &counter{hits: make([]atomic.Int32, 200)}
	for range 60 {
		p.Begin(context.Background())
		for range 1 + rand.IntN(10) {
			n := rand.IntN(200)
			if err := p.For(n, 1, c); err != nil {
				t.Fatal(err)
			}
			c.check(t, n, 1)
			if rand.IntN(8) == 0 {
				time.Sleep(2 * pollFor) // let them park
			}
		}
		p.End()
	}
}

func TestNoGoroutineStays(t *testing.T) {
	withProcs(t, 4)
	before := runtime.NumGoroutine()
	p := NewPool(NewLimit(4))
	c := &counter{hits: make([]atomic.Int32, 100)}
	for range 50 {
		p.Begin(context.Background())
		if err := p.For(100, 1, c); err != nil {
			t.Fatal(err)
		}
		p.End()
	}
	for i := 0; runtime.NumGoroutine() > before; i++ {
		if i == 1000 {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
	if free := p.limit.free.Load(); free != 4 {
		t.Fatalf("%d of 4 goroutines free", free)
	}
}

func TestPanicIsAnError(t *testing.T) {
	withProcs(t, 4)
	p := NewPool(NewLimit(4))
	p.Begin(context.Background())
	defer p.End()
	err := p.For(1000, 1, Func(func(lo, hi int) {
		if lo <= 500 && 500 < hi {
			panic("at 500")
		}
	}))
	var pe *PanicError
	if !errors.As(err, &pe) || pe.Value != "at 500" || !strings.Contains(string(pe.Stack), "TestPanicIsAnError") {
		t.Fatalf("got %v", err)
	}
	c := &counter{hits: make([]atomic.Int32, 100)}
	if err := p.For(100, 1, c); err != nil {
		t.Fatalf("the next loop: %v", err)
	}
	c.check(t, 100, 1)
}

func TestCancelStopsBetweenChunks(t *testing.T) {
	withProcs(t, 2)
	p := NewPool(NewLimit(2))
	ctx, cancel := context.WithCancel(context.Background())
	p.Begin(ctx)
	defer p.End()
	var calls atomic.Int32
	err := p.For(1000, 1, Func(func(lo, hi int) {
		calls.Add(1)
		cancel()
	}))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if n := calls.Load(); n > 2 {
		t.Fatalf("%d chunks were done after the cancellation", n)
	}
}

func TestNestedLoopRunsInline(t *testing.T) {
	withProcs(t, 4)
	p := NewPool(NewLimit(4))
	p.Begin(context.Background())
	defer p.End()
	c := &counter{hits: make([]atomic.Int32, 64)}
	err := p.For(64, 1, Func(func(lo, hi int) {
		for i := lo; i < hi; i++ {
			calls := 0
			if err := p.For(1000, 1, Func(func(lo, hi int) { calls++ })); err != nil || calls != 1 {
				t.Errorf("%d calls, error %v", calls, err)
			}
			c.hits[i].Add(1)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	c.check(t, 64, 1)
}

type perWorker struct {
	busy [8]atomic.Bool
	bad  atomic.Bool
}

func (b *perWorker) Do(lo, hi int) { b.bad.Store(true) }

func (b *perWorker) DoAs(w, lo, hi int) {
	if b.busy[w].Swap(true) {
		b.bad.Store(true)
	}
	runtime.Gosched()
	b.busy[w].Store(false)
}

func TestWorkerBody(t *testing.T) {
	withProcs(t, 4)
	for _, threads := range []int{1, 4} {
		p := NewPool(NewLimit(threads))
		p.Begin(context.Background())
		b := &perWorker{}
		for range 200 {
			if err := p.For(100, 1, b); err != nil {
				t.Fatal(err)
			}
		}
		p.End()
		if b.bad.Load() {
			t.Error("Do was called, or one worker twice at a time")
		}
	}
}

func TestConcurrentRunsShareTheLimit(t *testing.T) {
	withProcs(t, 8)
	l := NewLimit(4)
	var running, most atomic.Int32
	body := Func(func(lo, hi int) {
		n := running.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(20 * time.Microsecond)
		running.Add(-1)
	})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			p := NewPool(l)
			for range 20 {
				p.Begin(context.Background())
				for range 5 {
					if err := p.For(24, 1, body); err != nil {
						t.Error(err)
					}
				}
				p.End()
			}
		})
	}
	wg.Wait()
	// A run that begins while others hold all workers has its caller's goroutine on top until they give one back.
	if n := most.Load(); n > 4+2 {
		t.Errorf("%d goroutines at a time, want about 4", n)
	}
	if free := l.free.Load(); free != 4 {
		t.Errorf("%d of 4 goroutines free at the end", free)
	}
}

func TestWorkersStartWhenThereIsSomethingForThem(t *testing.T) {
	withProcs(t, 2)
	p := NewPool(NewLimit(2))
	c := &counter{hits: make([]atomic.Int32, 100)}
	run := func(n int) (atBegin, atEnd int) {
		p.Begin(context.Background())
		atBegin = p.taken
		if err := p.For(n, 10, c); err != nil {
			t.Fatal(err)
		}
		atEnd = p.taken
		p.End()
		c.check(t, n, 1)
		return atBegin, atEnd
	}
	for i, want := range []struct{ n, atBegin, atEnd int }{{15, 1, 1}, {15, 0, 0}, {100, 0, 1}, {100, 1, 1}, {15, 1, 1}, {15, 0, 0}} {
		if b, e := run(want.n); b != want.atBegin || e != want.atEnd {
			t.Errorf("run %d: %d workers at the beginning, %d at the end, want %d, %d", i, b, e, want.atBegin, want.atEnd)
		}
	}
}

func TestForAllocatesNothing(t *testing.T) {
	withProcs(t, 2)
	p := NewPool(NewLimit(2))
	c := &counter{hits: make([]atomic.Int32, 100)}
	ctx := context.Background()
	n := testing.AllocsPerRun(200, func() {
		p.Begin(ctx)
		for range 10 {
			_ = p.For(100, 1, c)
		}
		p.End()
	})
	if n > 0 {
		t.Errorf("%v allocations per run of 10 loops", n)
	}
}

func BenchmarkRunOfOneLoop(b *testing.B) {
	p := NewPool(NewLimit(runtime.GOMAXPROCS(0)))
	c := Func(func(lo, hi int) {})
	for b.Loop() {
		p.Begin(context.Background())
		_ = p.For(100, 1, c)
		p.End()
	}
}

func BenchmarkLoopHot(b *testing.B) {
	p := NewPool(NewLimit(runtime.GOMAXPROCS(0)))
	p.Begin(context.Background())
	defer p.End()
	c := Func(func(lo, hi int) {})
	for b.Loop() {
		_ = p.For(100, 1, c)
	}
}

func TestWatchHearsOfEveryPart(t *testing.T) {
	withProcs(t, 4)
	p := NewPool(NewLimit(4))
	c := &counter{hits: make([]atomic.Int32, 1000)}
	for range 50 {
		var parts [4]atomic.Int32
		p.Watch(func(worker int, start time.Time, d time.Duration) {
			if d < 0 || time.Since(start) < d {
				t.Errorf("worker %d: a part of %v", worker, d)
			}
			parts[worker].Add(1)
		})
		p.Begin(context.Background())
		for p.taken == 0 {
			if err := p.For(1000, 10, c); err != nil {
				t.Fatal(err)
			}
			c.check(t, 1000, 1)
		}
		for i := range parts {
			parts[i].Store(0)
		}
		if err := p.For(1000, 10, c); err != nil {
			t.Fatal(err)
		}
		total := int32(0)
		for i := range parts {
			total += parts[i].Load()
		}
		if want := int32(p.job.cut.count); total != want {
			t.Fatalf("heard of %d of %d parts", total, want)
		}
		c.check(t, 1000, 1)
		p.End()
		if p.watch != nil {
			t.Fatal("End keeps the watcher")
		}
	}
}
