package qrun_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/internal/onnxtest"
	"github.com/qrun-onnx/qrun/tensor"
)

// pauses are the phases in which the garbage collector had stopped the world, from asking for it to the start.
type pauses struct {
	counts []uint64
	bounds []float64
}

func readPauses() pauses {
	samples := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(samples)
	h := samples[0].Value.Float64Histogram()
	return pauses{append([]uint64(nil), h.Counts...), h.Buckets}
}

// at is the pause that a part q of all is not longer than; 1 gives the longest.
func (p pauses) at(q float64) time.Duration {
	total, seen := uint64(0), uint64(0)
	for _, n := range p.counts {
		total += n
	}
	for i, n := range p.counts {
		if seen += n; n > 0 && float64(seen) >= q*float64(total) {
			upper := p.bounds[i+1]
			if math.IsInf(upper, 1) {
				upper = p.bounds[i]
			}
			return time.Duration(upper * 1e9)
		}
	}
	return 0
}

// pausesUnder runs load on every processor and the garbage collector all the time beside it.
func pausesUnder(d time.Duration, load func()) pauses {
	var done atomic.Bool
	var loads sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		loads.Go(func() {
			for !done.Load() {
				load()
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	before := readPauses()
	for end := time.Now().Add(d); time.Now().Before(end); {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	after := readPauses()
	done.Store(true)
	loads.Wait()
	for i := range after.counts {
		after.counts[i] -= before.counts[i]
	}
	return after
}

var sink atomic.Uint64

// plainGo is a load that the garbage collector can interrupt anywhere.
func plainGo() {
	x := uint64(1)
	for range 1 << 16 {
		x = x*6364136223846793005 + 1
	}
	sink.Add(x)
}

// BenchmarkPauses says how long the garbage collector stops the world while models run on all processors, beside what it
// takes under plain Go code at the same time: all in microseconds.
func BenchmarkPauses(b *testing.B) {
	type model struct {
		name, path, inputs string
		o                  qrun.Options
		in                 func() qrun.Tensors
	}
	digits := func() qrun.Tensors { return digitInput(b, digitImages(b)) }
	list := []model{{name: "attention", path: digitModels[1], in: digits}}
	if dir, ok := onnxtest.Shared("models"); ok {
		tokens := func() qrun.Tensors {
			in := qrun.Tensors{}
			for _, name := range []string{"input_ids", "attention_mask", "token_type_ids"} {
				t, err := tensor.New(tensor.Int64, 8, 128)
				if err != nil {
					b.Fatal(err)
				}
				for i, v := range tensor.View[int64](t) {
					if name == "input_ids" {
						v = int64(1000 + i)
					} else if name == "attention_mask" {
						v = 1
					}
					tensor.View[int64](t)[i] = v
				}
				in[name] = t
			}
			return in
		}
		encoder := filepath.Join(dir, "encoders", "minilm_l6_f32", "model.onnx")
		list = append(list, model{name: "minilm 8x128", path: encoder, in: tokens},
			model{name: "minilm 8x128 int8", path: encoder, in: tokens, o: qrun.Options{Quantize: qrun.Dynamic}})
		for _, name := range []string{"super_resolution", "gtcrn_simple", "nnsplit_bidi_lstm", "silero_vad_v6"} {
			folder := filepath.Join(dir, "samples", name)
			list = append(list, model{name: name, path: filepath.Join(folder, "model.onnx"), inputs: filepath.Join(folder, "test_data_set_0")})
		}
	}
	for _, m := range list {
		b.Run(m.name, func(b *testing.B) {
			s, err := qrun.Open(m.path, &m.o)
			if err != nil {
				b.Fatal(err)
			}
			var in qrun.Tensors
			if m.in != nil {
				in = m.in()
			} else if in, err = onnxtest.ReadInputs(m.inputs, s.Inputs()); err != nil {
				b.Fatal(err)
			}
			run := func() {
				if _, err := s.Run(context.Background(), in); err != nil {
					b.Error(err)
				}
			}
			for range b.N {
				var p [2]pauses
				for i, load := range []func(){plainGo, run} {
					p[i] = pausesUnder(time.Second, load)
				}
				for i, who := range []string{"plain", "qrun"} {
					b.ReportMetric(float64(p[i].at(0.5).Microseconds()), who+"-p50-µs")
					b.ReportMetric(float64(p[i].at(0.99).Microseconds()), who+"-p99-µs")
					b.ReportMetric(float64(p[i].at(1).Microseconds()), who+"-max-µs")
				}
			}
		})
	}
}

// Kernels cannot be interrupted: a long call makes the whole program wait for its garbage collector. Half of the pauses
// show what the code does; the longest ones are also those of other programs that have the processor at that time, as
// they have it under plain Go code, with which they are compared. And other programs come and go: what a kernel does, it
// does in three attempts.
func TestStopTheWorld(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("takes seconds, and measures nothing with the race detector")
	}
	in := digitInput(t, digitImages(t))
	for _, p := range precisions {
		s := open(t, digitModels[1], p.o)
		var said []string
		for range 3 {
			plain := pausesUnder(300*time.Millisecond, plainGo)
			run := pausesUnder(300*time.Millisecond, func() {
				if _, err := s.Run(context.Background(), in); err != nil {
					t.Error(err)
				}
			})
			if run.at(0.5) <= max(500*time.Microsecond, 2*plain.at(0.5)) && run.at(0.99) <= max(2*time.Millisecond, 2*plain.at(0.99)) {
				said = nil
				break
			}
			said = append(said, fmt.Sprintf("half in %v, 99 of 100 in %v, in plain Go %v and %v", run.at(0.5), run.at(0.99), plain.at(0.5), plain.at(0.99)))
		}
		if said != nil {
			t.Errorf("%s: the garbage collector's pauses are over %q", p.name, said)
		}
	}
}
