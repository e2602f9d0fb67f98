package backend

import "github.com/qrun-onnx/qrun/backend/asm"

// apply is the activation of one value, with the bits of Kernels.Unary.
func (a Activation) apply(x, p0, p1 float32) float32 {
	if a == ActNone {
		return x
	}
	return asm.UnaryOf(activationUnary[a], x, p0, p1)
}
