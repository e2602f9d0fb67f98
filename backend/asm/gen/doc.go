// Command gen writes the assembly of package asm, its Go stubs and its tables. It runs by go generate in backend/asm.
//
// A kernel is a list of typed instructions, so that one list is printed as Go assembly and executed by the interpreter
// of this package's tests: every kernel is proven on every machine. To write one:
//
//	args := &Args{Name: "VecScale", Fields: []Field{{"Dst", "*float32", "…"}, {"Src", "*float32", "…"}, {"N", "int", "…"}}}
//	k := NewKernel("vecScaleAVX2", AVX2, args)   // symbol, instruction set, arguments
//	dst, src, n := k.Load("Dst"), k.Load("Src"), k.Load("N") // fields in general registers
//	x := k.V("x")                                // a free vector register of the set's width (Y here)
//	loop := k.Label("loop")
//	k.Bind(loop)
//	k.Op("VMOVUPS", At(src, 0), x)               // operands in Go assembler order: sources first, destination last
//	k.Op("VADDPS", x, x, x)
//	k.Op("VMOVUPS", x, At(dst, 0))
//	...                                          // k.Free(x) gives a register back; running out is a panic that names the live ones
//	k.Op("DECQ", n)
//	k.Op("JNZ", loop)
//	k.Ret()                                      // VZEROUPPER, RET
//
// Constants: k.F32(x) is four bytes of read-only memory (for VBROADCASTSS or .Bcst()), k.Lanes(...) a table of them.
// AVX-512: At(p, 0).Bcst() is the embedded broadcast; k.Masked(op, mask, ...) merges, k.Zeroed(op, mask, ...) zeroes; k.Mask(name) takes
// a mask register. A mnemonic must be in the table of ops.go (its operand forms and the feature it needs) and in the interpreter's
// (exec_*_test.go). An instruction that the kernel's instruction set lacks is a panic, so no EVEX slips into AVX2.
//
// A kernel may change integer fields of its arguments, never pointers: one past the end of its buffer, left in memory, breaks the garbage collector.
//
// Kernels of arm64 (NEON and what builds on it) are written the same way with arm64's registers and instructions: R registers
// from k.GP, V registers of 16 bytes from k.V, the argument pointer in R0.
//
//	k.Op("MOVD", Imm(3), r)                      // armOps: as Go's assembler knows them; k.Op("ADR", k.Lanes(...), r) is the address of constants
//	k.Op("LDR.Q", At(src, 16), x)                // memoryOp describes loads, stores and prefetches
//	k.Op("LDR.Q", At(src, 16).Post(), x)         // load, then add 16 to src
//	k.Op("FMLA.4S", b, a, acc)                   // neonOps: the mnemonic and the arrangement of its result
//	k.Op("FMLA.4S", b.Lane(2), a, acc)           // by element
//
// All that touches a vector register is encoded by the generator, which a test compares with a disassembler. The
// interpreter does not know arm64: the tests of packages asm and backend run those kernels under qemu.
//
// Kernels are collected in a Family (one Args struct, one .s file per instruction set, one reference in Go); families() lists all.
// A test runs a kernel with run(t, k, map[string]any{"Dst": buf(dst), "N": 5}): any access outside the buffers fails.
package main
