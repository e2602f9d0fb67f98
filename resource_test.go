package qrun_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/internal/onnxtest"
)

// runBudget is the number of allocations of a warm Run with n outputs, up to eight: for each its header, shape and
// elements; the list of them, and the map with its one group of slots.
func runBudget(n int) float64 { return float64(3*n + 3) }

func warmAllocs(t *testing.T, s *qrun.Session, in qrun.Tensors) float64 {
	t.Helper()
	if raceDetector {
		t.Skip("the race detector's allocations count too")
	}
	for range 3 {
		run(t, s, in)
	}
	ctx := t.Context()
	return testing.AllocsPerRun(10, func() {
		if _, err := s.Run(ctx, in); err != nil {
			t.Fatal(err)
		}
	})
}

// intoAllocs is the number of allocations of a warm RunInto, whose results it compares with those of Run.
func intoAllocs(t *testing.T, s *qrun.Session, in qrun.Tensors) float64 {
	t.Helper()
	want, out := run(t, s, in), qrun.Tensors{}
	for name, v := range want {
		out[name] = v.Clone()
		clear(out[name].Bytes())
	}
	ctx := t.Context()
	n := testing.AllocsPerRun(5, func() {
		if err := s.RunInto(ctx, in, out); err != nil {
			t.Fatal(err)
		}
	})
	if !bytes.Equal(flat(out), flat(want)) {
		t.Error("RunInto gives other bits than Run")
	}
	return n
}

func checkAllocs(t *testing.T, path string, o qrun.Options, in qrun.Tensors) {
	t.Helper()
	for _, threads := range []int{1, 2} {
		o.Threads = threads
		s := open(t, path, o)
		if got, want := warmAllocs(t, s, in), runBudget(len(s.Outputs())); got > want {
			t.Errorf("%d threads: %v allocations in a warm run, want at most %v", threads, got, want)
		}
		if got := intoAllocs(t, s, in); got > 0 {
			t.Errorf("%d threads: %v allocations in a warm RunInto", threads, got)
		}
	}
}

func TestAllocations(t *testing.T) {
	for _, path := range digitModels {
		for _, p := range precisions {
			t.Run(path+" "+p.name, func(t *testing.T) {
				checkAllocs(t, path, p.o, digitInput(t, digitImages(t)[:8*pixels]))
			})
		}
	}
}

func TestEncoderAllocations(t *testing.T) {
	for _, name := range []string{"minilm_l6_f32", "minilm_l6_dynamic", "minilm_l6_weight_int8"} {
		t.Run(name, func(t *testing.T) {
			path, in := encoder(t, name, "test_data_set_0")
			checkAllocs(t, path, qrun.Options{}, in)
			if name == "minilm_l6_f32" {
				checkAllocs(t, path, qrun.Options{Quantize: qrun.Dynamic}, in)
			}
		})
	}
}

// TestSampleAllocations runs real models of many kinds. An output that is a view of another value takes two allocations
// more, and the outputs of a body of If, Loop or Scan take some in every pass.
func TestSampleAllocations(t *testing.T) {
	needVectors(t)
	dir, ok := onnxtest.Shared("models", "samples")
	if !ok {
		t.Skip("no shared test material")
	}
	bodies := map[string]float64{"silero_vad_v6": 22, "silero_vad_op18_ifless": 8}
	folders, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		t.Run(f.Name(), func(t *testing.T) {
			s := open(t, filepath.Join(dir, f.Name(), "model.onnx"), qrun.Options{Threads: 2})
			in, err := onnxtest.ReadInputs(filepath.Join(dir, f.Name(), "test_data_set_0"), s.Inputs())
			if err != nil {
				t.Fatal(err)
			}
			n := len(s.Outputs())
			want := runBudget(n) + float64(2*n) + bodies[f.Name()]
			if n > 8 {
				want += 4 // a larger map
			}
			if got := warmAllocs(t, s, in); got > want {
				t.Errorf("%v allocations in a warm run with %d outputs, want at most %v", got, n, want)
			}
			if got, want := intoAllocs(t, s, in), bodies[f.Name()]; got > want {
				t.Errorf("%v allocations in a warm RunInto, want at most %v", got, want)
			}
		})
	}
}

// settled waits until no more than n goroutines are left, since one that has said its last word still counts.
func settled(n int) int {
	for range 1000 {
		if runtime.NumGoroutine() <= n {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return runtime.NumGoroutine()
}

func TestNoGoroutineIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	s := open(t, digitModels[1], qrun.Options{Threads: 4})
	if n := settled(before); n > before {
		t.Errorf("%d goroutines after loading, %d before", n, before)
	}
	in := digitInput(t, digitImages(t))
	for range 5 {
		run(t, s, in)
		if n := settled(before); n > before {
			t.Fatalf("%d goroutines after a run, %d before", n, before)
		}
	}
	var stop context.CancelFunc
	ctx, stop := context.WithCancel(t.Context())
	_, err := s.RunWith(ctx, in, qrun.RunOptions{OnNode: func(qrun.NodeStat) { stop() }})
	if n := settled(before); err == nil || n > before {
		t.Errorf("%d goroutines after a cancelled run (%v), %d before", n, err, before)
	}
}

// The memory of the weights is what the formats say: 4, 2 or 1 byte an element, and for int8 a scale, a sum and padding.
func TestWeightsBytes(t *testing.T) {
	for _, path := range digitModels {
		params := float64(0)
		for _, p := range precisions {
			s := open(t, path, p.o)
			params = max(params, float64(s.Model().Parameters))
			size := map[string]float64{"float32": 4, "int8": 1, "int8 onnx": 1, "fp16": 2}[p.name]
			got := float64(s.WeightsBytes()) / params
			// The attention model keeps a tenth of its elements, biases and normalizations, in float32.
			if got < size || got > size*1.15+0.5 {
				t.Errorf("%s %s: %.2f bytes an element, want about %v", path, p.name, got, size)
			}
		}
	}
}
