package main

import (
	"fmt"
	"math"
	"sort"
	"strings"
)

// Field is a field of an argument struct.
type Field struct{ Name, Type, Doc string }

// Args is the argument struct of a family: kernels take one pointer to it. A kernel may change the fields.
type Args struct {
	Name   string // the Go type is Args + Name
	Fields []Field
}

// offset of a field; every field takes eight bytes but adjacent four-byte ones.
func (a *Args) offset(name string) int {
	off := 0
	for _, f := range a.Fields {
		size := fieldSize(f.Type)
		off = (off + size - 1) &^ (size - 1)
		if f.Name == name {
			return off
		}
		off += size
	}
	panic(fmt.Sprintf("Args%s has no field %s", a.Name, name))
}

func (a *Args) size() int {
	last := a.Fields[len(a.Fields)-1]
	return (a.offset(last.Name) + fieldSize(last.Type) + 7) &^ 7
}

func fieldSize(t string) int {
	switch {
	case t == "float32", t == "int32", t == "uint32":
		return 4
	case t == "int64", t == "uint64", t == "unsafe.Pointer", strings.HasPrefix(t, "*"):
		return 8
	}
	panic("argument type " + t + " has no fixed size")
}

// Instr is one instruction; a Bind has an empty Op.
type Instr struct {
	Op     string
	Args   []Operand
	Mask   Reg // none, or the mask of the destination
	Zero   bool
	target Label
}

// Kernel is a function under construction.
type Kernel struct {
	Name string
	ISA  *ISA
	Args *Args
	M, N int    // tile, 0 where it has no meaning
	Doc  string // one sentence more than the family's
	Prog []Instr

	a      Reg // the argument pointer, live throughout
	live   map[Reg]string
	labels map[string]int
	data   []uint32
	free   int // the fewest vector registers that were free at a time
	consts map[uint32]int
}

// NewKernel starts a kernel; the pointer to its arguments is in AX, or R0 of arm64.
func NewKernel(name string, isa *ISA, args *Args) *Kernel {
	k := &Kernel{Name: name, ISA: isa, Args: args, live: map[Reg]string{}, labels: map[string]int{}, consts: map[uint32]int{}, free: isa.Regs}
	k.a = k.argsReg()
	k.live[k.a] = "args"
	return k
}

// gpOrder is the order in which general registers are handed out: SP and BP never.
var gpOrder = []int{6, 7, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15}

// GP takes a free general register.
func (k *Kernel) GP(name string) Reg {
	order := gpOrder
	if k.ISA.arm() {
		order = armGP
	}
	for _, n := range order {
		if r := (Reg{k.a.Kind, n}); k.live[r] == "" {
			k.live[r] = name
			return r
		}
	}
	panic(k.out("general", name))
}

// V takes a free vector register in the instruction set's width.
func (k *Kernel) V(name string) Reg {
	for n := range k.ISA.Regs {
		if r := k.whole(n); k.live[r] == "" {
			k.live[r] = name
			k.free = min(k.free, k.FreeV())
			return k.view(n)
		}
	}
	panic(k.out("vector", name))
}

// view is vector register n in the instruction set's width.
func (k *Kernel) view(n int) Reg {
	if k.ISA.Width == 32 {
		return Reg{KindY, n}
	}
	return k.whole(n)
}

// whole is vector register n in the form that the set of live registers has.
func (k *Kernel) whole(n int) Reg {
	if k.ISA.arm() {
		return Reg{KindQ, n}
	}
	return Reg{KindZ, n}
}

// FreeV is the number of vector registers that are free.
func (k *Kernel) FreeV() int {
	free := k.ISA.Regs
	for r := range k.live {
		if r.Kind == KindZ || r.Kind == KindQ {
			free--
		}
	}
	return free
}

// Mask takes a free mask register.
func (k *Kernel) Mask(name string) Reg {
	for n := 1; n < 8; n++ {
		if r := (Reg{KindMask, n}); k.live[r] == "" {
			k.live[r] = name
			return r
		}
	}
	panic(k.out("mask", name))
}

func (k *Kernel) out(kind, name string) string {
	var s []string
	for r, n := range k.live {
		s = append(s, n+" in "+r.String())
	}
	sort.Strings(s)
	return fmt.Sprintf("%s: no %s register left for %s: %s", k.Name, kind, name, strings.Join(s, ", "))
}

// Free gives registers back.
func (k *Kernel) Free(regs ...Reg) {
	for _, r := range regs {
		if r.isVec() {
			r.Kind = KindZ
		}
		if k.live[r] == "" {
			panic(fmt.Sprintf("%s: %s is not taken", k.Name, r))
		}
		delete(k.live, r)
	}
}

// Field is an argument in memory.
func (k *Kernel) Field(name string) Mem { return At(k.a, k.Args.offset(name)) }

// Load loads an eight-byte argument into a new general register of its name.
func (k *Kernel) Load(name string) Reg {
	r := k.GP(name)
	if k.ISA.arm() {
		k.Op("MOVD", k.Field(name), r)
	} else {
		k.Op("MOVQ", k.Field(name), r)
	}
	return r
}

// Label makes a label that is unique in the kernel.
func (k *Kernel) Label(name string) Label {
	k.labels[name]++
	if n := k.labels[name]; n > 1 {
		name = fmt.Sprintf("%s%d", name, n)
	}
	return Label{name}
}

// Bind places a label here.
func (k *Kernel) Bind(l Label) { k.Prog = append(k.Prog, Instr{target: l}) }

// Align places a loop's head on a 64-byte boundary. Go's assembler can lay out a function for ever when jumps over the
// boundary are near the limit of their short form; keep it to functions with few of them, and assemble with a timeout
// when adding one.
func (k *Kernel) Align() { k.Op("PCALIGN", Imm(64)) }

// Op appends an instruction, operands in Go assembler order. On arm64 one of AVX2 becomes what does the same there.
func (k *Kernel) Op(op string, args ...Operand) {
	if _, own := armOps[op]; k.ISA.arm() && !own && neonOps[op] == nil && memoryOps[op] == nil {
		k.translate(op, args)
		return
	}
	k.add(Instr{Op: op, Args: args})
}

// Masked appends an instruction that leaves the destination's elements alone where the mask is 0.
func (k *Kernel) Masked(op string, mask Reg, args ...Operand) {
	k.add(Instr{Op: op, Args: args, Mask: mask})
}

// Zeroed appends an instruction that zeroes the destination's elements where the mask is 0.
func (k *Kernel) Zeroed(op string, mask Reg, args ...Operand) {
	k.add(Instr{Op: op, Args: args, Mask: mask, Zero: true})
}

func (k *Kernel) add(in Instr) {
	of := check
	if k.ISA.arm() {
		of = checkARM
	}
	if err := of(k.ISA, &in); err != nil {
		panic(fmt.Sprintf("%s: %s: %v", k.Name, text(&in), err))
	}
	k.Prog = append(k.Prog, in)
}

// Clear zeroes a vector register.
func (k *Kernel) Clear(r Reg) {
	if k.ISA.arm() {
		k.Op("MOVI.16B", Imm(0), r)
		return
	}
	if r.N < 16 {
		k.Op("VPXOR", r.X(), r.X(), r.X()) // zeroes the whole register
		return
	}
	k.Op("VPXORD", r, r, r)
}

// Ret ends the kernel.
func (k *Kernel) Ret() {
	if !k.ISA.arm() {
		k.Op("VZEROUPPER")
	}
	k.Op("RET")
}

// F32 is a float32 constant in memory.
func (k *Kernel) F32(x float32) Mem { return k.U32(math.Float32bits(x)) }

// U32 is a four-byte constant in memory.
func (k *Kernel) U32(x uint32) Mem {
	i, ok := k.consts[x]
	if !ok {
		i = len(k.data)
		k.data = append(k.data, x)
		k.consts[x] = i
	}
	return Mem{sym: k.dataSym(), Disp: 4 * i}
}

// Lanes is a table of four-byte constants in memory, aligned to four bytes.
func (k *Kernel) Lanes(x ...uint32) Mem {
	i := len(k.data)
	k.data = append(k.data, x...)
	return Mem{sym: k.dataSym(), Disp: 4 * i}
}

func (k *Kernel) dataSym() string { return k.Name + "Data" }
