//go:build (!amd64 && !arm64) || purego

package asm

// Has says whether this CPU runs the instruction set: only Go here.
func Has(isa ISA) bool { return isa == Scalar }
