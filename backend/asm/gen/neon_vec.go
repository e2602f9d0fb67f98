package main

import (
	"fmt"
	"slices"
	"strings"
)

// The programs of vector kernels name instructions as AVX2 does. On arm64 an operation on 16 lanes is one on four
// registers, and Kernel.Op's general instructions become those of arm64, each with the same results and the same flags.
// A name that holds a point is an instruction of arm64 itself.

// uniform is a wide whose lanes are always alike: one register on arm64, which has no memory operands but 32 registers.
func (v *vec) uniform(name string) wide {
	if !v.ISA.arm() {
		return v.wide(name)
	}
	r := v.V(name)
	return wide{r, r, r, r}
}

// V takes a free vector register, and remembers how few were left.
func (v *vec) V(name string) Reg {
	r := v.Kernel.V(name)
	v.free = min(v.free, v.FreeV())
	return r
}

// registers are the different ones of a wide.
func (w wide) registers() []Reg {
	if w[0] == w[len(w)-1] {
		return w[:1]
	}
	return w
}

// neonReg is a vector register under its name of arm64.
func neonReg(o Operand) Operand {
	if r, ok := o.(Reg); ok && r.isVec() {
		return Reg{KindQ, r.N}
	}
	return o
}

// constant is a register with the constant in all lanes, and whether it is a new one.
func (v *vec) constant(x splat) (Reg, bool) {
	if r, ok := v.operand(x).(Reg); ok {
		return r, false
	}
	r := v.V("constant")
	v.setReg(x, r)
	return r, true
}

// neonOp is op on arm64.
func (v *vec) neonOp(op string, args []any) {
	last := len(args) - 1
	dst := args[last].(wide)
	lanes := dst.registers()
	sources := make([][]Operand, last)
	var temps []Reg
	for j, a := range args[:last] {
		var regs wide
		switch a := a.(type) {
		case wide:
			regs = a
		case splat:
			r, isNew := v.constant(a)
			if isNew {
				temps = append(temps, r)
			}
			regs = wide{r, r, r, r}
		case Mem:
			regs = dst
			if slices.ContainsFunc(args[:last], func(s any) bool { w, ok := s.(wide); return ok && w[0] == dst[0] }) || readsResult(op) {
				regs = v.wide("memory")
				temps = append(temps, regs...)
			}
			v.neonLoad(nil, a, regs)
		case Operand:
			a = neonReg(a)
			sources[j] = []Operand{a, a, a, a}
			continue
		}
		for _, r := range regs {
			sources[j] = append(sources[j], r)
		}
	}
	// Two registers at a time, so that of several instructions for one each does not wait for the last.
	var scratch [2]Reg
	for i := 0; i < len(lanes); i += 2 {
		var lists [][]Instr
		for p := range min(2, len(lanes)-i) {
			of := make([]Operand, last+1)
			for j := range sources {
				of[j] = sources[j][i+p]
			}
			of[last] = lanes[i+p]
			lists = append(lists, v.neonInstr(op, of, &scratch[p]))
		}
		for j := range lists[0] {
			for _, l := range lists {
				v.add(l[j])
			}
		}
	}
	for _, r := range scratch {
		if r.Kind != KindNone {
			temps = append(temps, r)
		}
	}
	v.Free(temps...)
}

// readsResult says whether the destination is a source too.
func readsResult(op string) bool { return strings.HasPrefix(op, "VFM") }

// neonInstr are the instructions of arm64 for one of AVX2 on registers, and a register that they may need.
func (v *vec) neonInstr(op string, a []Operand, scratch *Reg) []Instr {
	one := func(op string, args ...Operand) Instr { return Instr{Op: op, Args: args} }
	if name, ok := neonNames[op]; ok {
		return []Instr{one(name, a...)}
	}
	if _, ok := neonOps[op]; ok {
		return []Instr{one(op, a...)}
	}
	temp := func() Reg {
		if scratch.Kind == KindNone {
			*scratch = v.V("scratch")
		}
		return *scratch
	}
	d := a[len(a)-1]
	switch op {
	case "VMAXPS", "VMINPS": // of equals and of NaN the second source, which Go writes first
		second, first := a[0], a[1]
		greater := []Operand{second, first}
		if op == "VMINPS" {
			greater = []Operand{first, second}
		}
		switch d {
		case first:
			t := temp()
			return []Instr{one("FCMGT.4S", append(greater, t)...), one("BIF.16B", t, second, d)}
		case second:
			t := temp()
			return []Instr{one("FCMGT.4S", append(greater, t)...), one("BIT.16B", t, first, d)}
		}
		return []Instr{one("FCMGT.4S", append(greater, d)...), one("BSL.16B", second, first, d)}
	case "VCMPPS":
		b, x := a[1], a[2]
		switch a[0].(Imm) {
		case less:
			return []Instr{one("FCMGT.4S", x, b, d)}
		case equal:
			return []Instr{one("FCMEQ.4S", x, b, d)}
		case notLess:
			return []Instr{one("FCMGT.4S", x, b, d), one("MVN.16B", d, d)}
		case notLessEqual:
			return []Instr{one("FCMGE.4S", x, b, d), one("MVN.16B", d, d)}
		case unordered:
			if b == x {
				return []Instr{one("FCMEQ.4S", x, x, d), one("MVN.16B", d, d)}
			}
		}
	case "VBLENDVPS":
		m, yes, no := a[0], a[1], a[2]
		switch d {
		case no:
			return []Instr{one("BIT.16B", m, yes, d)}
		case yes:
			return []Instr{one("BIF.16B", m, no, d)}
		case m:
			return []Instr{one("BSL.16B", no, yes, d)}
		}
		return []Instr{one("MOV.16B", m, d), one("BSL.16B", no, yes, d)}
	case "VFMADD213PS":
		t := temp()
		return []Instr{one("MOV.16B", a[0], t), one("FMLA.4S", a[1], d, t), one("MOV.16B", t, d)}
	case "VFMSUB231PS":
		return []Instr{one("FNEG.4S", d, d), one("FMLA.4S", a[0], a[1], d)}
	case "VROUNDPS":
		return []Instr{one([]string{8: "FRINTN.4S", 9: "FRINTM.4S", 10: "FRINTP.4S"}[a[0].(Imm)], a[1], d)}
	}
	panic(fmt.Sprintf("%s: %s %v is not known on arm64", v.Name, op, a))
}

// neonNames are the instructions that have a like one on arm64, operands and all.
var neonNames = map[string]string{
	"VADDPS": "FADD.4S", "VSUBPS": "FSUB.4S", "VMULPS": "FMUL.4S", "VDIVPS": "FDIV.4S", "VSQRTPS": "FSQRT.4S", "VFMADD231PS": "FMLA.4S",
	"VANDPS": "AND.16B", "VORPS": "ORR.16B", "VXORPS": "EOR.16B", "VPXOR": "EOR.16B", "VMOVAPS": "MOV.16B",
	"VPADDD": "ADD.4S", "VPSUBD": "SUB.4S", "VPMINSD": "SMIN.4S", "VPSLLD": "SHL.4S", "VPSRAD": "SSHR.4S",
	"VCVTDQ2PS": "SCVTF.4S", "VCVTPS2DQ": "FCVTNS.4S", // differ out of range, where no kernel uses the result
}

// neonGeneral are the instructions on general registers that have a like one on arm64; those that set flags do so there.
var neonGeneral = map[string]string{
	"ADDQ": "ADDS", "SUBQ": "SUBS", "ANDQ": "AND", "SHLQ": "LSL", "SHRQ": "LSR", "IMULQ": "MUL",
	"JMP": "B", "JZ": "BEQ", "JNZ": "BNE", "JL": "BLT", "JGE": "BGE", "JLE": "BLE", "JG": "BGT", "JB": "BLO", "JAE": "BHS", "RET": "RET",
}

// Op appends an instruction, operands in Go assembler order.
func (v *vec) Op(op string, args ...Operand) {
	if _, own := armOps[op]; !v.ISA.arm() || own || neonOps[op] != nil || memoryOps[op] != nil {
		v.Kernel.Op(op, args...)
		return
	}
	args = slices.Clone(args)
	var temps []Reg
	for i, a := range args {
		args[i] = neonReg(a)
		if m, ok := a.(Mem); ok && m.Index.Kind != KindNone {
			at, temp := v.neonAddress(m)
			args[i] = at
			temps = append(temps, temp...)
		}
	}
	v.neonSingle(op, args)
	v.Free(temps...)
}

// neonSingle is Op with operands as arm64 has them.
func (v *vec) neonSingle(op string, a []Operand) {
	from, fromMem := a[0].(Mem)
	name := neonGeneral[op]
	switch {
	case name != "" && fromMem:
		r := v.GP("memory")
		v.Op("MOVD", from, r)
		v.Op(name, r, a[1])
		v.Free(r)
	case name != "":
		v.Op(name, a...)
	case op == "DECQ":
		v.Op("SUBS", Imm(1), a[0])
	case op == "INCQ":
		v.Op("ADDS", Imm(1), a[0])
	case op == "XORQ":
		v.Op("MOVD", Imm(0), a[1])
	case op == "TESTQ":
		v.Op("CMP", Imm(0), a[0])
	case op == "CMPQ":
		v.Op("CMP", a[1], a[0])
	case op == "MOVQ":
		v.Op("MOVD", a...)
	case op == "MOVL" && fromMem:
		v.Op("MOVWU", a...)
	case op == "MOVL":
		r, isReg := a[0].(Reg)
		if !isReg {
			r = v.GP("value")
			v.Op("MOVD", a[0], r)
			defer v.Free(r)
		}
		v.Op("MOVW", r, a[1])
	default:
		v.neonVector(op, a, fromMem)
	}
}

// neonVector is neonSingle of instructions on vector registers.
func (v *vec) neonVector(op string, a []Operand, fromMem bool) {
	last := len(a) - 1
	_, toMem := a[last].(Mem)
	switch {
	case op == "VBROADCASTSS" || op == "VPBROADCASTD":
		r := a[1].(Reg)
		if fromMem {
			v.Op("LDR.S", a[0], r)
			a[0] = r
		}
		v.Op("DUP.4S", a[0].(Reg).Lane(0), r)
	case op == "VMOVUPS" && fromMem:
		v.Op("LDR.Q", a...)
	case (op == "VMOVUPS" || op == "VMOVDQU") && toMem:
		v.Op("STR.Q", a...)
	case (op == "VMOVSS" || op == "VMOVD") && toMem:
		v.Op("STR.S", a...)
	case op == "VMOVD":
		v.Op("FMOV.S", a...)
	case op == "VCVTPS2PH":
		h := v.V("half")
		v.Op("FCVTN.4H", a[1], h)
		v.Op("STR.D", h, a[2])
		v.Free(h)
	default:
		var scratch Reg
		for _, in := range v.neonInstr(op, a, &scratch) {
			v.add(in)
		}
		if scratch.Kind != KindNone {
			v.Free(scratch)
		}
	}
}

// Ret ends the kernel.
func (v *vec) Ret() {
	v.Kernel.Ret()
	if v.ISA.arm() && len(v.data) > 0 {
		v.Prog = slices.Insert(v.Prog, 0, Instr{Op: "ADR", Args: []Operand{Mem{sym: v.dataSym()}, v.pool}})
	}
}
