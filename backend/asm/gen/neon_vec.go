package main

import (
	"slices"
	"strings"
)

// The programs of vector kernels name instructions as AVX2 does. On arm64 an operation on 16 lanes is one on four
// registers. A name that holds a point is an instruction of arm64 itself.

// uniform is a wide whose lanes are always alike: one register on arm64, which has no memory operands but 32 registers.
func (v *vec) uniform(name string) wide {
	if !v.ISA.arm() {
		return v.wide(name)
	}
	r := v.V(name)
	return wide{r, r, r, r}
}

// registers are the different ones of a wide.
func (w wide) registers() []Reg {
	if w[0] == w[len(w)-1] {
		return w[:1]
	}
	return w
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

// Ret ends the kernel.
func (v *vec) Ret() {
	v.Kernel.Ret()
	if v.ISA.arm() && len(v.data) > 0 {
		v.Prog = slices.Insert(v.Prog, 0, Instr{Op: "ADR", Args: []Operand{Mem{sym: v.dataSym()}, v.pool}})
	}
}
