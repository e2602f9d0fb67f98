package graph

import (
	"fmt"
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// sameExactShape reports whether two values of the model's graph have equal shapes in every run. Symbols of the file do
// not prove that, since files give one name to different dimensions; the proof is that both shapes come from the same
// dimensions of the same values.
func (pc *PassCtx) sameExactShape(a, b *Value) (bool, error) {
	if sameShape(a.Spec, b.Spec) {
		return true, nil
	}
	if pc.exact == nil {
		e := newInference(false, nil)
		e.distinct = true
		if err := e.graph(pc.root, distinctSymbols(pc.root.Inputs), nil); err != nil {
			return false, err
		}
		pc.exact = e
	}
	x, okX := pc.exact.specs[a]
	y, okY := pc.exact.specs[b]
	if !okX || !okY || !x.Ranked || !y.Ranked || len(x.Dims) != len(y.Dims) {
		return false, nil
	}
	for i, d := range x.Dims {
		if d != y.Dims[i] || d.Size < 0 && d.Name == "" {
			return false, nil
		}
	}
	return true, nil
}

// distinctSymbols are the specs of inputs with a name of its own for each dimension that is open.
func distinctSymbols(inputs []*Value) []tensor.Spec {
	specs := make([]tensor.Spec, len(inputs))
	for i, v := range inputs {
		specs[i] = v.Spec
		specs[i].Dims = slices.Clone(v.Spec.Dims)
		for k, d := range specs[i].Dims {
			if d.Size < 0 {
				specs[i].Dims[k].Name = fmt.Sprintf("%d.%d", i, k)
			}
		}
	}
	return specs
}

// sameShape reports whether two specs are surely of the same shape. Symbols do not count: one name may stand for
// different sizes.
func sameShape(a, b tensor.Spec) bool {
	if !a.Ranked || !b.Ranked || len(a.Dims) != len(b.Dims) {
		return false
	}
	for i, d := range a.Dims {
		if d.Size < 0 || d.Size != b.Dims[i].Size {
			return false
		}
	}
	return true
}
