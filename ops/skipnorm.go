package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func skipNorms(l lib) []graph.Def {
	types := dtypes{tensor.Float32, tensor.Float16, tensor.BFloat16}
	return []graph.Def{
		{Domain: "com.microsoft", Op: "SkipLayerNormalization", Since: 1, Types: types, New: func(a *graph.Attrs) (graph.Op, error) {
			return skipNorm{l, a.Float("epsilon", 1e-12), false, types}, nil
		}},
		{Domain: "com.microsoft", Op: "SkipSimplifiedLayerNormalization", Since: 1, Types: types, New: func(a *graph.Attrs) (graph.Op, error) {
			return skipNorm{l, a.Float("epsilon", 1e-12), true, types}, nil
		}},
		{Domain: "com.microsoft", Op: "EmbedLayerNormalization", Since: 1, Types: dtypes{tensor.Int32}, New: func(a *graph.Attrs) (graph.Op, error) {
			a.Only("mask_index_type", 1, 0)
			return embedNorm{l, a.Float("epsilon", 1e-12), a.Int("mask_index_type", 1) == 1}, nil
		}},
	}
}

// skipNorm normalizes x+skip+bias over the last dimension; see normRows. Inputs: x [batch, length, hidden] or [tokens,
// hidden], skip (x's shape, or with batch 1 or none), gamma, beta (not with rms), bias. Outputs: y, mean, inverse
// deviation, x+skip+bias.
type skipNorm struct {
	lib
	eps   float32
	rms   bool
	types dtypes
}

func (skipNorm) InPlace() []int { return []int{0} }

// biasInput is where the optional bias is; beta, if there is one, is before it.
func (o skipNorm) biasInput() int {
	if o.rms {
		return 3
	}
	return 4
}

func (o skipNorm) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 3, o.biasInput()+1); err != nil {
		return err
	}
	inputs := []int{0, 1, 2}
	for i := 3; i < c.NumIn(); i++ {
		if c.Has(i) {
			inputs = append(inputs, i)
		}
	}
	d, err := sameType(c, inputs...)
	if err != nil {
		return err
	}
	if err := checkType("input", d, o.types); err != nil {
		return err
	}
	for _, i := range inputs[2:] {
		if _, err := lastDimParam(c, i, fmt.Sprintf("input %d", i)); err != nil {
			return err
		}
	}
	x, skip := c.In(0), c.In(1)
	if x.Ranked && (len(x.Dims) < 2 || len(x.Dims) > 3) {
		return fmt.Errorf("input is %v, want [batch length hidden] or [tokens hidden]", x)
	}
	if err := o.checkSkip(x, skip); err != nil {
		return err
	}
	c.Out(0, x)
	c.Out(3, x)
	if x.Ranked {
		dims := append([]tensor.Dim{}, x.Dims...)
		dims[len(dims)-1] = tensor.Fixed(1)
		c.Out(1, tensor.Ranked(tensor.Float32, dims))
		c.Out(2, tensor.Ranked(tensor.Float32, dims))
	}
	return nil
}

func (o skipNorm) checkSkip(x, skip tensor.Spec) error {
	if !x.Ranked || !skip.Ranked {
		return nil
	}
	off := len(x.Dims) - len(skip.Dims)
	ok := off == 0 || off == 1 && len(skip.Dims) == 2
	for i := 0; ok && i < len(skip.Dims); i++ {
		a, b := x.Dims[off+i], skip.Dims[i]
		ok = agree(a, b) || len(skip.Dims) == 3 && i == 0 && b.Size == 1
	}
	if !ok {
		return fmt.Errorf("skip is %v, want %v or one batch of it", skip, x)
	}
	return nil
}

func (o skipNorm) Run(c *graph.RunCtx) error {
	x := c.In[0]
	if isHalf(x.DType()) {
		return o.asFloat32(c, o.Run)
	}
	j := graph.State[normRows](c)
	*j = normRows{k: o.k, rms: o.rms, eps: o.eps, n: x.Shape()[x.Rank()-1], x: vec(c, 0), y: tensor.View[float32](c.Out[0]),
		add: vec(c, 1), gamma: vec(c, 2), bias: vec(c, o.biasInput()), mean: vecOut(c, 1), inv: vecOut(c, 2), sum: vecOut(c, 3)}
	if !o.rms {
		j.beta = vec(c, 3)
	}
	return j.run(c)
}

// embedNorm adds the embeddings of words, positions and segments and normalizes the sum. Inputs: input_ids [batch,
// length], segment_ids, word, position and segment embedding [rows, hidden], gamma, beta [hidden], mask [batch, length],
// position_ids [batch or 1, length]. Outputs: y [batch, length, hidden], for each batch the number of mask elements that
// are not 0, the sum of the embeddings.
type embedNorm struct {
	lib
	eps   float32
	count bool // mask index is computed, else 0
}

func (o embedNorm) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 1, 9); err != nil {
		return err
	}
	for _, i := range []int{2, 3, 5, 6} {
		if !c.Has(i) {
			return fmt.Errorf("input %d is missing", i)
		}
	}
	if c.Has(1) != c.Has(4) {
		return fmt.Errorf("segment_ids and segment_embedding must come together")
	}
	for _, i := range []int{0, 1, 7, 8} {
		if err := wantType(c, i, fmt.Sprintf("input %d", i), tensor.Int32); err != nil {
			return err
		}
		if c.Has(i) && c.In(i).Ranked && len(c.In(i).Dims) != 2 {
			return fmt.Errorf("input %d is %v, want two dimensions", i, c.In(i))
		}
	}
	types := []int{2, 3, 5, 6}
	if c.Has(4) {
		types = append(types, 4)
	}
	d, err := sameType(c, types...)
	if err != nil {
		return err
	}
	if err := checkType("embedding", d, dtypes{tensor.Float32, tensor.Float16}); err != nil {
		return err
	}
	ids, word := c.In(0), c.In(2)
	if !ids.Ranked || !word.Ranked {
		c.Out(0, tensor.Unranked(d))
		return nil
	}
	return o.inferShapes(c, d, ids, word)
}

func (o embedNorm) inferShapes(c *graph.InferCtx, d tensor.DType, ids, word tensor.Spec) error {
	if len(word.Dims) != 2 {
		return fmt.Errorf("word embedding is %v, want two dimensions", word)
	}
	hidden := word.Dims[1]
	for _, i := range []int{3, 4, 5, 6} {
		s := c.In(i)
		if !s.Ranked {
			continue
		}
		if rank := 2 - b2i(i > 4); len(s.Dims) != rank || !agree(s.Dims[rank-1], hidden) {
			return fmt.Errorf("input %d is %v, want %d dimensions, the last of size %v", i, s, rank, hidden)
		}
	}
	for _, i := range []int{1, 7, 8} {
		s := c.In(i)
		if s.Ranked && !(agree(s.Dims[1], ids.Dims[1]) && (agree(s.Dims[0], ids.Dims[0]) || i == 8 && s.Dims[0].Size == 1)) {
			return fmt.Errorf("input %d is %v, want the shape of input_ids, %v", i, s, ids)
		}
	}
	y := tensor.Ranked(d, []tensor.Dim{ids.Dims[0], ids.Dims[1], hidden})
	c.Out(0, y)
	c.Out(1, tensor.Ranked(tensor.Int32, ids.Dims[:1:1]))
	c.Out(2, y)
	return nil
}

func (o embedNorm) Run(c *graph.RunCtx) error {
	if isHalf(c.In[2].DType()) {
		return o.asFloat32(c, o.Run)
	}
	ids := tensor.View[int32](c.In[0])
	length, n := c.In[0].Shape()[1], c.In[2].Shape()[1]
	if len(c.Out) > 1 && c.Out[1] != nil {
		o.maskIndex(c, length)
	}
	sum := vecOut(c, 2)
	if sum == nil {
		sum = tensor.View[float32](c.Out[0])
	}
	parts := []struct{ ids, table int }{{0, 2}, {8, 3}, {1, 4}}
	for i := range ids {
		row := sum[i*n : (i+1)*n]
		for k, p := range parts {
			if p.table >= len(c.In) || c.In[p.table] == nil {
				continue
			}
			id := i % length // a position
			if p.ids < len(c.In) && c.In[p.ids] != nil {
				list := tensor.View[int32](c.In[p.ids])
				id = int(list[i%len(list)])
			}
			table := vec(c, p.table)
			if id < 0 || (id+1)*n > len(table) {
				return fmt.Errorf("index %d is out of range for an embedding of %d rows", id, len(table)/n)
			}
			if k == 0 {
				copy(row, table[id*n:])
				continue
			}
			o.k.Axpy(row, table[id*n:(id+1)*n], 1)
		}
	}
	j := graph.State[normRows](c)
	*j = normRows{k: o.k, eps: o.eps, n: n, x: sum, y: tensor.View[float32](c.Out[0]), gamma: vec(c, 5), beta: vec(c, 6)}
	return j.run(c)
}

func (o embedNorm) maskIndex(c *graph.RunCtx, length int) {
	index := tensor.View[int32](c.Out[1])
	clear(index)
	if len(c.In) <= 7 || c.In[7] == nil || !o.count {
		return
	}
	for i, v := range tensor.View[int32](c.In[7]) {
		if v != 0 {
			index[i/length]++
		}
	}
}
