package main

import (
	"fmt"
	"strings"
)

// check says whether an instruction is in the table, has one of its operand forms, and exists in the instruction set.
func check(isa *ISA, in *Instr) error {
	info, ok := ops[in.Op]
	if !ok {
		return fmt.Errorf("not in the table of instructions")
	}
	match := false
	for _, form := range strings.Split(info.forms, "|") {
		match = match || fits(strings.Fields(form), in.Args)
	}
	if !match {
		return fmt.Errorf("operands do not fit %q", info.forms)
	}
	need := info.feat
	if in.Mask.Kind != KindNone {
		need |= FeatAVX512
	}
	for _, a := range in.Args {
		need |= operandFeature(a)
	}
	if need&^isa.Feat != 0 {
		return fmt.Errorf("not in %s", isa.Name)
	}
	return nil
}

func operandFeature(a Operand) Feature {
	switch a := a.(type) {
	case Reg:
		if a.Kind == KindZ || a.Kind == KindMask || a.isVec() && a.N > 15 {
			return FeatAVX512
		}
	case Mem:
		if a.Broadcast {
			return FeatAVX512
		}
	}
	return 0
}

func fits(form []string, args []Operand) bool {
	if len(form) != len(args) {
		return false
	}
	for i, a := range args {
		if !strings.Contains(form[i], letter(a)) {
			return false
		}
	}
	return true
}

// letter is the operand's kind as in the table's forms.
func letter(a Operand) string {
	switch a := a.(type) {
	case Lane:
		return "e"
	case Reg:
		switch a.Kind {
		case KindGP:
			return "r"
		case KindMask:
			return "k"
		case KindTile:
			return "t"
		case KindR:
			return "r"
		}
		return "v"
	case Mem:
		return "m"
	case Imm:
		return "i"
	}
	return "l"
}
