package main

// opInfo describes an instruction: operand forms in Go assembler order (r general, v vector, k mask, t tile, m memory,
// i constant, l label; alternatives by |) and the feature it needs beyond what its operands imply.
type opInfo struct {
	forms string
	feat  Feature
}

// Forms that many instructions share.
const (
	formBin   = "vm v v"
	formUn    = "vm v"
	formShift = "i v v|vm v v"
	formJump  = "l"
	formALU   = "rmi r|ri m"
)

// ops is every instruction that kernels may use.
var ops = map[string]opInfo{
	// Control.
	"RET": {}, "VZEROUPPER": {feat: FeatBase}, "PCALIGN": {forms: "i"},
	"JMP": {forms: formJump}, "JZ": {forms: formJump}, "JNZ": {forms: formJump}, "JL": {forms: formJump},
	"JGE": {forms: formJump}, "JLE": {forms: formJump}, "JG": {forms: formJump}, "JB": {forms: formJump}, "JAE": {forms: formJump},
	"PREFETCHT0": {forms: "m"}, "PREFETCHT1": {forms: "m"},

	// General registers, 64 bits.
	"MOVQ": {forms: "rmi r|ri m|v r|r v"}, "MOVL": {forms: "rmi r|ri m"}, "LEAQ": {forms: "m r"},
	"ADDQ": {forms: formALU}, "SUBQ": {forms: formALU}, "ANDQ": {forms: formALU}, "ORQ": {forms: formALU}, "XORQ": {forms: formALU},
	"IMULQ": {forms: "rm r"}, "SHLQ": {forms: "i r"}, "SHRQ": {forms: "i r"}, "SARQ": {forms: "i r"}, "NEGQ": {forms: "r"},
	"INCQ": {forms: "rm"}, "DECQ": {forms: "rm"}, "TESTQ": {forms: "ri r|ri m"}, "CMPQ": {forms: "r rmi|m ri"},
	"SHLXQ": {forms: "r rm r"}, "MOVLQSX": {forms: "rm r"}, "MOVLQZX": {forms: "rm r"}, "MOVWQZX": {forms: "rm r"}, "MOVBQZX": {forms: "rm r"},

	// Moves.
	"VMOVUPS": {forms: "vm v|v m"}, "VMOVAPS": {forms: "v v"}, "VMOVDQU": {forms: "vm v|v m"}, "VMOVDQA": {forms: "v v"},
	"VMOVDQU32": {"vm v|v m", FeatAVX512}, "VMOVDQA32": {"v v", FeatAVX512}, "VMOVDQU8": {"vm v|v m", FeatAVX512},
	"VMOVD": {forms: "rm v|v rm"}, "VMOVQ": {forms: "rm v|v rm"}, "VMOVSS": {forms: "m v|v m"}, "VMOVSD": {forms: "m v|v m"},
	"VMASKMOVPS": {forms: "m v v|v v m"}, "VPMASKMOVD": {forms: "m v v|v v m"},
	"VBROADCASTSS": {forms: formUn}, "VPBROADCASTD": {forms: "vmr v"}, "VPBROADCASTB": {forms: "vm v"}, "VPBROADCASTW": {forms: "vm v"},
	"KMOVW": {"rmk k|k rm", FeatAVX512}, "KMOVD": {"rmk k|k rm", FeatAVX512}, "KMOVQ": {"rmk k|k rm", FeatAVX512},
	"KORTESTW": {"k k", FeatAVX512}, "KNOTW": {"k k", FeatAVX512}, "KANDW": {"k k k", FeatAVX512}, "KORW": {"k k k", FeatAVX512},

	// float32 arithmetic.
	"VADDPS": {forms: formBin}, "VSUBPS": {forms: formBin}, "VMULPS": {forms: formBin}, "VDIVPS": {forms: formBin},
	"VMAXPS": {forms: formBin}, "VMINPS": {forms: formBin}, "VSQRTPS": {forms: formUn},
	"VADDSS": {forms: formBin}, "VMULSS": {forms: formBin}, "VMAXSS": {forms: formBin}, "VMINSS": {forms: formBin},
	"VFMADD231PS": {forms: formBin}, "VFMADD213PS": {forms: formBin}, "VFNMADD231PS": {forms: formBin}, "VFNMADD213PS": {forms: formBin},
	"VFMSUB231PS": {forms: formBin}, "VFMSUB213PS": {forms: formBin},
	"VROUNDPS": {forms: "i vm v"}, "VRNDSCALEPS": {"i vm v", FeatAVX512}, "VSCALEFPS": {formBin, FeatAVX512},
	"VCMPPS": {forms: "i vm v vk"}, "VBLENDVPS": {forms: "v vm v v"}, "VBLENDMPS": {formBin, FeatAVX512},
	"VANDPS": {forms: formBin}, "VANDNPS": {forms: formBin}, "VORPS": {forms: formBin}, "VXORPS": {forms: formBin},
	"VCVTDQ2PS": {forms: formUn}, "VCVTPS2DQ": {forms: formUn}, "VCVTTPS2DQ": {forms: formUn},
	"VCVTPH2PS": {forms: formUn}, "VCVTPS2PH": {forms: "i v vm"},

	// Integers.
	"VPXOR": {forms: formBin}, "VPAND": {forms: formBin}, "VPANDN": {forms: formBin}, "VPOR": {forms: formBin},
	"VPXORD": {formBin, FeatAVX512}, "VPANDD": {formBin, FeatAVX512}, "VPANDND": {formBin, FeatAVX512}, "VPORD": {formBin, FeatAVX512},
	"VPTERNLOGD": {"i vm v v", FeatAVX512},
	"VPADDB":     {forms: formBin}, "VPADDW": {forms: formBin}, "VPADDD": {forms: formBin}, "VPADDQ": {forms: formBin}, "VPSUBD": {forms: formBin},
	"VPMULLD": {forms: formBin}, "VPMAXSD": {forms: formBin}, "VPMINSD": {forms: formBin}, "VPMAXUB": {forms: formBin}, "VPMINUB": {forms: formBin},
	"VPSLLD": {forms: formShift}, "VPSRLD": {forms: formShift}, "VPSRAD": {forms: formShift}, "VPSLLW": {forms: formShift}, "VPSRLW": {forms: formShift},
	"VPCMPEQD": {forms: "vm v vk"}, "VPCMPGTD": {forms: "vm v vk"}, "VPCMPEQW": {forms: "vm v v"}, "VMOVMSKPS": {forms: "v r"},
	"VPSADBW": {forms: formBin}, "VPACKSSDW": {forms: formBin}, "VPACKUSDW": {forms: formBin}, "VPACKUSWB": {forms: formBin}, "VPACKSSWB": {forms: formBin},
	"VPMOVUSDB": {"v vm", FeatAVX512}, "VPMOVDB": {"v vm", FeatAVX512},
	"VPMOVSXBW": {forms: formUn}, "VPMOVZXBW": {forms: formUn}, "VPMOVSXBD": {forms: formUn}, "VPMOVZXBD": {forms: formUn}, "VPMOVSXWD": {forms: formUn}, "VPMOVZXWD": {forms: formUn},

	// Products of small integers.
	"VPMADDWD": {forms: formBin}, "VPMADDUBSW": {forms: formBin}, "VPDPBUSD": {formBin, FeatVNNI}, "VPDPWSSD": {formBin, FeatVNNI},

	// Tiles. TDPBUSD takes B, A and the sums.
	"LDTILECFG": {"m", FeatAMX}, "TILERELEASE": {"", FeatAMX}, "TILEZERO": {"t", FeatAMX},
	"TILELOADD": {"m t", FeatAMX}, "TILESTORED": {"t m", FeatAMX}, "TDPBUSD": {"t t t", FeatAMX},

	// Shuffles.
	"VUNPCKLPS": {forms: formBin}, "VUNPCKHPS": {forms: formBin}, "VUNPCKLPD": {forms: formBin}, "VUNPCKHPD": {forms: formBin},
	"VPUNPCKLBW": {forms: formBin}, "VPUNPCKHBW": {forms: formBin}, "VPUNPCKLWD": {forms: formBin}, "VPUNPCKHWD": {forms: formBin},
	"VPUNPCKLDQ": {forms: formBin}, "VPUNPCKHDQ": {forms: formBin}, "VPUNPCKLQDQ": {forms: formBin}, "VPUNPCKHQDQ": {forms: formBin},
	"VSHUFPS": {forms: "i vm v v"}, "VPSHUFD": {forms: "i vm v"}, "VPSHUFB": {forms: formBin}, "VPERMILPS": {forms: "i vm v"},
	"VPERMQ": {forms: "i vm v"}, "VPERMD": {forms: formBin}, "VPERMPS": {forms: formBin}, "VPERM2F128": {forms: "i vm v v"}, "VPERM2I128": {forms: "i vm v v"},
	"VINSERTF128": {forms: "i vm v v"}, "VEXTRACTF128": {forms: "i v vm"}, "VINSERTI128": {forms: "i vm v v"}, "VEXTRACTI128": {forms: "i v vm"},
	"VEXTRACTF64X4": {"i v vm", FeatAVX512}, "VEXTRACTI64X4": {"i v vm", FeatAVX512}, "VINSERTF64X4": {"i vm v v", FeatAVX512},
	"VSHUFF32X4": {"i vm v v", FeatAVX512}, "VSHUFI32X4": {"i vm v v", FeatAVX512}, "VMOVHLPS": {forms: "v v v"},
}
