package onnxtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

// Status is how a data set went.
type Status string

// The statuses.
const (
	Pass        Status = "pass"
	Fail        Status = "fail"        // ran, and something differs
	Unsupported Status = "unsupported" // an operator, type or attribute that is not implemented
	Error       Status = "error"       // anything else
)

// Limits say when an output is right.
type Limits struct {
	RTol, ATol float64 // a float passes when |got-want| <= ATol + RTol*|want|
	Exact      bool    // bits, in place of the tolerances
	MinCosine  float64 // a float output also passes with at least this cosine; 0: never by that
}

// Result is what came of one data set.
type Result struct {
	Model   string
	Set     string
	Status  Status
	Message string
	Errors  Measures
	Time    time.Duration // of the run alone
}

// Measures are over the float outputs of a data set: the largest errors, the lowest cosine and SQNR.
type Measures struct {
	Floats         bool // whether there was a float output
	MaxAbs, MaxRel float64
	Cosine, SQNR   float64
}

// Finite replaces the infinities, which JSON lacks, by the largest numbers.
func (m Measures) Finite() Measures {
	for _, x := range []*float64{&m.MaxAbs, &m.MaxRel, &m.Cosine, &m.SQNR} {
		if math.IsNaN(*x) {
			*x = 0
		}
		*x = min(max(*x, -math.MaxFloat64), math.MaxFloat64)
	}
	return m
}

// Timeout is how long loading a model, or one run, may take.
const Timeout = 60 * time.Second

// Run runs every data set of a case. A panic, or a case that does not end in time, is that case's error. limits may
// depend on the set's name.
func Run(ctx context.Context, c Case, o *qrun.Options, limits func(Case) Limits) []Result {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	s, err := within(ctx, func() (*qrun.Session, error) { return qrun.Open(c.Model, o) })
	if err != nil {
		return Failed(c, err)
	}
	var results []Result
	for _, set := range c.Sets {
		results = append(results, runSet(ctx, s, c, set, limits(c)))
	}
	return results
}

// Failed is the result of a case of which no set could be run.
func Failed(c Case, err error) []Result {
	var r []Result
	for _, set := range c.Sets {
		r = append(r, Result{Model: c.Name, Set: filepath.Base(set), Status: statusOf(err), Message: err.Error(), Errors: noErrors()})
	}
	return r
}

// within calls f on a goroutine of its own and does not wait for it longer than ctx lasts.
func within[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				r.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
			done <- r
		}()
		r.v, r.err = f()
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
		var zero T
		return zero, fmt.Errorf("not done after %v", Timeout)
	}
}

func statusOf(err error) Status {
	if errors.Is(err, qrun.ErrUnsupported) {
		return Unsupported
	}
	return Error
}

func noErrors() Measures { return Measures{Cosine: 1, SQNR: math.Inf(1)} }

func runSet(ctx context.Context, s *qrun.Session, c Case, set string, l Limits) Result {
	r := Result{Model: c.Name, Set: filepath.Base(set), Errors: noErrors()}
	fail := func(err error) Result {
		r.Status, r.Message = statusOf(err), err.Error()
		return r
	}
	in, err := ReadInputs(set, s.Inputs())
	if err != nil {
		return fail(err)
	}
	start := time.Now()
	out, err := within(ctx, func() (qrun.Tensors, error) { return s.Run(ctx, in) })
	if err != nil {
		return fail(err)
	}
	r.Time = time.Since(start)
	r.Status = Pass
	for i, o := range s.Outputs() {
		want, err := readOutput(set, i, o)
		if err != nil {
			return fail(err)
		}
		if want == nil {
			continue
		}
		if m := compare(out[o.Name], want, l, &r.Errors); m != "" && r.Status == Pass {
			r.Status, r.Message = Fail, fmt.Sprintf("output %q: %s", o.Name, m)
		}
	}
	return r
}

// ReadInputs reads a data set's input_*.pb: by the tensors' names where they are the model's, else by position.
// Initializers that the file lists among the inputs too are passed over.
func ReadInputs(set string, inputs []qrun.Input) (qrun.Tensors, error) {
	files, err := filepath.Glob(filepath.Join(set, "input_*.pb"))
	if err != nil {
		return nil, err
	}
	in := qrun.Tensors{}
	for i := range files {
		path := filepath.Join(set, fmt.Sprintf("input_%d.pb", i))
		var spec tensor.Spec
		if i < len(inputs) {
			spec = inputs[i].Spec
		}
		name, t, err := onnx.ReadTensorFile(path, spec)
		if err != nil {
			return nil, err
		}
		if !named(inputs, name) {
			if i >= len(inputs) {
				continue
			}
			name = inputs[i].Name
		}
		in[name] = t
	}
	return in, nil
}

func named(inputs []qrun.Input, name string) bool {
	for _, in := range inputs {
		if in.Name == name {
			return true
		}
	}
	return false
}

// ReadOutputs reads a data set's output_*.pb by position; outputs without a file are left out.
func ReadOutputs(set string, outputs []qrun.Output) (qrun.Tensors, error) {
	out := qrun.Tensors{}
	for i, o := range outputs {
		t, err := readOutput(set, i, o)
		if err != nil {
			return nil, err
		}
		if t != nil {
			out[o.Name] = t
		}
	}
	return out, nil
}

// readOutput reads output_I.pb; nil when the data set has none, as for an optional output that is absent.
func readOutput(set string, i int, o qrun.Output) (*tensor.Tensor, error) {
	path := filepath.Join(set, fmt.Sprintf("output_%d.pb", i))
	if !isFile(path) {
		return nil, nil
	}
	_, t, err := onnx.ReadTensorFile(path, o.Spec)
	return t, err
}
