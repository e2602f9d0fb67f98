package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

// writeOutputs writes the outputs of the samples: one file for one sample, else one per sample with its number.
func writeOutputs(path string, outputs []qrun.Output, all []qrun.Tensors) error {
	for i, out := range all {
		p := path
		if len(all) > 1 {
			ext := filepath.Ext(path)
			p = fmt.Sprintf("%s_%d%s", strings.TrimSuffix(path, ext), i, ext)
		}
		if err := writeOne(p, outputs, out); err != nil {
			return fmt.Errorf("--output %s: %w", p, err)
		}
	}
	return nil
}

// checkOutputName refuses names that writeOne would, before the model has run.
func checkOutputName(path string) error {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".npz", ".npy", ".json", "":
		return nil
	}
	return usagef("--output %s: want .npz, .npy, .json or a folder's name without a dot", path)
}

func writeOne(path string, outputs []qrun.Output, out qrun.Tensors) error {
	var names []string
	for _, o := range outputs {
		names = append(names, o.Name)
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".npz":
		return atomically(path, func(w io.Writer) error { return writeNPZ(w, names, out) })
	case ".npy":
		if len(names) != 1 {
			return usagef("the model has %d outputs (%s): write .npz", len(names), strings.Join(names, ", "))
		}
		return atomically(path, func(w io.Writer) error { return writeNPY(w, out[names[0]]) })
	case ".json":
		doc, err := outputsJSON(names, out)
		if err != nil {
			return err
		}
		return atomically(path, func(w io.Writer) error { return json.NewEncoder(w).Encode(doc) })
	}
	return writeFolder(path, names, out)
}

func writeFolder(dir string, names []string, out qrun.Tensors) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i, name := range names {
		if err := onnx.WriteTensorFile(filepath.Join(dir, fmt.Sprintf("output_%d.pb", i)), name, out[name]); err != nil {
			return err
		}
	}
	return nil
}

// atomically writes a file that appears whole or not at all.
func atomically(path string, write func(io.Writer) error) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		var p *os.PathError
		if errors.As(err, &p) { // it names the temporary file
			return p.Err
		}
		return err
	}
	defer func() {
		tmp.Close()
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	if err := write(tmp); err != nil {
		return err
	}
	if err := tmp.Chmod(0o644); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// namedValues is a JSON object whose keys keep the order of the model.
type namedValues struct {
	names  []string
	values []any
}

func (n namedValues) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range n.names {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(n.values[i])
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func outputsJSON(names []string, out map[string]*tensor.Tensor) (namedValues, error) {
	doc := namedValues{names: names}
	for _, name := range names {
		v, err := toJSON(out[name])
		if err != nil {
			return doc, fmt.Errorf("%s: %w", name, err)
		}
		doc.values = append(doc.values, v)
	}
	return doc, nil
}

// printValues prints the outputs alone, as JSON, a line per sample.
func (e *env) printValues(r *ran) error {
	var names []string
	for _, o := range r.session.Outputs() {
		names = append(names, o.Name)
	}
	for _, out := range r.out {
		doc, err := outputsJSON(names, out)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(e.stdout).Encode(doc); err != nil {
			return err
		}
	}
	return nil
}

// printJSON prints a document indented.
func (e *env) printJSON(doc any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetIndent("", " ")
	enc.SetEscapeHTML(false)
	return enc.Encode(doc)
}

type runDoc struct {
	Schema  string       `json:"schema"`
	Model   string       `json:"model"`
	Backend string       `json:"backend"`
	Threads int          `json:"threads"`
	Samples int          `json:"samples"`
	Results []runResult  `json:"results"`
	Against []compareOut `json:"against_float32,omitempty"`
}

type runResult struct {
	Mode         string      `json:"mode"`
	LoadMS       float64     `json:"load_ms"`
	MedianMS     float64     `json:"median_ms"`
	WeightsBytes int64       `json:"weights_bytes"`
	Accuracy     *float64    `json:"accuracy,omitempty"`
	Outputs      []valueDoc  `json:"outputs"`
	Values       namedValues `json:"values"` // of the first sample
	Timings      *profileDoc `json:"timings,omitempty"`
}

type valueDoc struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []any  `json:"shape"`
}

func (e *env) printRunJSON(path string, f *runFlags, all []*ran, in *loaded, labels []int64, p *profile) error {
	doc := runDoc{Schema: "qrun.run/1", Model: path, Samples: len(in.runs)}
	for _, r := range all {
		doc.Backend, doc.Threads = r.session.Backend(), r.session.Threads()
		res := runResult{Mode: r.name, LoadMS: ms(r.load), MedianMS: ms(r.timing.median), WeightsBytes: r.session.WeightsBytes()}
		var names []string
		for _, o := range r.session.Outputs() {
			names = append(names, o.Name)
			s := r.out[0][o.Name].Spec()
			res.Outputs = append(res.Outputs, valueDoc{o.Name, typeName(s), dimsJSON(s)})
		}
		values, err := outputsJSON(names, r.out[0])
		if err != nil {
			return err
		}
		res.Values = values
		if labels != nil {
			a := float64(r.right) / float64(len(labels))
			res.Accuracy = &a
		}
		doc.Results = append(doc.Results, res)
	}
	if len(all) == 2 {
		for _, o := range all[1].session.Outputs() {
			c, err := closeness(all[0].out, all[1].out, o.Name)
			if err != nil {
				continue // strings and sequences have no distance
			}
			doc.Against = append(doc.Against, c.doc(o.Name))
		}
	}
	if p != nil {
		doc.Results[len(all)-1].Timings = p.doc(&f.observeFlags)
	}
	return e.printJSON(doc)
}
