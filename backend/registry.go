package backend

import (
	"fmt"
	"strings"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// New returns the kernels of the tier with that name, "" for the best one this CPU can run. The error of a tier that
// cannot run here lists those that can.
func New(name string) (*Kernels, error) {
	all := All()
	if name == "" {
		return all[0], nil
	}
	names := make([]string, len(all))
	for i, k := range all {
		if k.name == name {
			return k, nil
		}
		names[i] = k.name
	}
	return nil, fmt.Errorf("backend %q is unknown or not supported by this cpu, which can run: %s", name, strings.Join(names, ", "))
}

// All returns the tiers that this CPU can run, best first, scalar last.
func All() []*Kernels {
	return []*Kernels{{name: "scalar", vec: asm.VectorScalar()}}
}
