package main

import (
	"encoding/hex"
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
	objdump, err := exec.LookPath("objdump")
	if err != nil {
		t.Skip("no objdump")
	}
	files, err := filepath.Glob("../*_avx[2v]*_amd64.s")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	files = append(files, "../gemm_f32_avx512_amd64.s") // where they must be found
	line := regexp.MustCompile(`(?m)^ +[0-9a-f]+:\t62 .*$`)
	for _, f := range files {
		raw := filepath.Join(t.TempDir(), "code")
		if err := os.WriteFile(raw, machineCode(t, f), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(objdump, "-D", "-b", "binary", "-m", "i386:x86-64", "--insn-width=16", raw).Output()
		if err != nil {
			t.Fatal(err)
		}
		evex := line.FindString(string(out))
		if want := f == files[len(files)-1]; want != (evex != "") {
			t.Errorf("%s: %q", f, evex)
		}
	}
}

// machineCode is what Go's assembler makes of a file.
func machineCode(t *testing.T, file string) []byte {
	t.Helper()
	obj := filepath.Join(t.TempDir(), "kernels.o")
	assemble := exec.Command("go", "tool", "asm", "-p", "asm", "-I", filepath.Join(build.Default.GOROOT, "pkg", "include"), "-o", obj, file)
	assemble.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64")
	if out, err := assemble.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command("go", "tool", "objdump", obj).Output()
	if err != nil {
		t.Fatal(err)
	}
	var code []byte
	for _, m := range regexp.MustCompile(`(?m)^  \S+:\d+\s+0x[0-9a-f]+\s+([0-9a-f]+)\s`).FindAllStringSubmatch(string(out), -1) {
		b, err := hex.DecodeString(m[1])
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, b...)
	}
	return code
}
