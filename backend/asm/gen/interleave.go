package main

import "fmt"

// interleaveFamily packs rows of bytes, two or four of K together.
func interleaveFamily() *Family {
	args := &Args{Name: "Interleave", Fields: []Field{
		{"Dst", "*int8", "K/M rows of Cols groups of M bytes"},
		{"LDD", "int64", "bytes between rows of Dst"},
		{"Src", "*int8", "K rows of Cols bytes"},
		{"LDS", "int64", "bytes between rows of Src"},
		{"K", "int64", "a positive multiple of M"},
		{"Cols", "int64", "a positive multiple of 16"},
	}}
	f := &Family{
		Name: "interleave", Type: "Interleave", Args: args, Scalar: "interleaveScalar",
		Doc: "Interleave is a kernel that brings M rows together, 4 for the Go kernel:\n\n" +
			"	for k := range K/M { for c := range Cols { for i := range M { Dst[k][c*M+i] = Src[k*M+i][c] } } }",
	}
	for _, depth := range []int{2, 4} {
		f.Kernels = append(f.Kernels, interleaveKernel(depth, args))
	}
	f.Kernels = append(f.Kernels, neonInterleave(args))
	return f
}

func interleaveKernel(depth int, args *Args) *Kernel {
	k := NewKernel(fmt.Sprintf("interleave%dAVX2", depth), AVX2, args)
	k.M, k.N = depth, 16
	dst, ldd, src, lds, n := k.Load("Dst"), k.Load("LDD"), k.Load("Src"), k.Load("LDS"), k.Load("K")
	lds3, s, d, cols := k.GP("3*lds"), k.GP("s"), k.GP("d"), k.GP("cols")
	k.Op("LEAQ", At(lds, 0).Idx(lds, 2), lds3)
	rows, group := k.Label("rows"), k.Label("group")
	k.Bind(rows)
	k.Op("MOVQ", src, s)
	k.Op("MOVQ", dst, d)
	k.Op("MOVQ", k.Field("Cols"), cols)
	k.Bind(group)
	in := []Mem{At(s, 0), At(s, 0).Idx(lds, 1), At(s, 0).Idx(lds, 2), At(s, 0).Idx(lds3, 1)}[:depth]
	regs := make([]Reg, depth)
	for i := range regs {
		regs[i] = k.V("row").X()
		k.Op("VMOVDQU", in[i], regs[i])
	}
	for width := range 2 { // pairs of bytes, then pairs of these
		if 1<<width == depth {
			break
		}
		regs = zip(k, regs, [2][2]string{{"VPUNPCKLBW", "VPUNPCKHBW"}, {"VPUNPCKLWD", "VPUNPCKHWD"}}[width])
	}
	for i, r := range regs {
		k.Op("VMOVDQU", r, At(d, 16*i))
		k.Free(r)
	}
	k.Op("ADDQ", Imm(16), s)
	k.Op("ADDQ", Imm(16*depth), d)
	k.Op("SUBQ", Imm(16), cols)
	k.Op("JNZ", group)
	k.Op("LEAQ", At(src, 0).Idx(lds, depth), src)
	k.Op("ADDQ", ldd, dst)
	k.Op("SUBQ", Imm(depth), n)
	k.Op("JNZ", rows)
	k.Ret()
	return k
}

// zip interleaves the elements of the first and second registers, the third and fourth; results stay in the order of
// columns.
func zip(k *Kernel, in []Reg, ops [2]string) []Reg {
	half := make([]Reg, len(in))
	if len(in) == 2 {
		for i, op := range ops {
			half[i] = k.V("zip").X()
			k.Op(op, in[1], in[0], half[i])
		}
	} else {
		// in is by row (bytes) or, after one round, low and high columns of rows 0 and 1 and then of 2 and 3.
		pairs := [2][2]int{{0, 1}, {2, 3}}
		if ops[0] == "VPUNPCKLWD" {
			pairs = [2][2]int{{0, 2}, {1, 3}}
		}
		for p, pair := range pairs {
			for i, op := range ops {
				half[2*p+i] = k.V("zip").X()
				k.Op(op, in[pair[1]], in[pair[0]], half[2*p+i])
			}
		}
	}
	k.Free(in...)
	return half
}
