package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// checkContribMask checks a mask of com.microsoft's attention operators: int32, one of
//
//	[batch]         number of keys that take part
//	[2*batch]       the same, then the first keys that do
//	[batch, keys]   1 where a key takes part
//	[batch, queries, keys]
func checkContribMask(s tensor.Spec, batch, queries, keys tensor.Dim) error {
	if s.DType != tensor.Undefined && s.DType != tensor.Int32 {
		return fmt.Errorf("mask of type %v, want int32", s.DType)
	}
	if !s.Ranked {
		return nil
	}
	switch len(s.Dims) {
	case 1:
		if n := s.Dims[0]; n.Known() && batch.Known() && n.Size != batch.Size && n.Size != 2*batch.Size {
			return fmt.Errorf("%w: mask %v, want one or two numbers for each of %v batch entries", graph.ErrUnsupported, s, batch)
		}
		return nil
	case 2:
		return wantDims("mask", s, []tensor.Dim{batch, keys})
	case 3:
		return wantDims("mask", s, []tensor.Dim{batch, queries, keys})
	}
	return fmt.Errorf("%w: mask %v, want one to three dimensions", graph.ErrUnsupported, s)
}

// checkScoreBias checks a tensor that is added to the scores.
func checkScoreBias(s tensor.Spec, batch, heads, queries, keys tensor.Dim) error {
	if !s.Ranked {
		return nil
	}
	full := []tensor.Dim{batch, heads, queries, keys}
	ok := len(s.Dims) == 4
	for i := 0; ok && i < 4; i++ {
		ok = agree(s.Dims[i], full[i]) || i < 2 && s.Dims[i].Size == 1
	}
	if !ok {
		return fmt.Errorf("attention bias %v does not fit the scores %v", s, full)
	}
	return nil
}

// setContribMask has a bias and a mask added to the scores: filter where a key takes no part. Either may be nil.
func (j *attention) setContribMask(c *graph.RunCtx, mask, bias *tensor.Tensor, filter float32) {
	switch {
	case mask == nil && bias == nil:
		return
	case mask == nil:
		j.mask = tensor.View[float32](bias)
		j.maskStrides(bias.Shape())
		return
	}
	heads, rows := 1, 1
	if bias != nil {
		heads, rows = bias.Shape()[1], j.sq
	}
	if mask.Rank() == 3 {
		rows = j.sq
	}
	j.mask = floatScratch(c, j.batch*heads*rows*j.sk)
	var sum []float32
	var from attention
	if bias != nil {
		sum, from.sk = tensor.View[float32](bias), j.sk
		from.maskStrides(bias.Shape())
	}
	for i := range j.batch * heads * rows {
		b, h, r := i/(heads*rows), i/rows%heads, i%rows
		dst := j.mask[i*j.sk : (i+1)*j.sk]
		clear(dst)
		if sum != nil {
			copy(dst, sum[b*from.maskB+h*from.maskH+r*from.maskS:])
		}
		j.filter(dst, mask, b, r, filter)
	}
	j.maskStrides([]int{j.batch, heads, rows, j.sk})
	if j.batch > 1 { // repeated only where it has one entry
		j.maskB = heads * rows * j.sk
	}
}

// filter adds to a row of scores what a mask means for it.
func (j *attention) filter(dst []float32, mask *tensor.Tensor, b, row int, filter float32) {
	m := tensor.View[int32](mask)
	var keep []int32
	switch mask.Rank() {
	case 1:
		end, start := int(m[b]), 0
		if len(m) == 2*j.batch {
			start = int(m[j.batch+b])
		}
		for k := range dst {
			if k >= end || k < start {
				dst[k] += filter
			}
		}
		return
	case 2:
		keep = m[b*j.sk : (b+1)*j.sk]
	default:
		keep = m[(b*j.sq+row)*j.sk:][:j.sk]
	}
	for k, v := range keep {
		if v == 0 {
			dst[k] += filter
		}
	}
}

// setMask brings the mask to numbers that are added, padded to the number of keys with minus infinity.
func (o *onnxAttention) setMask(c *graph.RunCtx, j *attention) error {
	if len(c.In) <= attMask || c.In[attMask] == nil {
		return nil
	}
	t := c.In[attMask]
	shape := t.Shape()
	n := shape[len(shape)-1]
	rows := t.Len() / max(n, 1)
	if t.Len() == 0 {
		rows = 0
	}
	inf := float32(math.Inf(-1))
	if t.DType() == tensor.Float32 && n == j.sk {
		j.mask = tensor.View[float32](t)
	} else {
		j.mask = floatScratch(c, rows*j.sk)
		fillFloats(j.mask, inf)
		for r := range rows {
			dst := j.mask[r*j.sk : r*j.sk+n]
			switch t.DType() {
			case tensor.Bool:
				for i, v := range tensor.View[bool](t)[r*n : (r+1)*n] {
					if v {
						dst[i] = 0
					}
				}
			case tensor.Float32:
				copy(dst, tensor.View[float32](t)[r*n:])
			default:
				return graph.UnsupportedType("attention mask", t.DType())
			}
		}
	}
	j.maskStrides(shape)
	return nil
}

// maskStrides sets how a mask of that shape is repeated over entries, heads and queries.
func (j *attention) maskStrides(shape []int) {
	step := j.sk
	dims := [3]*int{&j.maskS, &j.maskH, &j.maskB}
	for i, stride := range dims {
		*stride = 0
		if at := len(shape) - 2 - i; at >= 0 {
			if shape[at] != 1 {
				*stride = step
			}
			step *= shape[at]
		}
	}
}

// scoreLimit is an upper bound of masked scores, with the distances of its entries as those of the mask.
type scoreLimit struct {
	data               []float32
	batch, head, query int
}

// limited adds the mask to the scores of a query, from key lo on, and bounds them. It returns the mask that is left to add.
func (j *attention) limited(s, mask []float32, b, h, i, lo int) []float32 {
	if mask != nil {
		j.k.Binary(backend.Add, s, s, mask)
	}
	at := b*j.limit.batch + h*j.limit.head + i*j.limit.query + lo
	j.k.Binary(backend.Min, s, s, j.limit.data[at:at+len(s)])
	return nil
}
