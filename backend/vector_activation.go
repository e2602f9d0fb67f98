package backend

import "github.com/qrun-onnx/qrun/backend/asm"

// apply is the activation of one value, with the bits of Kernels.Unary.
func (a Activation) apply(x, p0, p1 float32) float32 {
	var f Unary
	switch a {
	case ActRelu:
		f = Relu
	case ActGelu:
		f = Gelu
	case ActGeluTanh:
		f = GeluTanh
	case ActSilu:
		f = Silu
	case ActSigmoid:
		f = Sigmoid
	case ActTanh:
		f = Tanh
	case ActClip:
		f = Clip
	case ActLeakyRelu:
		f = LeakyRelu
	case ActHardSwish:
		f = HardSwish
	case ActHardSigmoid:
		f = HardSigmoid
	case ActQuickGelu:
		f = QuickGelu
	default:
		return x
	}
	return asm.UnaryOf(f, x, p0, p1)
}
