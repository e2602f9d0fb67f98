package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// families are all kernels, in the order of their files.
func families() []*Family {
	return append([]*Family{
		peakFamily(), readFamily(), nbitsFamily(), widenNBitsFamily(), rotaryFamily(),
		gemmU8S8Family(), gemmF32Family(), gemmF16Family(),
		gemmU8C8Family(), restFamily(), columnsFamily(),
		widenFamily(), signedFamily(), pairFamily(), transposeFamily(), interleaveFamily(), weaveFamily(), turnFamily(), requantizeFamily(),
		convFamily(), pixelsFamily(), depthwiseFamily(), depthwisePlanesFamily(), poolPlanesFamily(), winogradFamily(), patchesFamily(),
	}, vecFamilies()...)
}

// generate prints every file by name.
func generate() map[string][]byte {
	out := map[string][]byte{}
	for _, f := range families() {
		for name, text := range f.files() {
			out[name] = text
		}
	}
	return out
}

func main() {
	dir := "."
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	for name, text := range generate() {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
