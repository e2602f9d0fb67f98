package qrun_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/internal/hammer"
	mt "github.com/qrun-onnx/qrun/internal/modeltest"
	"github.com/qrun-onnx/qrun/tensor"
)

// Sixteen goroutines on each of two sessions get the bits of one alone, also when shapes change from call to call.
func TestConcurrentRuns(t *testing.T) {
	pix := digitImages(t)
	rows := []int{1, 7, 3}
	for _, path := range digitModels {
		sessions := []*qrun.Session{open(t, path, qrun.Options{Threads: 2}), open(t, path, qrun.Options{Quantize: qrun.Dynamic, Threads: 2})}
		var want [][]byte
		var inputs []qrun.Tensors
		for i, n := range rows {
			inputs = append(inputs, digitInput(t, pix[i*pixels:(i+n)*pixels]))
			var both []byte
			for _, s := range sessions {
				both = append(both, flat(run(t, s, inputs[i]))...)
			}
			want = append(want, both)
		}
		err := hammer.Run(32, 2*len(rows), func(g, r int) ([]byte, error) {
			s, at := g%2, r%len(rows)
			out, err := sessions[s].Run(t.Context(), inputs[at])
			if err != nil {
				return nil, err
			}
			if r%2 == 1 {
				for _, t := range out { // the goroutine's own
					clear(t.Bytes())
				}
				if err := sessions[s].RunInto(t.Context(), inputs[at], out); err != nil {
					return nil, err
				}
			}
			if half := len(want[at]) / 2; !bytes.Equal(flat(out), want[at][s*half:(s+1)*half]) {
				return nil, errors.New("other bits than one goroutine alone")
			}
			return nil, nil
		})
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A run that is cancelled in its middle says so, and leaves the session as it was.
func TestCancel(t *testing.T) {
	s := open(t, digitModels[1], qrun.Options{Threads: 2})
	in := digitInput(t, digitImages(t))
	nodes := 0
	want, err := s.RunWith(t.Context(), in, qrun.RunOptions{OnNode: func(qrun.NodeStat) { nodes++ }})
	if err != nil {
		t.Fatal(err)
	}
	for at := 1; at < nodes; at += 3 {
		ctx, cancel := context.WithCancel(t.Context())
		seen := 0
		out, err := s.RunWith(ctx, in, qrun.RunOptions{OnNode: func(qrun.NodeStat) {
			if seen++; seen == at {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) || out != nil || seen != at {
			t.Errorf("cancelled after %d of %d nodes: error %v after %d", at, nodes, err, seen)
		}
		if !bytes.Equal(flat(run(t, s, in)), flat(want)) {
			t.Errorf("the run after one cancelled after %d nodes has other bits", at)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if _, err := s.Run(ctx, in); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no time: %v", err)
	}
}

// What a caller does with outputs changes neither later runs nor its own inputs.
func TestOutputsBelongToTheCaller(t *testing.T) {
	spoil := func(out qrun.Tensors) {
		for _, o := range out {
			for i := range o.Bytes() {
				o.Bytes()[i] = 0xa5
			}
		}
	}
	for _, path := range digitModels {
		for _, p := range precisions {
			s := open(t, path, p.o)
			in := digitInput(t, digitImages(t)[:4*pixels])
			first := run(t, s, in)
			want := flat(first)
			spoil(first)
			if !bytes.Equal(flat(run(t, s, in)), want) {
				t.Errorf("%s %s: writing into outputs changed the next run", path, p.name)
			}
		}
	}
	// Outputs that are a weight, an input, views of both, and each other.
	g := mt.Graph(mt.In("x", mt.Spec(tensor.Float32, "n")), mt.Init("w", []float32{1, 2, 3}, 3), mt.Out("w", "v", "a", "b", "c"),
		mt.Node("Identity", "w", "v"), mt.Node("Identity", "x", "a"), mt.Init("shape", []int64{1, -1}, 2), mt.Node("Reshape", "x shape", "b"),
		mt.Node("Neg", "x", "c"))
	s, err := qrun.LoadProto(mt.Model(g).Proto, nil)
	if err != nil {
		t.Fatal(err)
	}
	x := []float32{4, 5}
	in := qrun.Tensors{"x": mt.Tensor(x)}
	first := run(t, s, in)
	want := flat(first)
	spoil(first)
	if x[0] != 4 || x[1] != 5 {
		t.Errorf("writing into outputs changed the input to %v", x)
	}
	if !bytes.Equal(flat(run(t, s, in)), want) {
		t.Error("writing into outputs changed the next run")
	}
}
