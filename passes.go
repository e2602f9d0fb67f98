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

var chainPass = dynquant.FuseChains().Name

// Passes lists the rewriting passes in their order. None of them changes an integer result, and none is needed for a
// model to run.
func Passes() []PassInfo {
	var list []PassInfo
	for _, p := range append(graph.Passes(), dynquant.FuseChains()) {
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
			return fmt.Errorf("there is no pass %q (there are: %s)", n, strings.Join(known, ", "))
		}
	}
	return nil
}

func disabled(names []string, pass string) bool { return slices.Contains(names, pass) }

// graphPasses leaves out the passes that package graph does not know.
func graphPasses(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == chainPass })
}
