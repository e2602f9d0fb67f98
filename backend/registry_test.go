package backend

import (
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// TestBestTier derives the tier from the features of this CPU.
func TestBestTier(t *testing.T) {
	has := func(names ...string) bool {
		for _, n := range names {
			if !slices.Contains(asm.Features(), n) {
				return false
			}
		}
		return true
	}
	want := "scalar"
	switch {
	case !asm.Has(asm.AVX2) && !asm.Has(asm.NEON): // purego, or an architecture without kernels
	case has("asimddp", "i8mm"):
		want = "neoni8mm"
	case has("asimddp"):
		want = "neondot"
	case has("asimd"):
		want = "neon"
	case asm.Has(asm.AMX): // also needs the leave of the operating system
		want = "amx"
	case has("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vnni"):
		want = "avx512vnni"
	case has("avxvnni"):
		want = "avxvnni"
	case has("avx2", "fma", "f16c"):
		want = "avx2"
	}
	k, err := New("")
	if err != nil {
		t.Fatal(err)
	}
	if k.Name() != want {
		t.Errorf("the best tier is %s, want %s of a cpu with %v", k.Name(), want, asm.Features())
	}
}
