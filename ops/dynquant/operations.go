package dynquant

import (
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// What operators have to compute (graph.Counter), for profiles. A multiply-add of integers is two operations, like one of
// floats.

// each counts so many operations per element of a list's first tensor.
func each(specs []tensor.Spec, operations int64) int64 {
	if len(specs) == 0 {
		return 0
	}
	return operations * graph.Elements(specs[0])
}

// productOperations are those of a matrix product whose right operand has the given number: one multiply-add for every
// element of the result and row of that operand, column if trans.
func productOperations(in, out []tensor.Spec, b int, trans bool) int64 {
	if b >= len(in) {
		return 0
	}
	w, ok := in[b].Shape()
	if !ok || len(w) == 0 {
		return 0
	}
	k := w[max(0, len(w)-2)]
	if trans {
		k = w[len(w)-1]
	}
	return each(out, 2*int64(k))
}

func (o *linear) Operations(in, out []tensor.Spec) int64 {
	return productOperations(in, out, linW, o.trans)
}

func (o *halfLinear) Operations(in, out []tensor.Spec) int64 {
	return productOperations(in, out, halfW, o.trans)
}

func (o *qGemm) Operations(in, out []tensor.Spec) int64 {
	return productOperations(in, out, gemmB, o.transB)
}

func (o *matMulInteger) Operations(in, out []tensor.Spec) int64 {
	return productOperations(in, out, 1, false)
}

func (o *matMulToFloat) Operations(in, out []tensor.Spec) int64 {
	return productOperations(in, out, o.in.b, false)
}

func (o *qLinearMatMul) Operations(in, out []tensor.Spec) int64 {
	return productOperations(in, out, 3, false)
}

func (o *matMulNBits) Operations(_, out []tensor.Spec) int64 { return each(out, 2*int64(o.k)) }

func (o *byteConv) Operations(in, out []tensor.Spec) int64 {
	w, ok := in[o.in.w].Shape()
	if !ok || len(w) == 0 || w[0] == 0 {
		return 0
	}
	return each(out, 2*graph.Elements(in[o.in.w])/int64(w[0]))
}

func (o *dynamicLSTM) Operations(in, _ []tensor.Spec) int64 { return o.lstm.Operations(in) }

func (o *qAttention) Operations(in, _ []tensor.Spec) int64 {
	return o.attention.Operations(in, attPast)
}

// Operations counts minimum, maximum, product and rounding.
func (o *quantizeRows) Operations(in, _ []tensor.Spec) int64 { return each(in, 4) }

// Operations counts minimum, maximum, product and rounding.
func (o *dynamicQuantize) Operations(in, _ []tensor.Spec) int64 { return each(in, 4) }

// Operations counts product and rounding.
func (o *quantizeLinear) Operations(_, out []tensor.Spec) int64 { return each(out, 2) }

// Operations counts difference and product.
func (o *dequantizeLinear) Operations(_, out []tensor.Spec) int64 { return each(out, 2) }

// Operations counts the product with the row's scale.
func (o embedding) Operations(_, out []tensor.Spec) int64 { return each(out, 1) }

func (o embedding) ReadsPart() {}
