package dynquant

import (
	"fmt"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) qEmbedNorms() []graph.Def {
	return []graph.Def{{Domain: microsoft, Op: "QEmbedLayerNormalization", Since: 1, New: l.newQEmbedNorm, Types: []tensor.DType{tensor.Int32}}}
}

// Inputs of QEmbedLayerNormalization. Scales and zero points are those of the tables, gamma and beta, in this order.
const (
	embedIDs = iota
	embedSegments
	embedWord
	embedPosition
	embedSegment
	embedGamma
	embedBeta
	embedMask
	embedScale
	embedZero   = embedScale + 5
	embedInputs = embedZero + 5
)

// qEmbedNorm adds rows of quantized tables of words, positions and (optionally) segments, and normalizes the sums over
// the last dimension with quantized gamma and beta. Output 1 counts the ones of each row of the mask, 0 without one.
type qEmbedNorm struct {
	k       *backend.Kernels
	epsilon float32
}

func (l lib) newQEmbedNorm(a *graph.Attrs) (graph.Op, error) {
	return &qEmbedNorm{l.k, a.Float("epsilon", 1e-12)}, nil
}

func (o *qEmbedNorm) Infer(c *graph.InferCtx) error {
	if c.NumIn() != embedInputs {
		return fmt.Errorf("got %d inputs, want %d", c.NumIn(), embedInputs)
	}
	segments := c.Has(embedSegment)
	if c.Has(embedSegments) != segments {
		return fmt.Errorf("segment ids and segment embedding must come together")
	}
	for _, i := range []int{embedIDs, embedSegments, embedMask} {
		if err := wantType(c, i, "ids or mask", tensor.Int32); err != nil {
			return err
		}
	}
	width := tensor.AnyDim
	for i := range 5 {
		table := embedWord + i
		if table == embedSegment && !segments {
			continue
		}
		if !c.Has(table) || !c.Has(embedScale+i) {
			return fmt.Errorf("input %d or its scale is missing", table)
		}
		if err := wantScaled(c, table, embedScale+i, embedZero+i); err != nil {
			return err
		}
		s := c.In(table)
		if !s.Ranked {
			continue
		}
		rank := 2 - i/3
		if len(s.Dims) != rank || width.Known() && s.Dims[rank-1].Known() && s.Dims[rank-1].Size != width.Size {
			return fmt.Errorf("input %d is %v, want %d dimensions, the last of size %v", table, s, rank, width)
		}
		if s.Dims[rank-1].Known() {
			width = s.Dims[rank-1]
		}
	}
	return o.inferShape(c, width)
}

func (o *qEmbedNorm) inferShape(c *graph.InferCtx, width tensor.Dim) error {
	ids := c.In(embedIDs)
	if !c.Has(embedIDs) || ids.Ranked && len(ids.Dims) != 2 {
		return fmt.Errorf("ids %v, want [batch, sequence]", ids)
	}
	c.Out(0, tensor.Unranked(tensor.Float32))
	c.Out(1, tensor.Unranked(tensor.Int32))
	if !ids.Ranked {
		return nil
	}
	for _, i := range []int{embedSegments, embedMask} {
		if s := c.In(i); c.Has(i) && s.Ranked && !agree(s.Dims, ids.Dims) {
			return fmt.Errorf("input %d is %v, want the shape of ids %v", i, s, ids)
		}
	}
	if pos := c.In(embedPosition); pos.Ranked && pos.Dims[0].Known() && ids.Dims[1].Size > pos.Dims[0].Size {
		return fmt.Errorf("sequences of %d, but only %d positions", ids.Dims[1].Size, pos.Dims[0].Size)
	}
	c.Out(0, tensor.Ranked(tensor.Float32, []tensor.Dim{ids.Dims[0], ids.Dims[1], width}))
	c.Out(1, tensor.Ranked(tensor.Int32, ids.Dims[:1]))
	return nil
}

// embedState is what a run keeps.
type embedState struct {
	o           *qEmbedNorm
	tables      [3]*tensor.Tensor // words, positions, segments (nil: none)
	values      [3]floatTable
	ids, segs   []int32
	seq, width  int
	gamma, beta []float32
	y           []float32
}

func (o *qEmbedNorm) Run(c *graph.RunCtx) error {
	st := graph.State[embedState](c)
	defer func() {
		st.tables, st.ids, st.segs, st.gamma, st.beta, st.y = [3]*tensor.Tensor{}, nil, nil, nil, nil, nil
	}()
	st.o, st.ids = o, tensor.View[int32](c.In[embedIDs])
	shape := c.In[embedIDs].Shape()
	st.seq, st.width = shape[1], c.In[embedGamma].Len()
	if t := c.In[embedSegments]; t != nil {
		st.segs = tensor.View[int32](t)
	}
	for i := range st.tables {
		t := c.In[embedWord+i]
		if st.tables[i] = t; t == nil {
			continue
		}
		st.values[i].set(t.DType(), scaledOf(c, embedScale+i, embedZero+i))
		ids := [3][]int32{st.ids, nil, st.segs}[i]
		for _, id := range ids {
			if id < 0 || int(id) >= t.Shape()[0] {
				return fmt.Errorf("index %d is out of range for an embedding of %d rows", id, t.Shape()[0])
			}
		}
	}
	st.gamma, st.beta = o.vector(c, embedGamma), o.vector(c, embedBeta)
	if len(c.Out) > 1 && c.Out[1] != nil {
		counts := tensor.View[int32](c.Out[1])
		clear(counts)
		if m := c.In[embedMask]; m != nil {
			for i, v := range tensor.View[int32](m) {
				if v == 1 {
					counts[i/st.seq]++
				}
			}
		}
	}
	if c.Out[0] == nil {
		return nil
	}
	st.y = tensor.View[float32](c.Out[0])
	return c.For(len(st.ids), 1+4096/(st.width+1), st)
}

// vector dequantizes gamma or beta.
func (o *qEmbedNorm) vector(c *graph.RunCtx, i int) []float32 {
	p, t := scaledOf(c, embedScale+i-embedWord, embedZero+i-embedWord), c.In[i]
	v := scratch[float32](c, t.Len())
	if t.DType() == tensor.Uint8 {
		o.k.DequantizeU8(v, tensor.View[uint8](t), p.scale, p.zero)
	} else {
		o.k.DequantizeI8(v, tensor.View[int8](t), p.scale, p.zero)
	}
	return v
}

func (st *embedState) Do(lo, hi int) {
	for r := lo; r < hi; r++ {
		row := st.y[r*st.width : (r+1)*st.width]
		clear(row)
		for i, t := range st.tables {
			if t == nil {
				continue
			}
			id := [3]int{int(st.ids[r]), r % st.seq, 0}[i]
			if i == 2 {
				id = int(st.segs[r])
			}
			for k, v := range t.Bytes()[id*st.width : (id+1)*st.width] {
				row[k] += st.values[i][v]
			}
		}
		st.o.k.LayerNorm(row, row, st.gamma, st.beta, st.o.epsilon)
	}
}
