package backend

import "github.com/qrun-onnx/qrun/backend/asm"

// apply is the activation of one value, with the bits of Kernels.Unary.
func (a Activation) apply(x, p0, p1 float32) float32 {
	if a == ActNone {
		return x
	}
	return asm.UnaryOf(activationUnary[a], x, p0, p1)
}

// Activate applies an activation to dst in place, with the bits of the epilogue of a product.
func (k *Kernels) Activate(act Activation, dst []float32, p0, p1 float32) {
	if act != ActNone {
		k.vec.Unary(activationUnary[act], dst, dst, p0, p1)
	}
}
