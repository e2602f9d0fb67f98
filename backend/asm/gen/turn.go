package main

import "fmt"

// turnFamily transposes bytes: between planes of channels and positions with their channels side by side.
func turnFamily() *Family {
	args := &Args{Name: "Turn", Fields: []Field{
		{"Dst", "*uint8", "Cols rows of M bytes"},
		{"LDD", "int64", "bytes between rows of Dst"},
		{"Src", "*uint8", "M rows of Cols bytes"},
		{"LDS", "int64", "bytes between rows of Src"},
		{"Cols", "int64", "a positive multiple of N"},
		{"Rows", "int64", "M, for the Go code"},
		{"Flip", "int32", "these four bytes, which are alike, change the bits of every four"},
	}}
	f := &Family{
		Name: "turn", Type: "Turn", Args: args, Scalar: "turnScalar",
		Doc: "Turn is a kernel of the transposed copy of bytes:\n\n	for r := range M { for c := range Cols { Dst[c][r] = Src[r][c] ^ Flip } }",
	}
	for _, rows := range []int{8, 16} {
		f.Kernels = append(f.Kernels, turnKernel(AVX2, rows, args))
	}
	for _, rows := range []int{8, 16} {
		f.Kernels = append(f.Kernels, turnKernel(NEON, rows, args))
	}
	return f
}

// turnKernel takes 16 columns of all rows at a time. Byte c of row r is at 16*r+c and goes to rows*c+r, a rotation of the
// bits of its place, of which each round of zips does one bit. On AVX2 16 rows are two halves in the lanes of registers,
// which come together when they are stored.
func turnKernel(isa *ISA, rows int, args *Args) *Kernel {
	k := NewKernel(fmt.Sprintf("turn%d%s", rows, isa.Suffix), isa, args)
	k.M, k.N = rows, 16
	arm := isa.arm()
	halves := !arm && rows == 16
	dst, ldd, src, lds, n, p := k.Load("Dst"), k.Load("LDD"), k.Load("Src"), k.Load("LDS"), k.Load("Cols"), k.GP("p")
	flip := k.V("flip")
	vec := func(name string) Reg {
		if r := k.V(name); arm || halves {
			return r
		} else {
			return r.X()
		}
	}
	var upper Reg
	if arm {
		t := k.GP("flip")
		k.Op("MOVWU", k.Field("Flip"), t)
		k.Op("DUP.4S", t, flip)
		k.Free(t)
	} else {
		k.Op("VPBROADCASTD", k.Field("Flip"), flip)
	}
	if halves {
		upper = k.GP("upper")
		k.Op("LEAQ", At(src, 0).Idx(lds, 8), upper)
	}
	move := func(from, to Reg) { k.Op(map[bool]string{true: "MOVD", false: "MOVQ"}[arm], from, to) }
	add := func(x Operand, to Reg) { k.Op(map[bool]string{true: "ADD", false: "ADDQ"}[arm], x, to) }
	loop := k.Label("loop")
	k.Bind(loop)
	move(src, p)
	var q Reg
	if halves {
		q = k.GP("q")
		move(upper, q)
	}
	regs := make([]Reg, rows)
	if halves {
		regs = regs[:8]
	}
	for i := range regs {
		if i > 0 {
			if add(lds, p); halves {
				add(lds, q)
			}
		}
		regs[i] = vec("row")
		switch {
		case arm:
			k.Op("LDR.Q", At(p, 0), regs[i])
			k.Op("EOR.16B", flip, regs[i], regs[i])
		case halves:
			k.Op("VMOVDQU", At(p, 0), regs[i].X())
			k.Op("VINSERTI128", Imm(1), At(q, 0), regs[i], regs[i])
			k.Op("VPXOR", flip, regs[i], regs[i])
		default:
			k.Op("VMOVDQU", At(p, 0), regs[i])
			k.Op("VPXOR", flip.X(), regs[i], regs[i])
		}
	}
	low, high := "VPUNPCKLBW", "VPUNPCKHBW"
	if arm {
		low, high = "ZIP1.16B", "ZIP2.16B"
	}
	for bits := 1; bits < len(regs); bits *= 2 {
		zipped := make([]Reg, len(regs))
		for i := range len(regs) / 2 {
			a, b := regs[i], regs[i+len(regs)/2]
			zipped[2*i], zipped[2*i+1] = vec("low"), a
			k.Op(low, b, a, zipped[2*i])
			k.Op(high, b, a, a)
			k.Free(b)
		}
		regs = zipped
	}
	for _, r := range regs {
		switch {
		case halves:
			k.Op("VPERMQ", Imm(0xd8), r, r)
			k.Op("VMOVDQU", r.X(), At(dst, 0))
			k.Op("VEXTRACTI128", Imm(1), r, At(dst, 0).Idx(ldd, 1))
			k.Op("LEAQ", At(dst, 0).Idx(ldd, 2), dst)
		case arm && rows == 16:
			k.Op("STR.Q", r, At(dst, 0))
			add(ldd, dst)
		case arm:
			k.Op("STR.D", r, At(dst, 0))
			add(ldd, dst)
			k.Op("DUP.2D", r.Lane(1), r)
			k.Op("STR.D", r, At(dst, 0))
			add(ldd, dst)
		default:
			k.Op("VMOVQ", r, At(dst, 0))
			k.Op("VPUNPCKHQDQ", r, r, r)
			k.Op("VMOVQ", r, At(dst, 0).Idx(ldd, 1))
			k.Op("LEAQ", At(dst, 0).Idx(ldd, 2), dst)
		}
	}
	k.Free(regs...)
	if halves {
		add(Imm(16), upper)
	}
	add(Imm(16), src)
	if arm {
		k.Op("SUBS", Imm(16), n)
		k.Op("BNE", loop)
	} else {
		k.Op("SUBQ", Imm(16), n)
		k.Op("JNZ", loop)
	}
	k.Ret()
	return k
}
