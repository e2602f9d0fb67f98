package asm

import "golang.org/x/sys/cpu"

// Features lists the instruction sets of this CPU that kernels use or could use, by their usual names.
func Features() []string {
	x, a := &cpu.X86, &cpu.ARM64
	var names []string
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"avx2", x.HasAVX2}, {"fma", x.HasFMA}, {"f16c", x.HasF16C}, {"avxvnni", x.HasAVXVNNI}, {"avx512f", x.HasAVX512F}, {"avx512bw", x.HasAVX512BW},
		{"avx512dq", x.HasAVX512DQ}, {"avx512vl", x.HasAVX512VL}, {"avx512vnni", x.HasAVX512VNNI}, {"avx512bf16", x.HasAVX512BF16}, {"amxint8", x.HasAMXInt8},
		{"asimd", a.HasASIMD}, {"asimddp", a.HasASIMDDP}, {"i8mm", a.HasI8MM}, {"asimdhp", a.HasASIMDHP},
	} {
		if f.has {
			names = append(names, f.name)
		}
	}
	return names
}
