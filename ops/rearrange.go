package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func rearrangements(l lib) []graph.Def {
	return []graph.Def{
		{Op: "Trilu", Since: 14, New: newTrilu, Types: everyType()},
		{Op: "ReverseSequence", Since: 10, New: newReverseSequence, Types: everyType()},
	}
}

// trilu keeps the upper or lower triangle of matrices, from the diagonal that input 1 numbers; the rest is zero.
type trilu struct{ upper bool }

func newTrilu(a *graph.Attrs) (graph.Op, error) { return trilu{a.Bool("upper", true)}, nil }

func (o trilu) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 2); err != nil {
		return err
	}
	x := c.In(0)
	if x.Ranked && len(x.Dims) < 2 {
		return fmt.Errorf("input %v, want at least two dimensions", x)
	}
	c.Out(0, x)
	return wantType(c, 1, "k", tensor.Int64)
}

func (o trilu) Run(c *graph.RunCtx) error {
	x := c.In[0]
	if isPacked(x.DType()) {
		return unpackedRun(c, o.Run)
	}
	y, err := output(c, 0, x.DType(), x.Shape()...)
	if err != nil {
		return err
	}
	k := int64(0)
	if len(c.In) > 1 && c.In[1] != nil {
		v := runInts(c.In[1])
		if len(v) != 1 {
			return fmt.Errorf("k is %v, want one number", c.In[1])
		}
		k = v[0]
	}
	copyAll(y, x)
	rows, cols := x.Shape()[x.Rank()-2], x.Shape()[x.Rank()-1]
	for r := range y.Len() / max(cols, 1) {
		first := int(min(max(int64(r%rows)+min(max(k, -1<<40), 1<<40), 0), int64(cols))) // column on the diagonal
		lo, hi := 0, first
		if !o.upper {
			lo, hi = int(min(max(int64(r%rows)+min(max(k, -1<<40), 1<<40)+1, 0), int64(cols))), cols
		}
		if y.DType() == tensor.String {
			clear(tensor.View[string](y)[r*cols+lo : r*cols+hi])
			continue
		}
		size := y.DType().Size()
		clear(y.Bytes()[(r*cols+lo)*size : (r*cols+hi)*size])
	}
	return nil
}

// reverseSequence turns the first elements of a time axis around, for every batch entry as many as input 1 says.
type reverseSequence struct{ batch, time int64 }

func newReverseSequence(a *graph.Attrs) (graph.Op, error) {
	o := reverseSequence{a.Int("batch_axis", 1), a.Int("time_axis", 0)}
	if o.batch+o.time != 1 || o.batch*o.time != 0 {
		return nil, fmt.Errorf("batch_axis=%d and time_axis=%d, want 0 and 1 or 1 and 0", o.batch, o.time)
	}
	return o, nil
}

func (o reverseSequence) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 2, 2); err != nil {
		return err
	}
	x := c.In(0)
	if x.Ranked && len(x.Dims) < 2 {
		return fmt.Errorf("input %v, want at least two dimensions", x)
	}
	if n := knownLen(c, 1); x.Ranked && n >= 0 && x.Dims[o.batch].Known() && n != x.Dims[o.batch].Size {
		return fmt.Errorf("%d sequence_lens for %v", n, x)
	}
	c.Out(0, x)
	return wantType(c, 1, "sequence_lens", tensor.Int64)
}

func (o reverseSequence) Run(c *graph.RunCtx) error {
	x := c.In[0]
	if isPacked(x.DType()) {
		return unpackedRun(c, o.Run)
	}
	y, err := output(c, 0, x.DType(), x.Shape()...)
	if err != nil {
		return err
	}
	s := graph.State[offsets](c)
	s.at = s.at[:0]
	rows, cols := x.Shape()[0], x.Shape()[1]
	lens, steps := runInts(c.In[1]), x.Shape()[o.time]
	for _, n := range lens {
		if n < 0 || n > int64(steps) {
			return fmt.Errorf("sequence_lens has %d, the sequences have %d steps", n, steps)
		}
	}
	block := elemCount(x.Shape()[2:])
	for r := range rows {
		for k := range cols {
			from := r*cols + k
			if o.time == 0 {
				if n := int(lens[k]); r < n {
					from = (n-1-r)*cols + k
				}
			} else if n := int(lens[r]); k < n {
				from = r*cols + n - 1 - k
			}
			s.at = append(s.at, from*block)
		}
	}
	return s.gatherBlocks(y, x, block)
}
