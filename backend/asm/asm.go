// Package asm holds the kernels in assembly, which the generator in gen writes, and the same in Go. Each kernel takes
// a pointer to its arguments, which it may change. A Family's kernel 0 is the Go code; all give the same bits.
// A call is not preemptible: callers keep each one under 100 microseconds.
package asm

//go:generate go run ./gen

// ISA is an instruction set that kernels are written for.
type ISA uint8

// The instruction sets.
const (
	Scalar     ISA = iota // Go
	AVX2                  // AVX2, FMA, F16C
	AVXVNNI               // AVX2 and AVX-VNNI
	AVX512                // AVX2 and AVX-512 F, BW, DQ, VL
	AVX512VNNI            // AVX512 and AVX512-VNNI
	AMX                   // AVX512VNNI and the tile registers of AMX-INT8
	NEON                  // arm64: the vectors that every processor has
	NEONDOT               // NEON and the dot products of bytes
	NEONI8MM              // NEONDOT and the matrix products of bytes
)

// Kernel describes a kernel.
type Kernel struct {
	Name string
	ISA  ISA
	M, N int // rows and columns of its tile, 0 where that has no meaning
}

func peakScalar(a *ArgsPeak) {
	for x := int32(0); a.N > 0; a.N-- {
		x += x * int32(a.N)
	}
}
