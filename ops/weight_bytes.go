package ops

import "github.com/qrun-onnx/qrun/backend"

// The memory of the constants that operators took over when they were packed (graph.Sizer).

func packedBytes(packs ...*backend.PackedF32) int64 {
	n := int64(0)
	for _, p := range packs {
		if p != nil {
			n += p.Bytes()
		}
	}
	return n
}

func floatBytes(lists ...[]float32) int64 {
	n := 0
	for _, l := range lists {
		n += 4 * len(l)
	}
	return int64(n)
}

func (o *matMul) WeightBytes() int64           { return packedBytes(o.packs...) }
func (o *gemm) WeightBytes() int64             { return packedBytes(o.pack) + floatBytes(o.bias) }
func (o *conv) WeightBytes() int64             { return floatBytes(o.w) }
func (o *convTranspose) WeightBytes() int64    { return floatBytes(o.w) }
func (o *contribAttention) WeightBytes() int64 { return packedBytes(o.pack) }

func (o *recurrent) WeightBytes() int64 {
	w := o.weights
	if w == nil {
		return 0
	}
	return packedBytes(w.w...) + packedBytes(w.r...) + packedBytes(w.rh...) + floatBytes(w.bias...) + floatBytes(w.rb...)
}
