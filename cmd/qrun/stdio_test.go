package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/qrun-onnx/qrun/internal/modeltest"
	"github.com/qrun-onnx/qrun/onnx"
)

// child is a command whose stdin and stdout are pipes.
type child struct {
	t    *testing.T
	in   io.WriteCloser
	out  *bufio.Reader
	errs bytes.Buffer
	done chan int
}

func startChild(t *testing.T, args ...string) *child {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	c := &child{t: t, in: inW, out: bufio.NewReader(outR), done: make(chan int, 1)}
	e := &env{ctx: context.Background(), stdin: inR, stdout: outW, stderr: &c.errs}
	go func() {
		code := e.main(args)
		outW.Close()
		c.done <- code
	}()
	return c
}

// ask writes a line, unless it is empty, and returns the fields of the answer.
func (c *child) ask(line string) []string {
	c.t.Helper()
	if line != "" {
		fmt.Fprintln(c.in, line)
	}
	answer, err := c.out.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%q: no answer: %v %s", line, err, &c.errs)
	}
	return strings.Fields(answer)
}

func (c *child) end(want int) {
	c.t.Helper()
	if rest, err := io.ReadAll(c.out); err != nil || len(rest) > 0 {
		c.t.Errorf("stdout has more: %q %v", rest, err)
	}
	select {
	case got := <-c.done:
		if got != want {
			c.t.Errorf("exit code %d, want %d: %s", got, want, &c.errs)
		}
	case <-time.After(10 * time.Second):
		c.t.Fatal("it does not end")
	}
}

func benchInputs(t *testing.T) string {
	dir := t.TempDir()
	if err := onnx.WriteTensorFile(filepath.Join(dir, "input_0.pb"), "image", Tensor(make([]float32, 2*64), 2, 64)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestBenchStdio(t *testing.T) {
	for _, quantize := range []string{"none", "dynamic", "fp16"} {
		c := startChild(t, "bench", "--stdio", filepath.Join(digits, "mlp.onnx"), "--threads", "1", "--inputs", benchInputs(t), "--quantize", quantize)
		ready := c.ask("")
		if len(ready) != 3 || ready[0] != "ready" || !isCount(ready[1]) || !isCount(ready[2]) {
			t.Fatalf("%q, want ready LOAD_NS RSS_KB", ready)
		}
		for _, n := range []int{3, 1, 5} {
			times := c.ask(fmt.Sprint("run ", n))
			if len(times) != n {
				t.Fatalf("run %d: %q", n, times)
			}
			for _, d := range times {
				if !isCount(d) {
					t.Errorf("run %d: %q is not a number of nanoseconds", n, d)
				}
			}
		}
		if rss := c.ask("rss"); len(rss) != 1 || !isCount(rss[0]) {
			t.Errorf("rss: %q", rss)
		}
		fmt.Fprintln(c.in, "quit")
		c.end(exitOK)
	}
}

func isCount(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && n > 0
}

func TestBenchStdioEnd(t *testing.T) {
	for _, test := range []struct {
		line string
		code int
		err  string
	}{
		{"", exitOK, ""}, // the parent is gone
		{"run x\n", exitFailure, `"run x": want run N`},
		{"run 0\n", exitFailure, `"run 0": want run N`},
		{"jump\n", exitFailure, `"jump": want run N, rss or quit`},
	} {
		c := startChild(t, "bench", "--stdio", filepath.Join(digits, "mlp.onnx"), "--inputs", benchInputs(t))
		c.ask("")
		fmt.Fprint(c.in, test.line)
		c.in.Close()
		c.end(test.code)
		if !strings.Contains(c.errs.String(), test.err) {
			t.Errorf("%q: %q, want %q", test.line, c.errs.String(), test.err)
		}
	}
}
