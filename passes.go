package qrun

import (
	"fmt"
	"slices"
	"strings"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/ops/dynquant"
)

// PassInfo names a rewriting pass that Options.DisablePasses switches off.
type PassInfo struct{ Name, Doc string }

// int8Passes are the passes that are no part of graph.Passes: one comes before those, one between them, one after them.
func int8Passes() []graph.Pass {
	return []graph.Pass{dynquant.FuseQDQ(), dynquant.FuseChains(), dynquant.FuseNorms()}
}

// Passes lists the rewriting passes. None is needed for a model to run. None changes an integer result but qdq, which
// computes in integers what the file describes in floats.
func Passes() []PassInfo {
	var list []PassInfo
	for _, p := range append(graph.Passes(), int8Passes()...) {
		list = append(list, PassInfo{p.Name, p.Doc})
	}
	return list
}

func checkPasses(names []string) error {
	var known []string
	for _, p := range Passes() {
		known = append(known, p.Name)
	}
	for _, n := range names {
		if !slices.Contains(known, n) {
			return &OptionError{Text: fmt.Sprintf("there is no pass %q (there are: %s)", n, strings.Join(known, ", "))}
		}
	}
	return nil
}

// graphPasses leaves out the passes that package graph does not know.
func graphPasses(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		return slices.ContainsFunc(int8Passes(), func(p graph.Pass) bool { return p.Name == n })
	})
}
