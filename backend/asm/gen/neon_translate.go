package main

import (
	"fmt"
	"math/bits"
	"slices"
)

// Kernels of arm64 may be written with the instructions of AVX2 and general registers of amd64 that vector kernels use:
// each becomes one or a few of arm64 with the same results and, where a jump follows, the same flags.

// neonNames are the instructions that have a like one on arm64, operands and all.
var neonNames = map[string]string{
	"VADDPS": "FADD.4S", "VSUBPS": "FSUB.4S", "VMULPS": "FMUL.4S", "VDIVPS": "FDIV.4S", "VSQRTPS": "FSQRT.4S", "VFMADD231PS": "FMLA.4S", "VFNMADD231PS": "FMLS.4S",
	"VANDPS": "AND.16B", "VORPS": "ORR.16B", "VXORPS": "EOR.16B", "VPXOR": "EOR.16B", "VMOVAPS": "MOV.16B",
	"VPADDD": "ADD.4S", "VPSUBD": "SUB.4S", "VPMINSD": "SMIN.4S", "VPSLLD": "SHL.4S", "VPSRAD": "SSHR.4S",
	"VUNPCKLPS": "ZIP1.4S", "VUNPCKHPS": "ZIP2.4S", "VUNPCKLPD": "ZIP1.2D", "VUNPCKHPD": "ZIP2.2D",
	"VCVTDQ2PS": "SCVTF.4S", "VCVTPS2DQ": "FCVTNS.4S", // differ out of range, where no kernel uses the result
}

// neonGeneral are the instructions on general registers that have a like one on arm64; those that set flags do so there.
var neonGeneral = map[string]string{
	"MOVQ": "MOVD", "MOVL": "MOVWU", "DECQ": "SUBS", "INCQ": "ADDS", "XORQ": "MOVD", "TESTQ": "CMP", "CMPQ": "CMP",
	"ADDQ": "ADDS", "SUBQ": "SUBS", "ANDQ": "AND", "SHLQ": "LSL", "SHRQ": "LSR", "IMULQ": "MUL",
	"JMP": "B", "JZ": "BEQ", "JNZ": "BNE", "JL": "BLT", "JGE": "BGE", "JLE": "BLE", "JG": "BGT", "JB": "BLO", "JAE": "BHS", "RET": "RET",
}

// translate appends what arm64 has for an instruction of amd64.
func (k *Kernel) translate(op string, args []Operand) {
	a := slices.Clone(args)
	if op == "LEAQ" {
		k.neonLea(a[0].(Mem), a[1].(Reg))
		return
	}
	var temps []Reg
	for i := range a {
		a[i] = neonReg(a[i])
		if m, ok := a[i].(Mem); ok {
			at, temp := k.neonAddress(m)
			a[i] = at
			temps = append(temps, temp...)
		}
	}
	if !k.neonInteger(op, a) {
		k.neonVector(op, a)
	}
	k.Free(temps...)
}

// neonAddress is the memory with a base only, and the registers that this needs until then.
func (k *Kernel) neonAddress(m Mem) (Mem, []Reg) {
	if m.Index.Kind == KindNone && m.sym == "" {
		return m, nil
	}
	r := k.GP("address")
	if m.sym != "" {
		k.Op("ADR", m, r)
		return At(r, 0), []Reg{r}
	}
	disp := m.Disp
	m.Disp = 0
	k.neonLea(m, r)
	return At(r, disp), []Reg{r}
}

// neonLea leaves the address in r.
func (k *Kernel) neonLea(m Mem, r Reg) {
	switch {
	case m.Index.Kind == KindNone:
		k.Op("ADD", Imm(m.Disp), m.Base, r)
		return
	case m.Scale == 1:
		k.Op("ADD", m.Index, m.Base, r)
	default:
		t := k.GP("scaled")
		k.Op("LSL", Imm(bits.TrailingZeros(uint(m.Scale))), m.Index, t)
		k.Op("ADD", t, m.Base, r)
		k.Free(t)
	}
	if m.Disp != 0 {
		k.Op("ADD", Imm(m.Disp), r)
	}
}

// neonInteger translates instructions on general registers and reports whether it is one. Those on memory load and store it.
func (k *Kernel) neonInteger(op string, a []Operand) bool {
	name := neonGeneral[op]
	if name == "" {
		return false
	}
	last := len(a) - 1
	if op == "MOVQ" || op == "MOVL" {
		_, toMem := a[last].(Mem)
		if _, isReg := a[0].(Reg); toMem && !isReg {
			r := k.GP("value")
			k.Op("MOVD", a[0], r)
			defer k.Free(r)
			a[0] = r
		}
		if toMem && op == "MOVL" {
			name = "MOVW"
		}
		k.Op(name, a...)
		return true
	}
	result, toMem := Mem{}, false
	for i := range a {
		if m, ok := a[i].(Mem); ok {
			r := k.GP("memory")
			defer k.Free(r)
			k.Op("MOVD", m, r)
			a[i] = r
			if i == last {
				result, toMem = m, true
			}
		}
	}
	switch op {
	case "DECQ", "INCQ":
		k.Op(name, Imm(1), a[0])
	case "XORQ":
		if a[0] != a[1] {
			panic(k.Name + ": XORQ only clears on arm64")
		}
		k.Op(name, Imm(0), a[1])
	case "TESTQ":
		k.Op(name, Imm(0), a[0])
		return true
	case "CMPQ":
		k.Op(name, a[1], a[0])
		return true
	default:
		k.Op(name, a...)
	}
	if toMem {
		k.Op("MOVD", a[last], result)
	}
	return true
}

// neonVector translates instructions on vector registers.
func (k *Kernel) neonVector(op string, a []Operand) {
	_, fromMem := a[0].(Mem)
	_, toMem := a[len(a)-1].(Mem)
	switch {
	case op == "VBROADCASTSS" || op == "VPBROADCASTD":
		r := a[1].(Reg)
		if fromMem {
			k.Op("LDR.S", a[0], r)
			a[0] = r
		}
		k.Op("DUP.4S", a[0].(Reg).Lane(0), r)
	case op == "VMOVUPS" && fromMem:
		k.Op("LDR.Q", a...)
	case (op == "VMOVUPS" || op == "VMOVDQU") && toMem:
		k.Op("STR.Q", a...)
	case (op == "VMOVSS" || op == "VMOVD") && toMem:
		k.Op("STR.S", a...)
	case op == "VMOVD":
		k.Op("FMOV.S", a...)
	case op == "VCVTPS2PH":
		h := k.V("half")
		k.Op("FCVTN.4H", a[1], h)
		k.Op("STR.D", h, a[2])
		k.Free(h)
	default:
		var scratch Reg
		for _, in := range k.neonInstr(op, a, &scratch) {
			k.add(in)
		}
		if scratch.Kind != KindNone {
			k.Free(scratch)
		}
	}
}

// neonInstr are the instructions of arm64 for one of AVX2 on registers, and a register that they may need.
func (k *Kernel) neonInstr(op string, a []Operand, scratch *Reg) []Instr {
	one := func(op string, args ...Operand) Instr { return Instr{Op: op, Args: args} }
	if name, ok := neonNames[op]; ok {
		return []Instr{one(name, a...)}
	}
	if _, ok := neonOps[op]; ok {
		return []Instr{one(op, a...)}
	}
	temp := func() Reg {
		if scratch.Kind == KindNone {
			*scratch = k.V("scratch")
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
	case "VFNMADD213PS":
		t := temp()
		return []Instr{one("MOV.16B", a[0], t), one("FMLS.4S", a[1], d, t), one("MOV.16B", t, d)}
	case "VSHUFPS":
		return []Instr{one(map[Imm]string{0x88: "UZP1.4S", 0xdd: "UZP2.4S"}[a[0].(Imm)], a[1], a[2], d)}
	case "VFMSUB231PS":
		return []Instr{one("FNEG.4S", d, d), one("FMLA.4S", a[0], a[1], d)}
	case "VROUNDPS":
		return []Instr{one([]string{8: "FRINTN.4S", 9: "FRINTM.4S", 10: "FRINTP.4S"}[a[0].(Imm)], a[1], d)}
	}
	panic(fmt.Sprintf("%s: %s %v is not known on arm64", k.Name, op, a))
}

// neonReg is a vector register under its name of arm64.
func neonReg(o Operand) Operand {
	if r, ok := o.(Reg); ok && r.isVec() {
		return Reg{KindQ, r.N}
	}
	return o
}
