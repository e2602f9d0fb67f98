// Package ops has the float and integer operators of ONNX, one family a file.
package ops

import (
	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
)

// lib makes operators that compute with one tier's kernels.
type lib struct{ k *backend.Kernels }

// Defs lists the operators, for execution with k.
func Defs(k *backend.Kernels) []graph.Def {
	l := lib{k}
	var defs []graph.Def
	for _, family := range []func() []graph.Def{
		l.shapes, l.views, l.reshapes, l.transposes,
		l.texts, l.vectorizers,
		l.einsums, l.determinants, l.randoms,
		l.placements, l.col2Ims, l.grids, l.roiAligns, l.suppressions,
		l.selectors, l.rearrangements, l.uniques,
		l.sequences, l.sequenceTensors, l.optionals,
		l.fouriers, l.stfts, l.signals,
		l.resizes,
		l.pads, l.scatters, l.indexedGathers,
		l.control, l.scans,
		l.concats, l.splits, l.slices, l.gathers, l.expands, l.constants, l.ranges, l.eyeLikes,
		l.matMuls, l.gemms, l.convolutions, l.convTransposes, l.pools, l.globalPools, l.recurrents, l.attentions, l.rotaries, l.contribAttentions, l.losses, l.unpools, l.deformConvs,
		l.arithmetic, l.variadics, l.unaryMath, l.activations, l.biasActivations, l.clips, l.logic, l.selections, l.casts, l.reductions,
		l.softmaxes, l.layerNorms, l.skipNorms, l.batchNorms, l.argExtremes, l.cumulatives, l.topKs,
		l.powers, l.bits, l.bitCasts, l.pRelus, l.groupNorms, l.axisNorms, l.dropouts,
	} {
		defs = append(defs, family()...)
	}
	_ = l
	return defs
}
