package dynquant

import (
	"github.com/qrun-onnx/qrun/tensor"
)

// maxHalf is the largest finite float16.
const maxHalf = 65504

// half rounds a weight times alpha to float16, to nearest even and within the finite range, as PyTorch does.
func (w *weight) half(alpha float32) (*tensor.Tensor, error) {
	h := make([]tensor.F16, len(w.float))
	for i, x := range w.float {
		h[i] = tensor.ToF16(min(max(x*alpha, -maxHalf), maxHalf))
	}
	return tensor.Of(h, w.shape...)
}
