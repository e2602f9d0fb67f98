package main

import (
	"context"
	"slices"
	"time"

	"github.com/qrun-onnx/qrun"
)

// timing are the statistics of repeated runs.
type timing struct {
	runs                       int
	min, p10, median, p90, p99 time.Duration
	total                      time.Duration
}

func summarize(samples []time.Duration) timing {
	s := slices.Clone(samples)
	slices.Sort(s)
	at := func(p float64) time.Duration { return s[min(len(s)-1, int(p*float64(len(s))))] }
	t := timing{runs: len(s), min: s[0], p10: at(0.1), median: at(0.5), p90: at(0.9), p99: at(0.99)}
	for _, d := range s {
		t.total += d
	}
	return t
}

// timeRuns lets the sessions take turns on the first sample until the budget is spent, each at least three times, so
// that all see the same minutes of a machine that is not theirs alone.
func timeRuns(ctx context.Context, all []*ran, runs []qrun.Tensors, budget time.Duration) error {
	samples := make([][]time.Duration, len(all))
	start := time.Now()
	for round := 0; round < 3 || time.Since(start) < budget; round++ {
		for i, r := range all {
			t := time.Now()
			if _, err := r.session.Run(ctx, runs[0]); err != nil {
				return err
			}
			samples[i] = append(samples[i], time.Since(t))
		}
	}
	for i, r := range all {
		r.timing = summarize(samples[i])
	}
	return nil
}
