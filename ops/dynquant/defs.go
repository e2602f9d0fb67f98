// Package dynquant turns the matrix products of a float model into int8 ones with dynamically quantized activations, runs
// models that are quantized already, and reports what it did to each node and why.
package dynquant

import (
	"sync"
	"weak"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// lib makes operators that compute with one tier's kernels. packs holds the packed form of weights that several nodes
// share, so that tied weights are in memory once; its keys keep nothing alive.
type lib struct {
	k     *backend.Kernels
	mu    *sync.Mutex
	packs map[packKey]weak.Pointer[[]*backend.PackedI8]
	bytes *sync.Pool // of *[]int8, for matrices between quantization and packing
}

type packKey struct {
	weight, scale, zero weak.Pointer[tensor.Tensor]
	trans               bool
}

func newLib(k *backend.Kernels) lib {
	return lib{k: k, mu: new(sync.Mutex), packs: map[packKey]weak.Pointer[[]*backend.PackedI8]{}, bytes: &sync.Pool{New: func() any { return new([]int8) }}}
}

// Defs lists the quantized operators, for execution with k.
func Defs(k *backend.Kernels) []graph.Def {
	l := newLib(k)
	var defs []graph.Def
	for _, family := range []func() []graph.Def{
		l.quantizeRows, l.normRows,
		l.linears,
		l.halfLinears,
		l.embeddings,
		l.quantizeLinears, l.dequantizeLinears, l.dynamicQuantizes,
		l.matMulIntegers, l.matMulToFloats, l.qLinearMatMuls, l.qGemms,
		l.byteConvs, l.dynamicConvs, l.byteTables, l.qLinearBinaries, l.qLinearSoftmaxes, l.qLinearPools,
		l.matMulNBits, l.gatherBlocks, l.qAttentions, l.qEmbedNorms, l.dynamicLSTMs,
	} {
		defs = append(defs, family()...)
	}
	return defs
}
