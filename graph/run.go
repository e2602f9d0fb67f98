package graph

import (
	"context"

	"github.com/qrun-onnx/qrun/internal/par"
	"github.com/qrun-onnx/qrun/tensor"
)

// RunCtx is what Op.Run sees of one execution of its node.
type RunCtx struct {
	Ctx context.Context
	In  []*tensor.Tensor // nil: absent, or taken over by Prepack
	Out []*tensor.Tensor // nil: not needed (see Wants), or to be made by Run

	node  *Node
	frame frame
}

// frame is the executor's side of a RunCtx.
type frame interface {
	alloc(d tensor.DType, shape []int) (*tensor.Tensor, error)
	wants(node *Node, i int) bool
	parallel(n, grain int, b par.Body) error
	scratch(n int) []byte
	state(node *Node) *any // where the node's state is kept
	runBody(ctx context.Context, node *Node, name string, in []*tensor.Tensor) ([]*tensor.Tensor, error)
	threads() int
}

// Wants reports whether output i exists and has a reader.
func (c *RunCtx) Wants(i int) bool { return i < len(c.Out) && c.frame.wants(c.node, i) }

// Alloc makes output i, on the heap, for an output whose shape Infer could not know. Elements are zero.
func (c *RunCtx) Alloc(i int, d tensor.DType, shape ...int) (*tensor.Tensor, error) {
	t, err := c.frame.alloc(d, shape)
	if err != nil {
		return nil, err
	}
	c.Set(i, t)
	return t, nil
}

// Set makes t output i: an input, a view of one, or a value the operator made.
func (c *RunCtx) Set(i int, t *tensor.Tensor) {
	if i < len(c.Out) {
		c.Out[i] = t
	}
}

// For calls b.Do for ranges of at least grain indices that together cover 0 <= i < n, on the run's goroutines, and
// returns when all are done, with the error of a cancelled context or of a panic in b. Ranges begin at multiples of
// grain. A b that is a par.WorkerBody is told which of Threads goroutines calls it, to use memory of its own. Inside a
// loop's body, For is one call of b.
func (c *RunCtx) For(n, grain int, b par.Body) error { return c.frame.parallel(n, grain, b) }

// Threads is the largest number of goroutines that For uses.
func (c *RunCtx) Threads() int { return c.frame.threads() }

// Scratch returns n bytes, 64-byte aligned and not zeroed, that are the operator's until Run returns. Not to be called
// from a loop's body.
func (c *RunCtx) Scratch(n int) []byte { return c.frame.scratch(n) }

// RunBody runs the node's body of that attribute name on the given inputs. The outputs are new memory, or inputs or
// captured values that the body passes on: so what was given must not be changed later. Their list is the caller's until
// the body runs again. Not to be called from a loop's body.
func (c *RunCtx) RunBody(name string, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	return c.frame.runBody(c.Ctx, c.node, name, in)
}

// State returns this node's *T of the present run: zero at first, then as left by an earlier run that had the same
// memory. Operators keep the Bodies of their loops there, so that a warm run allocates nothing; it carries no meaning
// from run to run, and must not keep tensors alive (reset it before returning).
func State[T any](c *RunCtx) *T {
	s := c.frame.state(c.node)
	if *s == nil {
		*s = new(T)
	}
	return (*s).(*T)
}
