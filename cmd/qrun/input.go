package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/onnx"
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

// read interprets one --input.
func (f *inputFlags) read(spec string, inputs []qrun.Input, columns map[string][]*tensor.Tensor, origin, generators map[string]string) error {
	name, value, named := cutName(spec, inputs)
	if named && !hasInput(inputs, name) {
		return usagef("no input %q (there are: %s)", name, inputNames(inputs))
	}
	if isGenerator(value) {
		for _, in := range inputs {
			if !named || in.Name == name {
				generators[in.Name] = value
			}
		}
		return nil
	}
	all, err := f.readValues(value, named, inputs)
	if err != nil {
		return err
	}
	for key, t := range all {
		if named {
			key = name
		} else if key == "" {
			if len(inputs) != 1 {
				return usagef("the model has %d inputs (%s): write NAME=%s", len(inputs), inputNames(inputs), value)
			}
			key = inputs[0].Name
		}
		if !hasInput(inputs, key) {
			return usagef("no input %q (there are: %s)", key, inputNames(inputs))
		}
		columns[key] = append(columns[key], t...)
		origin[key] = value
	}
	return nil
}

// cutName splits [name=]value. A name is taken only when it could be one, since file names hold = too.
func cutName(spec string, inputs []qrun.Input) (name, value string, named bool) {
	for _, in := range inputs {
		if v, ok := strings.CutPrefix(spec, in.Name+"="); ok {
			return in.Name, v, true
		}
	}
	if name, value, ok := strings.Cut(spec, "="); ok && !exists(spec) {
		return name, value, true
	}
	return "", spec, false
}

func hasInput(inputs []qrun.Input, name string) bool {
	return slices.ContainsFunc(inputs, func(in qrun.Input) bool { return in.Name == name })
}

func inputNames(inputs []qrun.Input) string {
	names := make([]string, len(inputs))
	for i, in := range inputs {
		names[i] = in.Name
	}
	return orNone(names)
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// readValues reads a file, a folder, standard input or a literal list. The key "" stands for the only input.
func (f *inputFlags) readValues(value string, named bool, inputs []qrun.Input) (map[string][]*tensor.Tensor, error) {
	one := func(t *tensor.Tensor, err error) (map[string][]*tensor.Tensor, error) {
		return map[string][]*tensor.Tensor{"": {t}}, err
	}
	if value == "-" {
		data, err := io.ReadAll(f.stdin)
		if err != nil {
			return nil, err
		}
		return many(readNPZ(bytes.NewReader(data), int64(len(data))))
	}
	info, err := os.Stat(value)
	if err != nil {
		if v, shape, perr := parseNumbers(value); perr == nil {
			return one(fromFloats(v, tensor.Float64, shape))
		}
		return nil, fmt.Errorf("neither a file nor numbers, zeros, ones or random")
	}
	if info.IsDir() {
		return f.readFolder(value, inputs)
	}
	switch ext := strings.ToLower(filepath.Ext(value)); ext {
	case ".npy":
		return one(readNPYFile(value))
	case ".npz":
		file, err := os.Open(value)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		return many(readNPZ(file, info.Size()))
	case ".pb":
		name, t, err := onnx.ReadTensorFile(value, tensor.Spec{})
		if err != nil {
			return nil, err
		}
		if named || !hasInput(inputs, name) {
			name = ""
		}
		return map[string][]*tensor.Tensor{name: {t}}, nil
	case ".json":
		return readJSONFile(value)
	case ".png", ".jpg", ".jpeg", ".gif":
		t, err := readImage(value, f.image, imageInput(inputs))
		return one(t, err)
	default:
		return nil, fmt.Errorf("files of type %q are not read, only .npy .npz .pb .json .png .jpg .gif", ext)
	}
}

func many(all map[string]*tensor.Tensor, err error) (map[string][]*tensor.Tensor, error) {
	columns := map[string][]*tensor.Tensor{}
	for name, t := range all {
		columns[name] = []*tensor.Tensor{t}
	}
	return columns, err
}

func readJSONFile(path string) (map[string][]*tensor.Tensor, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var doc any
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	object, ok := doc.(map[string]any)
	if !ok {
		object = map[string]any{"": doc}
	}
	columns := map[string][]*tensor.Tensor{}
	for name, v := range object {
		flat, shape, err := flattenJSON(v)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
		t, err := fromFloats(flat, tensor.Float64, shape)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
		columns[name] = []*tensor.Tensor{t}
	}
	return columns, nil
}

// readFolder reads input_*.pb of ONNX's test data, or every readable file as a run of its own, in the order of names.
func (f *inputFlags) readFolder(dir string, inputs []qrun.Input) (map[string][]*tensor.Tensor, error) {
	files, err := filepath.Glob(filepath.Join(dir, "input_*.pb"))
	if err != nil {
		return nil, err
	}
	columns := map[string][]*tensor.Tensor{}
	for i := range files {
		path := filepath.Join(dir, fmt.Sprintf("input_%d.pb", i))
		var spec tensor.Spec
		if i < len(inputs) {
			spec = inputs[i].Spec
		}
		name, t, err := onnx.ReadTensorFile(path, spec)
		if err != nil {
			return nil, err
		}
		if !hasInput(inputs, name) {
			if i >= len(inputs) {
				return nil, fmt.Errorf("%s: the model has %d inputs", path, len(inputs))
			}
			name = inputs[i].Name
		}
		columns[name] = []*tensor.Tensor{t}
	}
	if len(files) > 0 {
		return columns, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		switch strings.ToLower(filepath.Ext(e.Name())) {
		case ".npy", ".npz", ".json", ".png", ".jpg", ".jpeg", ".gif":
			part, err := f.readValues(filepath.Join(dir, e.Name()), false, inputs)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", e.Name(), err)
			}
			for name, t := range part {
				columns[name] = append(columns[name], t...)
			}
		}
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("no input_*.pb, .npy, .npz, .json or image in it")
	}
	return columns, nil
}
