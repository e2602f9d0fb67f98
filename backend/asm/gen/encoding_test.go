package main

import (
	"go/build"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestNoEVEX assembles the kernels of AVX2 and AVX-VNNI: they must not hold an instruction in AVX-512's encoding,
// which the assembler picks without a word where a mnemonic has only that.
func TestNoEVEX(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command")
	}
	files, err := filepath.Glob("../*_avx[2v]*_amd64.s")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	code := regexp.MustCompile(`(?m)^  \S+:\d+\s+0x[0-9a-f]+\s+([0-9a-f]+)\s.*$`)
	for _, f := range files {
		obj := filepath.Join(t.TempDir(), "kernels.o")
		assemble := exec.Command("go", "tool", "asm", "-p", "asm", "-I", filepath.Join(build.Default.GOROOT, "pkg", "include"), "-o", obj, f)
		assemble.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64")
		if out, err := assemble.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		out, err := exec.Command("go", "tool", "objdump", obj).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		lines := code.FindAllStringSubmatch(string(out), -1)
		if len(lines) < 10 {
			t.Errorf("%s: only %d instructions found", f, len(lines))
		}
		for _, l := range lines {
			if len(l[1]) > 10 && l[1][:2] == "62" {
				t.Errorf("%s: %s", f, l[0])
				break
			}
		}
	}
}
