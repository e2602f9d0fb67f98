//go:build !purego

package asm

import "golang.org/x/sys/cpu"

// Has says whether this CPU, as its operating system lets us use it, runs the instruction set. Each checks its whole
// chain of features: switching one off (GODEBUG=cpu.avx2=off) does not clear those that build on it.
func Has(isa ISA) bool {
	x := &cpu.X86
	switch isa {
	case Scalar:
		return true
	case AVX2:
		return x.HasAVX2 && x.HasFMA && x.HasF16C && x.HasBMI2
	case AVXVNNI:
		return Has(AVX2) && x.HasAVXVNNI
	case AVX512:
		return Has(AVX2) && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL
	case AVX512VNNI:
		return Has(AVX512) && x.HasAVX512VNNI
	case AMX:
		return Has(AVX512VNNI) && x.HasAMXTile && x.HasAMXInt8 && tilesAllowed()
	}
	return false
}
