package main

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// neonSamples are instructions of every form with operands that set different fields.
func neonSamples() []*Instr {
	var all []*Instr
	add := func(op string, args ...Operand) { all = append(all, &Instr{Op: op, Args: args}) }
	for op, forms := range neonOps {
		for _, f := range forms {
			_, rest, _ := strings.Cut(f.text, " ")
			for round := range 8 {
				var args []Operand
				for i, p := range strings.Split(rest, ", ") {
					if p != "#0.0" && !strings.HasPrefix(p, "lsl") {
						args = append(args, sampleOperand(p, round, i))
					}
				}
				slices.Reverse(args)
				add(op, args...)
			}
		}
	}
	for op, o := range memoryOps {
		base, index := Reg{KindR, 7}, Reg{KindR, 20}
		v, w := Reg{KindQ, 29}, Reg{KindQ, 3}
		var regs []Operand
		var at []Mem
		switch op[:3] {
		case "LDR", "STR":
			regs = []Operand{v}
			at = []Mem{At(base, 0), At(base, 3*o.size), At(base, 4095*o.size), At(base, -7), At(base, 0).Idx(index, 1), At(base, -16).Post(), At(base, 255).Post()}
			if o.size > 1 {
				at = append(at, At(base, 0).Idx(index, o.size))
			}
		case "LDP", "STP":
			regs = []Operand{v, w}
			at = []Mem{At(base, 0), At(base, -64*o.size), At(base, 63*o.size), At(base, 2*o.size).Post()}
		case "LD1", "ST1":
			at = []Mem{At(base, 0), At(base, o.size).Post()}
			if op[:4] == "LD1R" {
				regs = []Operand{v}
				break
			}
			for i := range 16 / o.size {
				for _, m := range at {
					add(op, ordered(op, m, v.Lane(i))...)
				}
			}
			continue
		default:
			at = []Mem{At(base, 0), At(base, 4096)}
		}
		for _, m := range at {
			add(op, ordered(op, m, regs...)...)
		}
	}
	return all
}

// ordered are the operands of a load, or of a store, which has the memory last.
func ordered(op string, m Mem, regs ...Operand) []Operand {
	if op[0] == 'S' {
		return append(slices.Clone(regs), m)
	}
	return append([]Operand{m}, regs...)
}

// sampleOperand fits operand i of a form's text.
func sampleOperand(p string, round, i int) Operand {
	n := (round*11 + i*7 + 1) % 32
	if p[0] == '#' {
		switch p[1] {
		case 'u':
			return Imm(round * 36)
		case 'i':
			return Imm(round * 2)
		}
		return Imm(1 + round%7)
	}
	p = strings.Trim(p, "{}")
	field, arrangement, vector := strings.Cut(p, ".")
	switch {
	case !vector && strings.ContainsAny(field[:1], "wx"):
		return Reg{KindR, n % 26}
	case strings.Contains(arrangement, "["):
		name, _, _ := strings.Cut(arrangement, "[")
		count := 16 / elemBytes(name[len(name)-1])
		if name == "4b" {
			count = 4
		}
		if name == "h" {
			n %= 16
		}
		return Reg{KindQ, n}.Lane((round + i) % count)
	}
	return Reg{KindQ, n}
}

// TestNEON disassembles every encoding for arm64.
func TestNEON(t *testing.T) {
	objdump, err := exec.LookPath("aarch64-linux-gnu-objdump")
	if err != nil {
		t.Skip("no objdump for arm64")
	}
	var code []byte
	var want []string
	for _, in := range neonSamples() {
		word, gnu, err := neonEncode(NEONI8MM, in)
		if err != nil {
			t.Errorf("%s: %v", text(in), err)
			continue
		}
		code = binary.LittleEndian.AppendUint32(code, word)
		want = append(want, gnu)
	}
	path := filepath.Join(t.TempDir(), "code")
	if err := os.WriteFile(path, code, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(objdump, "-D", "-b", "binary", "-m", "aarch64", path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found := regexp.MustCompile(`(?m)^ +[0-9a-f]+:\t[0-9a-f]+ \t(.*?) *(//.*)?$`).FindAllStringSubmatch(string(out), -1)
	if len(found) != len(want) {
		t.Fatalf("%d instructions, want %d", len(found), len(want))
	}
	for i, f := range found {
		if got := strings.Join(strings.Fields(f[1]), " "); got != want[i] {
			t.Errorf("instruction %d is %q, want %q", i, got, want[i])
		}
	}
}

// TestNEONFeatures asks for instructions that a set has not, and for operands that do not exist.
func TestNEONFeatures(t *testing.T) {
	v, r := Reg{KindQ, 20}, Reg{KindR, 1}
	for _, c := range []struct {
		isa  *ISA
		in   Instr
		want string
	}{
		{NEON, Instr{Op: "SDOT.4S", Args: []Operand{v, v, v}}, "not in neon"},
		{NEONDOT, Instr{Op: "USMMLA.4S", Args: []Operand{v, v, v}}, "not in neondot"},
		{NEON, Instr{Op: "FMLA.4S", Args: []Operand{v, v}}, "too few"},
		{NEON, Instr{Op: "FMLA.4S", Args: []Operand{v.Lane(4), v, v}}, "no such element"},
		{NEON, Instr{Op: "SMLAL.4S", Args: []Operand{v.Lane(4), v, v}}, "first 16 registers"},
		{NEON, Instr{Op: "LDR.Q", Args: []Operand{At(r, 1<<17), v}}, "out of reach"},
		{NEON, Instr{Op: "LDR.Q", Args: []Operand{v, At(r, 0)}}, "wrong side"},
		{NEON, Instr{Op: "VADDPS", Args: []Operand{v, v, v}}, "not in the table"},
		{NEON, Instr{Op: "ADD", Args: []Operand{v, v, v}}, "operands do not fit"},
	} {
		if err := checkARM(c.isa, &c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", text(&c.in), err, c.want)
		}
	}
}
