package ops

import (
	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// RecurrentProducts makes the products of an LSTM in place of the float32 ones, for operators that store weights in
// another form. N is four times the hidden size H.
type RecurrentProducts interface {
	// Project writes the product of the whole input, as rows, and the weights W of direction d, plus the bias, to
	// dst [rows, N].
	Project(c *graph.RunCtx, d int, dst, bias []float32) error
	// Step writes state [rows, H] times the recurrent weights R of direction d, plus add, whose rows are ld apart, to
	// dst [rows, N]. With a nil c it works on the calling goroutine, at the same time as the other direction.
	Step(c *graph.RunCtx, d int, dst, state []float32, rows int, add []float32, ld int) error
}

// LSTM is the recurrent layer of ONNX's LSTM without its products. X, B, sequence_lens, initial_h, initial_c and P are
// the inputs of the same numbers.
type LSTM struct{ o *recurrent }

// LSTMState is what a run of an LSTM keeps, for the operator's own state.
type LSTMState struct{ st recurrentState }

// NewLSTM reads the attributes of LSTM.
func NewLSTM(k *backend.Kernels, a *graph.Attrs) (*LSTM, error) {
	op, err := lib{k}.newRecurrent(cellLSTM)(a)
	if err != nil {
		return nil, err
	}
	return &LSTM{op.(*recurrent)}, nil
}

// Directions is the number of directions, 1 or 2.
func (l *LSTM) Directions() int { return l.o.dirs }

// Infer checks X, B, sequence_lens, the initial states and P for weights of input size in and hidden size h, and sets
// the outputs.
func (l *LSTM) Infer(c *graph.InferCtx, in, h int) error {
	o := l.o
	steps, batch := tensor.AnyDim, tensor.AnyDim
	if err := wantDims("input", c.In(rnnX), []tensor.Dim{tensor.AnyDim, tensor.AnyDim, tensor.Fixed(in)}); err != nil {
		return err
	}
	if x := c.In(rnnX); x.Ranked {
		if steps, batch = x.Dims[0], x.Dims[1]; o.batchFirst {
			steps, batch = batch, steps
		}
	}
	if err := wantDims("B", c.In(rnnB), []tensor.Dim{tensor.Fixed(o.dirs), tensor.Fixed(8 * h)}); err != nil {
		return err
	}
	if err := o.checkStates(c, batch, tensor.Fixed(h)); err != nil {
		return err
	}
	o.setOutputs(c, tensor.Float32, steps, batch, tensor.Fixed(h))
	return nil
}

// Run computes the outputs for hidden size h with the products of p.
func (l *LSTM) Run(c *graph.RunCtx, s *LSTMState, h int, p RecurrentProducts) error {
	l.o.setBias(&s.st.weights, optional(c, rnnB), h)
	return l.o.runLayer(c, &s.st, &s.st.weights, h, p)
}
