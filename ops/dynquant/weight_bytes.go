package dynquant

import "github.com/qrun-onnx/qrun/backend"

// The memory of the constants that operators took over when they were packed (graph.Sizer). Nodes that share a weight
// count it once each.

func packedBytes(packs *[]*backend.PackedI8) int64 {
	if packs == nil {
		return 0
	}
	n := int64(0)
	for _, p := range *packs {
		n += p.Bytes()
	}
	return n
}

func (o *qGemm) WeightBytes() int64 { return packedBytes(o.packs) }
func (o *byteConv) WeightBytes() int64 {
	return packedBytes(&o.weight.packs) + 4*int64(len(o.weight.taps))
}

func (o *matMulInteger) WeightBytes() int64 { return packedBytes(o.weight.packs) }
func (o *matMulToFloat) WeightBytes() int64 { return packedBytes(o.weight.packs) }
func (o *qLinearMatMul) WeightBytes() int64 { return packedBytes(o.weight.packs) }

func (o *qAttention) WeightBytes() int64 { return packedBytes(o.weight.packs) }

func (o *dynamicLSTM) WeightBytes() int64 { return packedBytes(&o.w) + packedBytes(&o.r) }

// WeightBytes is the memory of the scales and zero points; the codes are the constant as it is.
func (o *matMulNBits) WeightBytes() int64 {
	if o.weight == nil {
		return 0
	}
	return 4 * int64(len(o.weight.scale)+len(o.weight.zero)+len(o.weight.blockOfAt))
}
