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
	var all []*Kernels
	for _, t := range []struct {
		name string
		isa  asm.ISA
	}{{"avx512vnni", asm.AVX512VNNI}, {"avxvnni", asm.AVXVNNI}, {"avx2", asm.AVX2}, {"scalar", asm.Scalar}} {
		if asm.Has(t.isa) {
			all = append(all, &Kernels{name: t.name, vec: asm.NewVector(t.isa)})
		}
	}
	return all
}
