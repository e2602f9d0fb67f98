package qrun_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/qrun-onnx/qrun"
)

// goldenBits are hashes of the outputs for seven images. TestTiersAgree compares the tiers of one machine; these compare
// machines, arm64 with amd64 above all. A change that means to alter the order of float operations writes them anew.
var goldenBits = map[string]string{
	"models/digits/mlp.onnx float32":         "a71e57c6cc8708c0",
	"models/digits/mlp.onnx int8":            "a14b5d58928f38b4",
	"models/digits/mlp.onnx int8 onnx":       "adf6a270ef1ac9f2",
	"models/digits/mlp.onnx fp16":            "0a39b81987d6cef0",
	"models/digits/attention.onnx float32":   "386ca3d856d12d78",
	"models/digits/attention.onnx int8":      "b5cbe15fa33de6a2",
	"models/digits/attention.onnx int8 onnx": "3105b2e5cebbc198",
	"models/digits/attention.onnx fp16":      "4a6cffd6bfdb007c",
}

func TestBitsOfEveryMachine(t *testing.T) {
	for _, path := range digitModels {
		for _, p := range precisions {
			name := path + " " + p.name
			t.Run(name, func(t *testing.T) {
				s := open(t, path, qrun.Options{Quantize: p.o.Quantize, Profile: p.o.Profile, Threads: 2})
				sum := sha256.Sum256(flat(run(t, s, digitInput(t, digitImages(t)[:7*pixels]))))
				if got := hex.EncodeToString(sum[:8]); got != goldenBits[name] {
					t.Errorf("%q: %q is not %q, what other machines compute", name, got, goldenBits[name])
				}
			})
		}
	}
}
