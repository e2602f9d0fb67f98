package main

// Feature is an instruction set extension, or a group of them that every tier checks together.
type Feature uint8

// Features.
const (
	FeatBase     Feature = 1 << iota // general registers, AVX2, FMA, F16C
	FeatVNNI                         // AVX-VNNI or AVX512-VNNI, by the kernel's ISA
	FeatAVX512                       // F, BW, DQ, VL: mask registers, 32 vector registers, EVEX encodings
	FeatAMX                          // AMX-TILE and AMX-INT8
	FeatNEON                         // arm64: the vectors that every processor has
	FeatNEONDot                      // arm64: SDOT, UDOT
	FeatNEONI8MM                     // arm64: SMMLA, USMMLA, USDOT, SUDOT
)

// ISA is the instruction set that a kernel is written for.
type ISA struct {
	Name   string // as in file names: avx2
	Suffix string // as in symbols: AVX2
	Width  int    // bytes of a vector register
	Regs   int    // vector registers
	Feat   Feature
	VEX    bool // VPDPBUSD and its kin are VEX encoded, which Go's assembler cannot do
}

// The instruction sets.
var (
	AVX2       = &ISA{Name: "avx2", Suffix: "AVX2", Width: 32, Regs: 16, Feat: FeatBase}
	AVXVNNI    = &ISA{Name: "avxvnni", Suffix: "AVXVNNI", Width: 32, Regs: 16, Feat: FeatBase | FeatVNNI, VEX: true}
	AVX512     = &ISA{Name: "avx512", Suffix: "AVX512", Width: 64, Regs: 32, Feat: FeatBase | FeatAVX512}
	AVX512VNNI = &ISA{Name: "avx512vnni", Suffix: "AVX512VNNI", Width: 64, Regs: 32, Feat: FeatBase | FeatAVX512 | FeatVNNI}
	NEON       = &ISA{Name: "neon", Suffix: "NEON", Width: 16, Regs: 32, Feat: FeatNEON}
	NEONDOT    = &ISA{Name: "neondot", Suffix: "NEONDOT", Width: 16, Regs: 32, Feat: FeatNEON | FeatNEONDot}
	NEONI8MM   = &ISA{Name: "neoni8mm", Suffix: "NEONI8MM", Width: 16, Regs: 32, Feat: FeatNEON | FeatNEONDot | FeatNEONI8MM}
	AMX        = &ISA{Name: "amx", Suffix: "AMX", Width: 64, Regs: 32, Feat: FeatBase | FeatAVX512 | FeatVNNI | FeatAMX}
)

// arm says whether the set is one of arm64, whose kernels have registers and instructions of their own.
func (i *ISA) arm() bool { return i.Feat&FeatNEON != 0 }

// arch is the set's GOARCH.
func (i *ISA) arch() string {
	if i.arm() {
		return "arm64"
	}
	return "amd64"
}
