package ops

import (
	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// ProjectedAttention is com.microsoft's Attention without the product that makes queries, keys and values of its input,
// for operators that make them in a way of their own.
type ProjectedAttention struct{ o *contribAttention }

// AttentionState is what a run of a ProjectedAttention keeps, for the operator's own state.
type AttentionState struct{ core attention }

// NewProjectedAttention reads the attributes of Attention.
func NewProjectedAttention(k *backend.Kernels, a *graph.Attrs) (*ProjectedAttention, error) {
	op, err := lib{k}.newContribAttention(a)
	if err != nil {
		return nil, err
	}
	return &ProjectedAttention{op.(*contribAttention)}, nil
}

// Infer checks the shapes of input 0 [batch, seq, in], weights 1 [in, n], bias 2 [n], and of mask and past at inputs of
// those numbers, and sets outputs 0 and 1 of type float32.
func (p *ProjectedAttention) Infer(c *graph.InferCtx, mask, past int) error {
	return p.o.inferShapes(c, tensor.Float32, mask, past, c.NumIn())
}

// Run computes the outputs from a projection [batch, seq, n]. Mask and past may be nil.
func (p *ProjectedAttention) Run(c *graph.RunCtx, st *AttentionState, proj []float32, batch, seq, n int, mask, past *tensor.Tensor) error {
	if len(proj) == 0 {
		return nil
	}
	return p.o.attend(c, &st.core, attended{proj, batch, seq, n, mask, past, nil})
}
