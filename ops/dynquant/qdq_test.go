package dynquant

import (
	"slices"
	"testing"

	mt "github.com/qrun-onnx/qrun/internal/modeltest"
	"github.com/qrun-onnx/qrun/tensor"
)

// A Gemm between DequantizeLinear and QuantizeLinear is one integer product. The scales are powers of two, for which float
// sums are exact and the results have the same bits.
func TestFuseQDQGemm(t *testing.T) {
	const k, n = 20, 6
	w, bias := make([]int8, k*n), make([]int32, n)
	for i := range w {
		w[i] = int8(i*29%255 - 127)
	}
	for i := range bias {
		bias[i] = int32(i*100 - 250)
	}
	one, zero := []float32{1. / 64}, []uint8{3}
	scales, sums := []float32{.5, .25, 2, 1, .125, 4}, make([]float32, n)
	for i, s := range scales {
		sums[i] = s / 64
	}
	model := func(gemm ...any) []any {
		return slices.Concat([]any{mt.In("x", mt.Spec(tensor.Float32, "N", k)), mt.Out("z"), mt.Init("one", one), mt.Init("zero", zero), mt.Init("y1", []float32{2}), mt.Init("y0", []uint8{100}),
			mt.Init("scales", scales, n), mt.Init("zeros", make([]int8, n), n), mt.Init("sums", sums, n), mt.Init("nulls", make([]int32, n), n), mt.Init("bias", bias, n),
			mt.Node("QuantizeLinear", "x one zero", "q"), mt.Node("DequantizeLinear", "q one zero", "d"), mt.Node("DequantizeLinear", "bias sums nulls", "b", mt.At("axis", 0))},
			gemm, []any{mt.Node("QuantizeLinear", "y y1 y0", "r"), mt.Node("DequantizeLinear", "r y1 y0", "z")})
	}
	across := []any{mt.Init("w8", w, k, n), mt.Node("DequantizeLinear", "w8 scales zeros", "w")}
	along := []any{mt.Init("w8", w, n, k), mt.Node("DequantizeLinear", "w8 scales zeros", "w", mt.At("axis", 0))}
	transposed := mt.At("transB", 1)
	comparePass(t, model(append(across, mt.Node("Gemm", "d w b", "y"))...), FuseQDQ(), 1)
	comparePass(t, model(append(along, mt.Node("Gemm", "d w b", "y", transposed))...), FuseQDQ(), 1)
	comparePass(t, model(append(along, mt.Node("Gemm", "d w", "y", transposed, mt.At("alpha", float32(1))))...), FuseQDQ(), 1)
	comparePass(t, model(append(along, mt.Node("Gemm", "d w b", "y", transposed, mt.At("alpha", float32(0.5))))...), FuseQDQ(), 0)
	comparePass(t, model(append(along, mt.Node("Gemm", "d w b", "y", transposed, mt.At("beta", float32(0.5))))...), FuseQDQ(), 0)
	square := []any{mt.Init("w8", w[:n*n], n, n), mt.Node("DequantizeLinear", "w8 scales zeros", "w", mt.At("axis", 0)), mt.Init("at", []int64{0}, 1), mt.Init("to", []int64{n}, 1),
		mt.Init("axis", []int64{1}, 1), mt.Node("Slice", "d at to axis", "e")}
	comparePass(t, model(append(square, mt.Node("Gemm", "e w b", "y"))...), FuseQDQ(), 0)
}
