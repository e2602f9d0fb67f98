package asm

import "unsafe"

// patchesScalar is the Go kernel of Patches.
func patchesScalar(a *ArgsPatches) {
	for k := range int(a.K) {
		to := row[float32](unsafe.Pointer(a.Dst), 4*a.Width, k, int(a.Width))
		n := copy(to[:a.Cols], row[float32](unsafe.Add(a.X, elem(a.Offset, k)), 0, 0, int(a.Cols)))
		clear(to[n:])
	}
}
