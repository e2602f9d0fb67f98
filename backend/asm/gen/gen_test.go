package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestEveryInstructionIsExecutable(t *testing.T) {
	for op := range ops {
		if execs[op] == nil {
			t.Errorf("%s is in the table but the interpreter does not know it", op)
		}
	}
	for op := range execs {
		if _, ok := ops[op]; !ok {
			t.Errorf("the interpreter knows %s, which is not in the table", op)
		}
	}
}

// TestGenerated is go generate without writing: the committed files are what the generator prints.
func TestGenerated(t *testing.T) {
	files := generate()
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator prints; run go generate in backend/asm (%v)", name, err)
		}
	}
	asm, err := filepath.Glob("../*.s")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range asm {
		if files[filepath.Base(path)] == nil {
			t.Errorf("%s is not generated any more", path)
		}
	}
}

// TestVEX disassembles every encoding that is written as constants, with all register and address forms.
func TestVEX(t *testing.T) {
	objdump, err := exec.LookPath("objdump")
	if err != nil {
		t.Skip("no objdump")
	}
	var code []byte
	var want []string
	add := func(op string, args ...Operand) {
		in := &Instr{Op: op, Args: args}
		code = append(code, vex(in)...)
		want = append(want, intel(in))
	}
	tile := func(n int) Reg { return Reg{KindTile, n} }
	for i := range 8 {
		m := At(Reg{KindGP, 2 * i}, 64*i).Idx(Reg{KindGP, 15 - i}, 4)
		add("LDTILECFG", At(Reg{KindGP, 2*i + 1}, 64*i))
		add("TILERELEASE")
		add("TILEZERO", tile(i))
		add("TILELOADD", m, tile(i))
		add("TILESTORED", tile(i), m)
		add("TDPBUSD", tile(i), tile(7-i), tile((i+4)%8))
	}
	for _, op := range []string{"VPDPBUSD", "VPDPWSSD"} {
		for i := range 16 {
			y := Reg{KindY, i}
			add(op, y, Reg{KindY, 15 - i}, Reg{KindY, (i + 5) % 16})
			add(op, y.X(), Reg{KindX, 3}, Reg{KindX, (i + 5) % 16})
			for _, disp := range []int{0, 64, -8, 4096} {
				add(op, At(Reg{KindGP, i}, disp), Reg{KindY, 9}, y)
				if i != 4 {
					add(op, At(Reg{KindGP, 5}, disp).Idx(Reg{KindGP, i}, 4), Reg{KindY, 9}, y)
				}
			}
		}
	}
	path := filepath.Join(t.TempDir(), "code")
	if err := os.WriteFile(path, code, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(objdump, "-D", "-b", "binary", "-m", "i386:x86-64", "-M", "intel", path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	line := regexp.MustCompile(`(?m)^ +[0-9a-f]+:\t[0-9a-f ]+\t(.*?) *$`)
	found := line.FindAllStringSubmatch(string(out), -1)
	if len(found) != len(want) {
		t.Fatalf("%d instructions, want %d:\n%s", len(found), len(want), out)
	}
	for i, f := range found {
		got := strings.TrimPrefix(strings.Join(strings.Fields(f[1]), " "), "{vex} ")
		if got != want[i] {
			t.Errorf("instruction %d is %q, want %q", i, got, want[i])
		}
	}
}

// intel prints an instruction as objdump does.
func intel(in *Instr) string {
	reg := func(r Reg) string {
		if r.Kind == KindGP {
			n := strings.ToLower(r.String())
			if r.N < 8 {
				n = "r" + n
			}
			return n
		}
		return map[Kind]string{KindX: "xmm", KindY: "ymm", KindTile: "tmm"}[r.Kind] + strings.TrimLeft(r.String(), "XYTM")
	}
	s := []string{}
	for i := len(in.Args) - 1; i >= 0; i-- {
		switch a := in.Args[i].(type) {
		case Reg:
			s = append(s, reg(a))
		case Mem:
			m := "[" + reg(a.Base)
			if in.Op[0] == 'V' {
				m = "YMMWORD PTR " + m
			}
			if a.Index.Kind != KindNone {
				m += "+" + reg(a.Index) + "*4"
			}
			switch {
			case a.Disp > 0:
				m += fmt.Sprintf("+0x%x", a.Disp)
			case a.Disp < 0:
				m += fmt.Sprintf("-0x%x", -a.Disp)
			case a.Base.N&7 == 5:
				m += "+0x0"
			}
			s = append(s, m+"]")
		}
	}
	return strings.TrimSpace(strings.ToLower(in.Op) + " " + strings.Join(s, ","))
}
