package onnxtest

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/qrun-onnx/qrun"
)

// TestConformance runs all node tests of ONNX on every tier of kernels that this CPU has. testdata/known_failures.txt lists those that must not
// pass, each with its reason; a listed test that passes is a failure. The tolerances are those of ONNX's own runner.
func TestConformance(t *testing.T) {
	archive, ok := Shared("conformance", "onnx-testdata.tar.xz")
	if !ok {
		t.Skip("the ONNX node tests are not here")
	}
	dir := t.TempDir()
	if err := Unpack(archive, dir); err != nil {
		t.Fatal(err)
	}
	known, err := ReadExpectations(filepath.Join("testdata", "known_failures.txt"))
	if err != nil {
		t.Fatal(err)
	}
	cases, err := Find(filepath.Join(dir, "onnx", "backend", "test", "data"))
	if err != nil {
		t.Fatal(err)
	}
	tiers := qrun.Environment().Backends
	if testing.Short() {
		tiers = tiers[:1]
	}
	for _, tier := range tiers {
		t.Run(tier, func(t *testing.T) { runConformance(t, cases, known, tier) })
	}
}

// drawn is the reason of cases that compare random numbers, which pass by chance alone.
const drawn = "the expected values come from numpy's random generator"

func runConformance(t *testing.T, cases []Case, known Expectations, tier string) {
	count := map[Status]int{}
	used := map[string]bool{}
	limits := func(Case) Limits { return Limits{RTol: 1e-3, ATol: 1e-5} }
	for _, c := range cases {
		status, message := Pass, ""
		for _, r := range Run(context.Background(), c, &qrun.Options{Threads: 2, Backend: tier}, limits) {
			if r.Status != Pass && status == Pass {
				status, message = r.Status, r.Message
			}
		}
		count[status]++
		folder, reason, expected := known.Lookup(c.Name)
		used[folder] = true
		switch {
		case expected && status == Pass && reason == drawn: // ten draws without a seed agree now and then
		case expected && status == Pass:
			t.Errorf("%s passes and is listed: %s", c.Name, reason)
		case !expected && status != Pass:
			t.Errorf("%s: %s: %s", c.Name, status, message)
		}
	}
	for folder := range known {
		if !used[folder] {
			t.Errorf("%s is listed and does not exist", folder)
		}
	}
	t.Logf("%d cases: %v", len(cases), count)
}
