package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
)

// fusedActivation is the function that a fused operator applies to its result, with the two parameters it may have.
type fusedActivation struct {
	act    backend.Activation
	p0, p1 float32
}

// newFusedActivation reads the attributes activation, p0 and p1 of the qrun domain's fused operators.
func newFusedActivation(a *graph.Attrs) (fusedActivation, error) {
	f := fusedActivation{p0: a.Float("p0", 0), p1: a.Float("p1", 0)}
	var err error
	f.act, err = activationByName(a.Str("activation", ""))
	return f, err
}

// newContribActivation reads the attribute activation of com.microsoft's fused operators; params are the values that
// the node gives beside it, in the order of the activation's own attributes.
func newContribActivation(a *graph.Attrs, params []float32) (fusedActivation, error) {
	name := a.Str("activation", "")
	act, err := activationByName(name)
	f := fusedActivation{act: act}
	switch act {
	case backend.ActLeakyRelu:
		f.p0 = 0.01
	case backend.ActHardSigmoid:
		f.p0, f.p1 = 0.2, 0.5
	case backend.ActClip:
		f.p0, f.p1 = -3.402823466e38, 3.402823466e38
	}
	if len(params) > 0 {
		f.p0 = params[0]
	}
	if len(params) > 1 {
		f.p1 = params[1]
	}
	return f, err
}

func activationByName(name string) (backend.Activation, error) {
	act, err := backend.ParseActivation(name)
	if err != nil {
		return act, fmt.Errorf("%w: %w", graph.ErrUnsupported, err)
	}
	return act, nil
}

// unary is the activation as an elementwise function, for results that a matrix product's epilogue does not reach.
func (f fusedActivation) unary() (u backend.Unary, ok bool) {
	switch f.act {
	case backend.ActRelu:
		return backend.Relu, true
	case backend.ActGelu:
		return backend.Gelu, true
	case backend.ActGeluTanh:
		return backend.GeluTanh, true
	case backend.ActSilu:
		return backend.Silu, true
	case backend.ActSigmoid:
		return backend.Sigmoid, true
	case backend.ActTanh:
		return backend.Tanh, true
	case backend.ActClip:
		return backend.Clip, true
	case backend.ActLeakyRelu:
		return backend.LeakyRelu, true
	case backend.ActHardSwish:
		return backend.HardSwish, true
	case backend.ActHardSigmoid:
		return backend.HardSigmoid, true
	case backend.ActQuickGelu:
		return backend.QuickGelu, true
	}
	return 0, false
}
