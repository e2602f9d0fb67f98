// Package onnxtest runs models on the inputs of ONNX's test data and compares what comes out with what should.
package onnxtest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Case is a model folder: a model file and data sets.
type Case struct {
	Name  string   // of the folder, relative to the parent of the path that was given, with slashes
	Model string   // path of the model file; empty where the folder has data sets alone
	Sets  []string // paths of the test_data_set_* folders, in order
}

// Find lists the model folders at and below the paths, sorted by name: folders with test_data_set_*, whether or not the
// model is there too.
func Find(paths ...string) ([]Case, error) {
	var cases []Case
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			return nil, fmt.Errorf("%s is a file, want a folder with a model and test_data_set_* or a folder of such folders", p)
		}
		base := filepath.Dir(filepath.Clean(p))
		n := len(cases)
		err = filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			c, ok, err := caseAt(path, base)
			if err != nil {
				return err
			}
			if ok {
				cases = append(cases, c)
				return fs.SkipDir
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(cases) == n {
			return nil, fmt.Errorf("%s: no folder in it has a model and test_data_set_*", p)
		}
	}
	slices.SortStableFunc(cases, func(a, b Case) int { return strings.Compare(a.Name, b.Name) })
	return cases, nil
}

func caseAt(dir, base string) (c Case, ok bool, err error) {
	sets, err := filepath.Glob(filepath.Join(dir, "test_data_set_*"))
	if err != nil || len(sets) == 0 {
		return c, false, err
	}
	model := filepath.Join(dir, "model.onnx")
	if _, err := os.Stat(model); err != nil {
		files, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
		if err != nil {
			return c, false, err
		}
		if model = ""; len(files) == 1 {
			model = files[0]
		}
	}
	name, err := filepath.Rel(base, dir)
	if err != nil {
		name = dir
	}
	slices.SortFunc(sets, func(a, b string) int {
		if len(a) != len(b) { // test_data_set_10 after test_data_set_9
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return Case{Name: filepath.ToSlash(name), Model: model, Sets: sets}, true, nil
}
