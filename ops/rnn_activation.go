package ops

import (
	"fmt"
	"math"
	"strings"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
)

// cellActivation is one of the functions that a recurrent layer may use.
type cellActivation struct {
	name        string
	unary       backend.Unary
	scalar      func(x, alpha, beta float32) float32 // in place of unary, where not nil
	alpha, beta float32
}

// cellFunctions are the functions with the parameters they take and their defaults.
var cellFunctions = []struct {
	cellActivation
	params int
}{
	{cellActivation{name: "Sigmoid", unary: backend.Sigmoid}, 0},
	{cellActivation{name: "Tanh", unary: backend.Tanh}, 0},
	{cellActivation{name: "Relu", unary: backend.Relu}, 0},
	{cellActivation{name: "Softplus", unary: backend.Softplus}, 0},
	{cellActivation{name: "LeakyRelu", unary: backend.LeakyRelu, alpha: 0.01}, 1},
	{cellActivation{name: "Elu", unary: backend.Elu, alpha: 1}, 1},
	{cellActivation{name: "HardSigmoid", unary: backend.HardSigmoid, alpha: 0.2, beta: 0.5}, 2},
	{cellActivation{name: "Affine", unary: backend.MulAdd, alpha: 1}, 2},
	{cellActivation{name: "Softsign", scalar: softsign}, 0},
	{cellActivation{name: "ThresholdedRelu", scalar: thresholded, alpha: 1}, 1},
	{cellActivation{name: "ScaledTanh", scalar: scaledTanh, alpha: 1, beta: 1}, 2},
}

func softsign(x, _, _ float32) float32 { return x / (1 + float32(math.Abs(float64(x)))) }

func thresholded(x, alpha, _ float32) float32 {
	if x > alpha {
		return x
	}
	return 0
}

func scaledTanh(x, alpha, beta float32) float32 {
	return alpha * float32(math.Tanh(float64(beta*x)))
}

func (f *cellActivation) apply(k *backend.Kernels, x []float32) {
	if f.scalar == nil {
		k.Unary(f.unary, x, x, f.alpha, f.beta)
		return
	}
	for i, v := range x {
		x[i] = f.scalar(v, f.alpha, f.beta)
	}
}

// newCellActivations resolves the lists of the attributes: per direction one function (RNN), two (GRU: of the gates z
// and r, of h) or three (LSTM: of the gates i, o and f, of c, of the new state). Parameters are consumed in the order
// of the functions that take them.
func newCellActivations(kind cellKind, dirs int, names []string, alphas, betas []float32) ([][]cellActivation, error) {
	standard := []string{"Sigmoid", "Tanh", "Tanh"}
	switch kind {
	case cellRNN:
		standard = []string{"Tanh"}
	case cellGRU:
		standard = standard[:2]
	}
	if names == nil {
		for range dirs {
			names = append(names, standard...)
		}
	}
	if len(names) != dirs*len(standard) {
		return nil, fmt.Errorf("got %d activations, want %d", len(names), dirs*len(standard))
	}
	acts := make([][]cellActivation, dirs)
	for i, name := range names {
		f, params, err := cellFunction(name)
		if err != nil {
			return nil, err
		}
		if params > 0 && len(alphas) > 0 {
			f.alpha, alphas = alphas[0], alphas[1:]
		}
		if params > 1 && len(betas) > 0 {
			f.beta, betas = betas[0], betas[1:]
		}
		d := i / len(standard)
		acts[d] = append(acts[d], f)
	}
	return acts, nil
}

func cellFunction(name string) (f cellActivation, params int, err error) {
	for _, x := range cellFunctions {
		if strings.EqualFold(x.name, name) {
			return x.cellActivation, x.params, nil
		}
	}
	return f, 0, fmt.Errorf("%w: activation %q", graph.ErrUnsupported, name)
}
