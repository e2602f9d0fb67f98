// Package hammer runs one function on many goroutines at once and compares what comes out, for tests of what promises
// the same bytes to any number of callers.
package hammer

import (
	"bytes"
	"fmt"
	"runtime"
	"sync"
)

// Run calls f runs times on each of p goroutines, which are released together, with half the processors, so that
// goroutines are stopped at unlucky places. f is given the number of its goroutine and of the call, and returns bytes
// that depend on the call only. The error is f's first, or says where the bytes differ.
func Run(p, runs int, f func(goroutine, run int) ([]byte, error)) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS((runtime.GOMAXPROCS(0) + 1) / 2))
	var (
		first   = make([]result, runs)
		errs    = make([]error, p)
		release = make(chan struct{})
		ready   sync.WaitGroup
		done    sync.WaitGroup
	)
	ready.Add(p)
	for g := range p {
		done.Go(func() {
			ready.Done()
			<-release
			for r := range runs {
				out, err := f(g, r)
				if err == nil {
					err = first[r].compare(out)
				}
				if err != nil {
					errs[g] = fmt.Errorf("goroutine %d, run %d: %w", g, r, err)
					return
				}
			}
		})
	}
	ready.Wait()
	close(release)
	done.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// result is what the first goroutine got out of a call.
type result struct {
	mu  sync.Mutex
	set bool
	out []byte
}

func (r *result) compare(out []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.set {
		r.set, r.out = true, bytes.Clone(out)
		return nil
	}
	if bytes.Equal(r.out, out) {
		return nil
	}
	if len(r.out) != len(out) {
		return fmt.Errorf("%d bytes, another goroutine got %d", len(out), len(r.out))
	}
	at := 0
	for r.out[at] == out[at] {
		at++
	}
	return fmt.Errorf("byte %d of %d is %d, another goroutine got %d", at, len(out), out[at], r.out[at])
}
