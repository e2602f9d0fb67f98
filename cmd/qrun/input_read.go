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
