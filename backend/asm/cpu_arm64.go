//go:build !purego

package asm

import "golang.org/x/sys/cpu"

// Has says whether this CPU, as its operating system lets us use it, runs the instruction set. Go itself needs the
// vectors of NEON, so they are there also where a system does not say so.
func Has(isa ISA) bool {
	x := &cpu.ARM64
	switch isa {
	case Scalar, NEON:
		return true
	case NEONDOT:
		return x.HasASIMDDP
	case NEONI8MM:
		return Has(NEONDOT) && x.HasI8MM
	}
	return false
}
