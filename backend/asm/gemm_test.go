package asm_test

import (
	"os"
	"testing"

	"github.com/qrun-onnx/qrun/backend/asm"
	"github.com/qrun-onnx/qrun/backend/asm/asmtest"
)

var isaNames = map[string]asm.ISA{"scalar": asm.Scalar, "avx2": asm.AVX2, "avxvnni": asm.AVXVNNI, "avx512": asm.AVX512, "avx512vnni": asm.AVX512VNNI, "amx": asm.AMX,
	"neon": asm.NEON, "neondot": asm.NEONDOT, "neoni8mm": asm.NEONI8MM}

// testKernels runs f on every kernel that this CPU has. With QRUN_TEST_REQUIRE a missing one is a failure.
func testKernels(t *testing.T, kernels []asm.Kernel, f func(t *testing.T, i int, d asm.Kernel)) {
	required := isaNames[os.Getenv("QRUN_TEST_REQUIRE")]
	for i, d := range kernels {
		t.Run(d.Name, func(t *testing.T) {
			if !asm.Has(d.ISA) {
				if d.ISA == required {
					t.Fatal("this CPU does not have what QRUN_TEST_REQUIRE asks for")
				}
				t.Skip("not on this CPU")
			}
			f(t, i, d)
		})
	}
}

func checkGemm(t *testing.T, cases []*asmtest.Gemm, call, reference func(a *asm.ArgsGemm)) {
	for _, g := range cases {
		a := g.Args
		reference(&a)
		want := g.Take()
		a = g.Args
		call(&a)
		if err := g.Diff(g.Take(), want); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGemmU8S8(t *testing.T) {
	testKernels(t, asm.GemmU8S8Kernels[:], func(t *testing.T, i int, d asm.Kernel) {
		k := asm.GemmU8S8(i)
		checkGemm(t, asmtest.GemmCases(d, "int8"), k.Call, k.Reference)
	})
}

func TestGemmU8C8(t *testing.T) {
	testKernels(t, asm.GemmU8C8Kernels[1:], func(t *testing.T, i int, d asm.Kernel) {
		k := asm.GemmU8C8(i + 1)
		checkGemm(t, asmtest.GemmCases(d, "clipped"), k.Call, k.Reference)
	})
}

func TestGemmF32(t *testing.T) {
	testKernels(t, asm.GemmF32Kernels[:], func(t *testing.T, i int, d asm.Kernel) {
		k := asm.GemmF32(i)
		checkGemm(t, asmtest.GemmCases(d, "float32"), k.Call, k.Reference)
	})
}

func TestGemmF16(t *testing.T) {
	testKernels(t, asm.GemmF16Kernels[:], func(t *testing.T, i int, d asm.Kernel) {
		k := asm.GemmF16(i)
		checkGemm(t, asmtest.GemmCases(d, "float16"), k.Call, k.Reference)
	})
}
