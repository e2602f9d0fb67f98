// Package digits holds two small models of handwritten digits and the images that they were tested on, embedded into
// the program that imports it. README.md says where they come from.
package digits

import (
	"bytes"
	_ "embed"

	"github.com/sbinet/npyio/npy"

	"github.com/qrun-onnx/qrun/tensor"
)

// Size is the number of images.
const Size = 360

var (
	//go:embed mlp.onnx
	mlp []byte
	//go:embed attention.onnx
	attention []byte
	//go:embed images.npy
	images []byte
	//go:embed labels.npy
	labels []byte
)

// MLP is a perceptron with two hidden layers, in ONNX: image float32[batch 64] to logits float32[batch 10]. The bytes
// must not be changed.
func MLP() []byte { return mlp }

// Attention is a transformer of two layers, in ONNX, with the inputs and outputs of MLP. The bytes must not be changed.
func Attention() []byte { return attention }

// Images returns the test set, float32[360 64]: 8 rows of 8 pixels from 0 (paper) to 1 (ink) each.
func Images() (*tensor.Tensor, error) {
	var pixels []float32
	if err := npy.Read(bytes.NewReader(images), &pixels); err != nil {
		return nil, err
	}
	return tensor.Of(pixels, Size, 64)
}

// Labels returns the digit on each image of the test set.
func Labels() ([]int64, error) {
	var list []int64
	err := npy.Read(bytes.NewReader(labels), &list)
	return list, err
}
