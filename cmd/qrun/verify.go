package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qrun-onnx/qrun/internal/onnxtest"
)

type verifyDoc struct {
	Schema      string       `json:"schema"`
	Passed      int          `json:"passed"`
	Failed      int          `json:"failed"`
	Unsupported int          `json:"unsupported"`
	Errors      int          `json:"errors"`
	Cases       []verifyCase `json:"cases"`
}

type verifyCase struct {
	Model   string   `json:"model"`
	Set     string   `json:"set"`
	Status  string   `json:"status"`
	MaxAbs  *float64 `json:"max_abs"`
	MaxRel  *float64 `json:"max_rel"`
	Cosine  *float64 `json:"cosine"`
	SQNR    *float64 `json:"sqnr_db"` // null when the outputs are equal
	Seconds float64  `json:"seconds"`
	Message string   `json:"message"`
}

type verifyFlags struct {
	modelFlags
	rtol, atol, minCosine float64
	exact, json           bool
	list, expectFail      string
}

func (e *env) verifyCommand() *cobra.Command {
	f := &verifyFlags{}
	c := &cobra.Command{
		Use:   "verify PATH...",
		Short: "Run ONNX test data folders and compare with their outputs",
		Long: `Runs model folders (a model and test_data_set_* with input_*.pb and output_*.pb), or folders of such folders at any
depth, and compares the outputs with those stored. A manifest.json beside a model folder widens
the limits for the models that it names, where it has rtol, atol or min_cosine for them.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("want at least one folder")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(c, f.quantize); err != nil {
				return err
			}
			return e.verify(args, f)
		},
	}
	f.modelFlags.add(c)
	fl := c.Flags()
	fl.Float64Var(&f.rtol, "rtol", 1e-3, "relative tolerance of float outputs")
	fl.Float64Var(&f.atol, "atol", 1e-5, "absolute tolerance of float outputs")
	fl.Float64Var(&f.minCosine, "min-cosine", 0, "a float output passes also with at least this cosine")
	fl.BoolVar(&f.exact, "exact", false, "compare bits")
	fl.StringVar(&f.list, "list", "", "file with one model folder per line: only those run")
	fl.StringVar(&f.expectFail, "expect-fail", "", "file with a folder and a reason per line: those must not pass")
	fl.BoolVar(&f.json, "json", false, "print a JSON document")
	return c
}

func (e *env) verify(paths []string, f *verifyFlags) error {
	o, err := f.options(f.quantize)
	if err != nil {
		return err
	}
	for _, p := range paths {
		if !exists(p) {
			return fmt.Errorf("%s: no such folder", p)
		}
	}
	cases, err := f.cases(paths)
	if err != nil {
		return err
	}
	expected := onnxtest.Expectations{}
	if f.expectFail != "" {
		if expected, err = onnxtest.ReadExpectations(f.expectFail); err != nil {
			return err
		}
	}
	w := newWorker(e, f, o)
	defer w.stop()
	doc := verifyDoc{Schema: "qrun.verify/1", Cases: []verifyCase{}}
	wrong := 0
	for _, c := range cases {
		limits, err := f.limits(c)
		if err != nil {
			return err
		}
		_, reason, listed := expected.Lookup(c.Name)
		passed := true
		for _, r := range w.run(e.ctx, c, limits) {
			v := caseDoc(r)
			doc.add(v)
			passed = passed && r.Status == onnxtest.Pass
			if !f.json && !listed && r.Status != onnxtest.Pass {
				fmt.Fprintf(e.stdout, "%s/%s  %s: %s\n", v.Model, v.Set, v.Status, oneLine(v.Message))
			}
		}
		if passed == listed {
			wrong++
			if listed {
				fmt.Fprintf(e.stderr, "%s passes, and --expect-fail lists it: %s\n", c.Name, reason)
			}
		}
		if e.ctx.Err() != nil {
			return e.ctx.Err()
		}
	}
	if f.json {
		if err := e.printJSON(doc); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(e.stdout, "%d passed, %d failed, %d unsupported, %d errors\n", doc.Passed, doc.Failed, doc.Unsupported, doc.Errors)
	}
	if wrong > 0 {
		return outsideError{fmt.Errorf("%s not as expected", plural(wrong, "model"))}
	}
	return nil
}

// cases finds the model folders, reduced to those of --list.
func (f *verifyFlags) cases(paths []string) ([]onnxtest.Case, error) {
	cases, err := onnxtest.Find(paths...)
	if err != nil || f.list == "" {
		return cases, err
	}
	data, err := os.ReadFile(f.list)
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, line := range strings.Split(string(data), "\n") {
		if line = strings.Trim(strings.TrimSpace(line), "/"); line != "" && !strings.HasPrefix(line, "#") {
			wanted[line] = false
		}
	}
	kept := slices.DeleteFunc(cases, func(c onnxtest.Case) bool {
		for part := c.Name; ; {
			if _, ok := wanted[part]; ok {
				wanted[part] = true
				return false
			}
			_, rest, ok := strings.Cut(part, "/")
			if !ok {
				return true
			}
			part = rest
		}
	})
	for name, found := range wanted {
		if !found {
			return nil, fmt.Errorf("--list %s: no model folder %q", f.list, name)
		}
	}
	return kept, nil
}

// limits are those of the flags, replaced by what a manifest.json above the folder says of the model.
func (f *verifyFlags) limits(c onnxtest.Case) (onnxtest.Limits, error) {
	l := onnxtest.Limits{RTol: f.rtol, ATol: f.atol, Exact: f.exact, MinCosine: f.minCosine}
	return l, onnxtest.ManifestLimits(filepath.Dir(c.Model), &l)
}

func (d *verifyDoc) add(c verifyCase) {
	d.Cases = append(d.Cases, c)
	switch onnxtest.Status(c.Status) {
	case onnxtest.Pass:
		d.Passed++
	case onnxtest.Fail:
		d.Failed++
	case onnxtest.Unsupported:
		d.Unsupported++
	default:
		d.Errors++
	}
}

func caseDoc(r onnxtest.Result) verifyCase {
	c := verifyCase{Model: r.Model, Set: r.Set, Status: string(r.Status), Seconds: r.Time.Seconds(), Message: r.Message}
	if r.Errors.Floats {
		c.MaxAbs, c.MaxRel, c.Cosine, c.SQNR = finite(r.Errors.MaxAbs), finite(r.Errors.MaxRel), finite(r.Errors.Cosine), finite(r.Errors.SQNR)
	}
	return c
}
