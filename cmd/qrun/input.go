package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/tensor"
)

// inputFlags are the flags that say on what a model runs.
type inputFlags struct {
	specs []string // [name=]value
	dims  map[string]int
	seed  uint64
	image string // how pixels become floats
	stdin io.Reader
}

// loaded are the inputs of one or several runs and what is to be told about them.
type loaded struct {
	runs  []qrun.Tensors
	notes []string // per input: where its values come from
	// generated names the inputs that were made up; then a result says nothing about accuracy.
	generated []string
}

// load reads the given inputs and makes up the others.
func (f *inputFlags) load(inputs []qrun.Input) (*loaded, error) {
	columns := map[string][]*tensor.Tensor{} // per input: one value, or one per run
	origin := map[string]string{}
	generators := map[string]string{}
	for _, spec := range f.specs {
		if err := f.read(spec, inputs, columns, origin, generators); err != nil {
			return nil, fmt.Errorf("--input %s: %w", spec, err)
		}
	}
	if err := f.checkValues(inputs); err != nil {
		return nil, err
	}
	n := 1
	for name, c := range columns {
		if len(c) > 1 {
			if n > 1 && len(c) != n {
				return nil, fmt.Errorf("input %q has %d values, another has %d", name, len(c), n)
			}
			n = len(c)
		}
	}
	l := &loaded{runs: make([]qrun.Tensors, n)}
	for i := range l.runs {
		l.runs[i] = qrun.Tensors{}
	}
	filled := map[string]string{}
	for _, in := range inputs {
		if c := columns[in.Name]; c != nil {
			note, err := f.fill(l.runs, in, c)
			if err != nil {
				return nil, err
			}
			if !exists(origin[in.Name]) {
				note = "" // numbers on the command line have no type
			}
			filled[in.Name] = join(origin[in.Name], note)
		}
	}
	bound := f.bind(inputs, l.runs[0])
	for _, in := range inputs {
		if columns[in.Name] != nil {
			l.notes = append(l.notes, filled[in.Name])
			continue
		}
		g := generator{how: generators[in.Name], seed: f.seed, dims: bound}
		t, note, err := g.make(in)
		if err != nil {
			return nil, err
		}
		for _, r := range l.runs {
			r[in.Name] = t
		}
		l.notes = append(l.notes, note)
		l.generated = append(l.generated, in.Name)
	}
	return l, nil
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ", " + b
}

func (f *inputFlags) fill(runs []qrun.Tensors, in qrun.Input, values []*tensor.Tensor) (note string, err error) {
	for i := range runs {
		t := values[min(i, len(values)-1)]
		t, note, err = convert(t, in.Spec.DType)
		if err != nil {
			return "", fmt.Errorf("input %q wants %v: %w", in.Name, in.Spec, err)
		}
		if t, err = fitShape(t, in.Spec); err != nil {
			return "", fmt.Errorf("input %q: %w", in.Name, err)
		}
		runs[i][in.Name] = t
	}
	return note, nil
}

// fitShape adds leading dimensions of size 1 where the value has fewer than the input, as a single image for a batch.
func fitShape(t *tensor.Tensor, s tensor.Spec) (*tensor.Tensor, error) {
	if !s.Ranked || t.Kind() != tensor.KindTensor || t.Rank() >= len(s.Dims) {
		return t, nil
	}
	shape := slices.Clone(t.Shape())
	for len(shape) < len(s.Dims) {
		d := s.Dims[len(s.Dims)-len(shape)-1]
		if d.Known() && d.Size != 1 {
			return t, nil // the session says what it wants
		}
		shape = append([]int{1}, shape...)
	}
	return t.Reshape(shape...)
}

// checkValues refuses flags that say nothing about these inputs.
func (f *inputFlags) checkValues(inputs []qrun.Input) error {
	if !slices.Contains([]string{"imagenet", "unit", "raw"}, f.image) {
		return usagef("--image %q, want imagenet, unit or raw", f.image)
	}
	for name, n := range f.dims {
		if n < 0 {
			return usagef("--dim %s=%d, want 0 or more", name, n)
		}
		var have []string
		for _, in := range inputs {
			for _, d := range in.Spec.Dims {
				if d.Name != "" && !slices.Contains(have, d.Name) {
					have = append(have, d.Name)
				}
			}
		}
		if !slices.Contains(have, name) {
			return usagef("--dim: no input has a dimension %q (there are: %s)", name, orNone(have))
		}
	}
	return nil
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// bind gives the sizes of symbolic dimensions: from --dim, else from the values that were given.
func (f *inputFlags) bind(inputs []qrun.Input, given qrun.Tensors) map[string]int {
	bound := map[string]int{}
	for _, in := range inputs {
		t := given[in.Name]
		if t == nil || t.Rank() != len(in.Spec.Dims) {
			continue
		}
		for i, d := range in.Spec.Dims {
			if _, ok := bound[d.Name]; d.Name != "" && !ok {
				bound[d.Name] = t.Shape()[i]
			}
		}
	}
	for name, n := range f.dims {
		bound[name] = n
	}
	return bound
}
