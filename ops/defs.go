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
	for _, family := range []func(lib) []graph.Def{
		shapes, views, reshapes, transposes,
		texts, vectorizers,
		einsums, determinants, randoms,
		placements, col2Ims, grids, roiAligns, suppressions,
		selectors, rearrangements, uniques,
		sequences, sequenceTensors, optionals,
		fouriers, stfts, signals,
		resizes,
		pads, scatters, indexedGathers,
		control, scans,
		concats, splits, slicers, gathers, expands, constants, ranges, eyeLikes,
		matMuls, gemms, convolutions, convTransposes, pools, globalPools, recurrents, attentions, rotaries, contribAttentions, losses, unpools, deformConvs,
		arithmetic, variadics, unaryMath, activations, biasActivations, clips, logic, selections, casts, reductions,
		softmaxes, layerNorms, skipNorms, batchNorms, argExtremes, cumulatives, topKs,
		powers, bits, bitCasts, pRelus, groupNorms, axisNorms, dropouts,
	} {
		defs = append(defs, family(l)...)
	}

	return defs
}
