package dynquant

import (
	"fmt"
	"hash"
	"math/rand/v2"

	"github.com/qrun-onnx/qrun/backend"
)

// Fingerprint adds to h what packing makes of some small matrices, quantized and not. Whoever keeps packed weights (see
// backend.PackCache) compares it: the program that reads them back may pack or quantize otherwise than the one that wrote
// them.
func Fingerprint(h hash.Hash, k *backend.Kernels) {
	l := newLib(k)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, shape := range [][2]int{{70, 75}, {33, 9}} {
		float := make([]float32, shape[0]*shape[1])
		for i := range float {
			float[i] = float32(rng.IntN(2001)-1000) / 512
		}
		float[len(float)/2] = 40 // to be split
		for _, trans := range []bool{false, true} {
			w := &weight{float: float, shape: shape[:], trans: trans}
			repeat := w.splits(k)
			scale, err := w.scales(k, repeat)
			fmt.Fprintln(h, shape, trans, repeat, scale, err)
			k.WritePacked(h, float, w.depth(), w.columns(), trans)
			for _, p := range *w.packs(l, scale, repeat, 1) {
				p.Write(h)
			}
		}
	}
}
