package ops

import (
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// What operators have to compute (graph.Counter), for profiles.

// shapeAt is the shape of tensor i; nil where it is absent.
func shapeAt(specs []tensor.Spec, i int) []int {
	if i >= len(specs) {
		return nil
	}
	shape, _ := specs[i].Shape()
	return shape
}

// each counts so many operations per element of output 0.
func each(out []tensor.Spec, operations int64) int64 {
	if len(out) == 0 {
		return 0
	}
	return operations * graph.Elements(out[0])
}

func elementsAt(specs []tensor.Spec, i int) int64 {
	if i >= len(specs) {
		return 0
	}
	return graph.Elements(specs[i])
}

// Operations counts a multiply-add for every element of the result and of the rows that meet in it.
func (o *gemm) Operations(in, out []tensor.Spec) int64 {
	a := shapeAt(in, 0)
	if len(a) != 2 {
		return 0
	}
	k := a[1]
	if o.transA {
		k = a[0]
	}
	return each(out, 2*int64(k))
}

// Operations counts a multiply-add for every element of the result and of the rows that meet in it.
func (o *matMul) Operations(in, out []tensor.Spec) int64 {
	a := shapeAt(in, 0)
	if len(a) == 0 {
		return 0
	}
	return each(out, 2*int64(o.a.view(a, false).cols))
}

// Operations counts a multiply-add for every output element and element of its kernel.
func (o *conv) Operations(in, out []tensor.Spec) int64 { return kernelOperations(in, out) }

// Operations counts a multiply-add for every input element and element of its kernel.
func (o *convTranspose) Operations(in, _ []tensor.Spec) int64 { return kernelOperations(in, in) }

// kernelOperations is for weights [channels of per, ...]: those of one channel meet every element of per.
func kernelOperations(in, per []tensor.Spec) int64 {
	w := shapeAt(in, 1)
	if len(w) == 0 || w[0] == 0 {
		return 0
	}
	return each(per, 2*elementsAt(in, 1)/int64(w[0]))
}

// Operations counts the products of every step's input and state with the weights.
func (o *recurrent) Operations(in, _ []tensor.Spec) int64 { return recurrentOperations(in) }

func recurrentOperations(in []tensor.Spec) int64 {
	x := shapeAt(in, 0)
	if len(x) != 3 {
		return 0
	}
	return 2 * int64(x[0]) * int64(x[1]) * (elementsAt(in, 1) + elementsAt(in, 2))
}

// Operations counts the products of the LSTM around.
func (l *LSTM) Operations(in []tensor.Spec) int64 { return recurrentOperations(in) }

// attentionOperations counts the products of queries with keys and of weights with values; a masked one is computed too.
func attentionOperations(queries, results int64, keys int) int64 {
	return 2 * (queries + results) * int64(keys)
}

// Operations counts both products.
func (o *fusedAttention) Operations(in, out []tensor.Spec) int64 {
	if len(in) < 3 {
		return 0
	}
	q, err := o.q.dims(in[0])
	k, err2 := o.k.dims(in[1])
	if err != nil || err2 != nil || !q.batch.Known() || !q.heads.Known() || !q.seq.Known() || !q.size.Known() || !k.seq.Known() {
		return 0
	}
	queries := int64(q.batch.Size) * int64(q.heads.Size) * int64(q.seq.Size) * int64(q.size.Size)
	return attentionOperations(queries, each(out, 1), k.seq.Size)
}

// Operations counts both products.
func (o *onnxAttention) Operations(in, out []tensor.Spec) int64 {
	keys := 0
	for _, i := range []int{1, 4} { // present and past
		if k := shapeAt(in, i); len(k) >= 3 {
			keys += k[len(k)-2]
		}
	}
	return attentionOperations(elementsAt(in, 0), each(out, 1), keys)
}

// Operations counts the projection and both products.
func (o *contribAttention) Operations(in, out []tensor.Spec) int64 {
	x, w := shapeAt(in, 0), shapeAt(in, 1)
	if len(x) != 3 || len(w) != 2 {
		return 0
	}
	q, _, v, err := o.widths(w[1])
	if err != nil {
		return 0
	}
	return projectedOperations(in, x, w, q, v, 4)
}

func projectedOperations(in []tensor.Spec, x, w []int, q, v, past int) int64 {
	rows, keys := int64(x[0])*int64(x[1]), x[1]
	if p := shapeAt(in, past); len(p) == 5 {
		keys += p[3]
	}
	return 2*rows*int64(w[0])*int64(w[1]) + attentionOperations(rows*int64(q), rows*int64(v), keys)
}

// Operations counts the projection and both products, for weights [in, queries+keys+values] in input 1.
func (p *ProjectedAttention) Operations(in []tensor.Spec, past int) int64 {
	x, w := shapeAt(in, 0), shapeAt(in, 1)
	if len(x) != 3 || len(w) != 2 {
		return 0
	}
	q, _, v, err := p.o.widths(w[1])
	if err != nil {
		return 0
	}
	return projectedOperations(in, x, w, q, v, past)
}

// Operations counts both products.
func (o *multiHead) Operations(in, _ []tensor.Spec) int64 {
	s, err := o.sizes(shapeAt(in, 0), shapeAt(in, 1), shapeAt(in, 2))
	if err != nil {
		return 0
	}
	rows := int64(s.batch) * int64(s.sq) * int64(o.heads)
	return attentionOperations(rows*int64(s.d), rows*int64(s.dv), s.sk)
}

// Operations counts both products, over the keys that there are room for.
func (o *groupQuery) Operations(_, out []tensor.Spec) int64 {
	keys := 0
	if k := shapeAt(out, 1); len(k) == 4 {
		keys = k[2]
	}
	return attentionOperations(each(out, 1), each(out, 1), keys)
}

func (o unary) Operations(_, out []tensor.Spec) int64    { return each(out, 1) }
func (o arith) Operations(_, out []tensor.Spec) int64    { return each(out, 1) }
func (o pow) Operations(_, out []tensor.Spec) int64      { return each(out, 1) }
func (o mod) Operations(_, out []tensor.Spec) int64      { return each(out, 1) }
func (o compare) Operations(_, out []tensor.Spec) int64  { return each(out, 1) }
func (o clip) Operations(_, out []tensor.Spec) int64     { return each(out, 2) } // two limits
func (o biasGelu) Operations(_, out []tensor.Spec) int64 { return each(out, 2) }

// Operations counts a multiply-add per element.
func (o batchNorm) Operations(_, out []tensor.Spec) int64 { return each(out, 2) }

// Operations counts an operation for every further operand.
func (o variadic) Operations(in, out []tensor.Spec) int64 { return each(out, int64(len(in)-1)) }

// Operations counts maximum, difference, exp, sum and quotient.
func (o softmax) Operations(_, out []tensor.Spec) int64 { return each(out, 5) }

// Operations counts the sums for mean and variance, and difference, product and scale.
func (o layerNorm) Operations(_, out []tensor.Spec) int64 { return each(out, 7) }

// Operations counts those of layerNorm and the sum before.
func (o skipNorm) Operations(_, out []tensor.Spec) int64 { return each(out, 8) }

// Operations counts those of layerNorm.
func (o groupNorm) Operations(_, out []tensor.Spec) int64 { return each(out, 7) }

// Operations counts one per element that is reduced.
func (o reduce) Operations(in, _ []tensor.Spec) int64 { return each(in, 1) }

// Operations counts one per element that is reduced.
func (o *globalPool) Operations(in, _ []tensor.Spec) int64 { return each(in, 1) }

// Operations counts one per output element and element of its window.
func (o *pool) Operations(in, out []tensor.Spec) int64 {
	n := int64(1)
	for _, k := range o.win.kernel {
		n *= int64(k)
	}
	return each(out, n)
}

func (o gather) ReadsPart()         {}
func (o gatherElements) ReadsPart() {}
func (o gatherND) ReadsPart()       {}
func (o slice) ReadsPart()          {}
