package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/internal/onnxtest"
)

// workerVariable makes the process a worker of verify: it runs the cases that come on stdin, so that one which crashes,
// hangs or takes all memory takes only the worker with it.
const workerVariable = "QRUN_VERIFY_WORKER"

type workerRequest struct {
	Case    onnxtest.Case
	Limits  onnxtest.Limits
	Options workerOptions
}

// workerOptions are the options that verify has flags for.
type workerOptions struct {
	Quantize, Profile        string
	Ops, Only, Exclude, Pass []string
	MinElements, Threads     int
	Cache                    string
}

func (o workerOptions) options() *qrun.Options {
	return &qrun.Options{Quantize: qrun.Quantize(o.Quantize), Profile: qrun.Profile(o.Profile), Ops: o.Ops, Only: o.Only, Exclude: o.Exclude,
		DisablePasses: o.Pass, MinElements: o.MinElements, Threads: o.Threads, CacheDir: o.Cache}
}

// serveWorker answers requests until stdin ends.
func (e *env) serveWorker() error {
	limitMemory()
	in := json.NewDecoder(e.stdin)
	out := json.NewEncoder(e.stdout)
	for {
		var r workerRequest
		if err := in.Decode(&r); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		results := onnxtest.Run(e.ctx, r.Case, r.Options.options(), func(onnxtest.Case) onnxtest.Limits { return r.Limits })
		for i := range results {
			results[i].Errors = results[i].Errors.Finite()
		}
		if err := out.Encode(results); err != nil {
			return err
		}
	}
}

// worker is the parent's side; it starts the process when there is something to run.
type worker struct {
	e       *env
	options workerOptions
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     chan []byte // lines; closed when the process ends
	stderr  *tail
}

func newWorker(e *env, f *verifyFlags, o *qrun.Options) *worker {
	return &worker{e: e, options: workerOptions{string(o.Quantize), string(o.Profile), o.Ops, o.Only, o.Exclude, o.DisablePasses, o.MinElements, f.threads, o.CacheDir}}
}

func (w *worker) start() error {
	self := os.Args[0]
	if !strings.ContainsRune(self, filepath.Separator) {
		path, err := exec.LookPath(self)
		if err != nil {
			return err
		}
		self = path
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), workerVariable+"=1")
	w.stderr = &tail{}
	cmd.Stderr = w.stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := make(chan []byte, 1)
	go func() {
		defer close(lines)
		for r := bufio.NewReader(out); ; {
			line, err := r.ReadBytes('\n')
			if err != nil {
				return
			}
			lines <- line
		}
	}()
	w.cmd, w.in, w.out = cmd, in, lines
	return nil
}

func (w *worker) stop() {
	if w.cmd == nil {
		return
	}
	w.in.Close()
	_ = w.cmd.Process.Kill() // it may have ended by itself
	_ = w.cmd.Wait()         // of a killed process always an error
	w.cmd = nil
}

// run runs a case in the worker. When that dies or does not answer, every set of the case is an error, and the next
// case gets a new worker.
func (w *worker) run(ctx context.Context, c onnxtest.Case, l onnxtest.Limits) []onnxtest.Result {
	if c.Model == "" {
		fmt.Fprintf(w.e.stderr, "%s: has no model file, skipped\n", c.Name)
		return nil
	}
	results, err := w.ask(ctx, workerRequest{c, l, w.options})
	if err == nil {
		return results
	}
	w.stop()
	return onnxtest.Failed(c, err)
}

func (w *worker) ask(ctx context.Context, r workerRequest) (results []onnxtest.Result, err error) {
	if w.cmd == nil {
		if err := w.start(); err != nil {
			return nil, err
		}
	}
	if err := json.NewEncoder(w.in).Encode(r); err != nil {
		return nil, fmt.Errorf("the process ended: %s", w.stderr.first())
	}
	// The worker keeps the time itself; this is for one that cannot.
	patience := time.NewTimer(onnxtest.Timeout + 10*time.Second)
	defer patience.Stop()
	select {
	case line, ok := <-w.out:
		if !ok {
			_ = w.cmd.Wait()
			return nil, fmt.Errorf("the process ended: %s", w.stderr.first())
		}
		err = json.Unmarshal(line, &results)
		return results, err
	case <-patience.C:
		return nil, fmt.Errorf("not done after %v", onnxtest.Timeout)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// tail keeps the beginning of what a process says on stderr.
type tail struct{ text []byte }

func (t *tail) Write(p []byte) (int, error) {
	if n := 4096 - len(t.text); n > 0 {
		t.text = append(t.text, p[:min(n, len(p))]...)
	}
	return len(p), nil
}

func (t *tail) first() string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(t.text)), "\n")
	if line == "" {
		return "without a word"
	}
	return line
}
