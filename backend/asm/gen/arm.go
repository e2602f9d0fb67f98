package main

import (
	"fmt"
	"strings"
)

// armOps are the instructions of arm64 that Go's assembler writes, with operand forms as in ops.
var armOps = map[string]string{
	"RET": "", "PCALIGN": "i",
	"B": "l", "BEQ": "l", "BNE": "l", "BLT": "l", "BGE": "l", "BGT": "l", "BLE": "l", "BLO": "l", "BHS": "l", "BHI": "l", "BLS": "l", "BMI": "l", "BPL": "l",
	"CBZ": "r l", "CBNZ": "r l", "TBZ": "i r l", "TBNZ": "i r l",

	"MOVD": "mri r|r m", "MOVW": "m r|r m|r r", "MOVWU": "m r|r r", "MOVH": "m r|r m|r r", "MOVHU": "m r|r r", "MOVB": "m r|r m|r r", "MOVBU": "m r|r r",
	"ADD": "ri r r|ri r", "SUB": "ri r r|ri r", "ADDS": "ri r r|ri r", "SUBS": "ri r r|ri r", "AND": "ri r r|ri r", "ORR": "ri r r|ri r",
	"EOR": "ri r r|ri r", "LSL": "ri r r|ri r", "LSR": "ri r r|ri r", "ASR": "ri r r|ri r", "MUL": "r r r|r r", "NEG": "r r",
	"MADD": "r r r r", "MSUB": "r r r r", "CMP": "ri r", "TST": "ri r",
	"ADR": "m r", // the address of the kernel's constants, which is written as a MOVD
}

// checkARM is check for arm64.
func checkARM(isa *ISA, in *Instr) error {
	forms, ok := armOps[in.Op]
	if !ok {
		_, _, err := neonEncode(isa, in)
		return err
	}
	for _, form := range strings.Split(forms, "|") {
		if fits(strings.Fields(form), in.Args) {
			return nil
		}
	}
	return fmt.Errorf("operands do not fit %q", forms)
}

// textARM prints an instruction for Go's assembler.
func textARM(isa *ISA, in *Instr) string {
	if _, ok := armOps[in.Op]; !ok {
		word, gnu, err := neonEncode(isa, in)
		if err != nil {
			panic(err)
		}
		return fmt.Sprintf("WORD $0x%08x // %s", word, gnu)
	}
	op := in.Op
	args := make([]string, len(in.Args))
	for i, a := range in.Args {
		args[i] = a.String()
		if m, ok := a.(Mem); ok && m.sym != "" {
			args[i] = "$" + args[i]
			op = "MOVD"
		} else if ok && m.Index.Kind != KindNone {
			args[i] = fmt.Sprintf("(%s)(%s)", m.Base, m.Index)
		}
	}
	return strings.TrimSpace(op + " " + strings.Join(args, ", "))
}

// armGP is the order in which general registers of arm64 are handed out. R18 is the system's, R26 holds closures, R27 is the
// assembler's, R28 the goroutine, R29 and R30 the frame and the return address.
var armGP = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 20, 21, 22, 23, 24, 25}
