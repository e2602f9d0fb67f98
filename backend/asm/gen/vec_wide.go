package main

import (
	"fmt"
	"math"
	"sort"
)

// vec builds a kernel whose unit is 16 lanes: one register of 64 bytes, two of 32, or four of 16. The same program text gives every
// instruction set the same operations in the same order.
type vec struct {
	*Kernel
	units  int // units that a wide has at the moment, one after the other
	consts map[uint32]Mem
	pool   Reg               // arm64: points to the constants
	quads  map[[4]uint32]Mem // arm64: the constants there, by value
	tails  Mem               // table of tail masks for the sets without mask registers
	held   map[splat]Reg     // constants that are in registers throughout
	uses   map[splat]int     // how often an instruction has each of the others as an operand
	order  []splat           // of uses, by the first one
}

// wide is the registers of 16 lanes, or of several times 16 where the program computes units side by side. In an
// operation on more units than it has, it is used for each.
type wide []Reg

// splat is a constant that fills all lanes.
type splat uint32

func val(x float64) splat { return splat(math.Float32bits(float32(x))) }

// vecKernel builds a kernel with as many of its constants in registers as there are registers that its program leaves
// free: it writes the program twice, the first time to learn that.
func vecKernel(name string, isa *ISA, args *Args, program func(v *vec)) *Kernel {
	first := newVec(name, isa, args)
	program(first)
	sort.SliceStable(first.order, func(i, j int) bool { return first.uses[first.order[i]] > first.uses[first.order[j]] })
	v := newVec(name, isa, args)
	for i, x := range first.order[:min(first.free, len(first.order))] {
		r := v.view(isa.Regs - 1 - i) // the program keeps the low ones, which VEX encodings need
		v.live[v.whole(r.N)] = "constant"
		v.setReg(x, r)
		v.held[x] = r
	}
	program(v)
	return v.Kernel
}

func newVec(name string, isa *ISA, args *Args) *vec {
	v := &vec{
		Kernel: NewKernel(name+isa.Suffix, isa, args), units: 1, consts: map[uint32]Mem{}, held: map[splat]Reg{}, uses: map[splat]int{},
	}
	if isa.arm() {
		v.pool, v.quads = v.GP("pool"), map[[4]uint32]Mem{}
	}
	return v
}

// hasMasks says whether the set has mask registers and embedded broadcasts.
func (v *vec) hasMasks() bool { return v.ISA.Feat&FeatAVX512 != 0 }

func (v *vec) wide(name string) wide {
	w := make(wide, v.units*64/v.ISA.Width)
	for i := range w {
		w[i] = v.V(fmt.Sprint(name, i))
	}
	return w
}

func (v *vec) release(ws ...wide) {
	for _, w := range ws {
		v.Free(w.registers()...)
	}
}

// operand is a constant as an operand.
func (v *vec) operand(x splat) Operand {
	if r, ok := v.held[x]; ok {
		return r
	}
	if v.uses[x] == 0 {
		v.order = append(v.order, x)
	}
	v.uses[x]++
	return v.splatMem(x)
}

// splatMem is a constant as a memory operand.
func (v *vec) splatMem(x splat) Mem {
	if v.hasMasks() {
		return v.U32(uint32(x)).Bcst()
	}
	if v.ISA.arm() {
		return v.neonConstant(uint32(x), uint32(x), uint32(x), uint32(x))
	}
	m, ok := v.consts[uint32(x)]
	if !ok {
		lanes := make([]uint32, 8)
		for i := range lanes {
			lanes[i] = uint32(x)
		}
		m = v.Lanes(lanes...)
		v.consts[uint32(x)] = m
	}
	return m
}

// part is the i-th register's share of an operand: a wide, a splat, the memory of 16 lanes of four bytes, or anything
// that is the same for all.
func (v *vec) part(a any, i int) Operand {
	switch a := a.(type) {
	case wide:
		return a[i%len(a)]
	case splat:
		return v.operand(a)
	case Mem:
		return a.Add(i * v.ISA.Width)
	case Operand:
		return a
	}
	panic(fmt.Sprintf("operand %v", a))
}

// op appends an instruction on all lanes, operands in Go assembler order.
func (v *vec) op(op string, args ...any) {
	if v.ISA.arm() {
		v.neonOp(op, args)
		return
	}
	for i := range width(args) {
		ops := make([]Operand, len(args))
		for j, a := range args {
			ops[j] = v.part(a, i)
		}
		v.Op(op, ops...)
	}
}

// width is the number of registers of the widest operand.
func width(args []any) int {
	n := 0
	for _, a := range args {
		if w, ok := a.(wide); ok {
			n = max(n, len(w))
		}
	}
	return n
}

// set fills all lanes with a constant.
func (v *vec) set(x splat, dst wide) {
	if x == 0 {
		for _, r := range dst.registers() {
			v.Clear(r)
		}
		return
	}
	if r, ok := v.operand(x).(Reg); ok {
		v.op("VMOVAPS", r, dst)
		return
	}
	for _, r := range dst.registers() {
		v.setReg(x, r)
	}
}

// setReg fills a register with a constant from memory.
func (v *vec) setReg(x splat, r Reg) {
	if v.hasMasks() {
		v.Op("VBROADCASTSS", v.U32(uint32(x)), r)
		return
	}
	v.Op("VMOVUPS", v.splatMem(x), r)
}

// fill fills all lanes with the float32 in memory or with lane 0 of a register.
func (v *vec) fill(src Operand, dst wide) {
	for _, r := range dst.registers() {
		v.Op("VBROADCASTSS", src, r)
	}
}

// mask selects lanes: a mask register, or all bits of the lanes set, or on arm64 for a tail their number.
type mask struct {
	k   []Reg // one per unit
	w   wide
	rem Reg
}

func (v *vec) newMask(name string) (m mask) {
	if !v.hasMasks() {
		return mask{w: v.wide(name)}
	}
	for range v.units {
		m.k = append(m.k, v.Mask(name))
	}
	return m
}

func (v *vec) freeMask(m mask) {
	if v.hasMasks() {
		v.Free(m.k...)
		return
	}
	v.release(m.w)
}

// Predicates of cmp; only the first three are true of NaN.
const (
	notLess      = 0x15
	notLessEqual = 0x16
	unordered    = 3
	equal        = 0
	less         = 0x11
)

// cmp is the mask of lanes where a pred b; b may be in memory.
func (v *vec) cmp(pred int, a wide, b any, m mask) {
	if v.ISA.arm() && b == splat(0) && (pred == less || pred == equal) {
		v.op(map[int]string{less: "FCMLT0.4S", equal: "FCMEQ0.4S"}[pred], a, m.w)
		return
	}
	if v.hasMasks() {
		for i, k := range m.k {
			v.Op("VCMPPS", Imm(pred), v.part(b, i), a[i], k)
		}
		return
	}
	v.op("VCMPPS", Imm(pred), b, a, m.w)
}

// blend takes yes where the mask is set, else no.
func (v *vec) blend(m mask, yes any, no, dst wide) {
	if v.hasMasks() {
		for i, k := range m.k {
			v.Masked("VBLENDMPS", k, v.part(yes, i), no[i], dst[i])
		}
		return
	}
	v.op("VBLENDVPS", m.w, yes, no, dst)
}

// under is op with the destination as the last operand, lanes outside the mask left alone; nil is all lanes.
func (v *vec) under(m *mask, op string, args ...any) {
	dst := args[len(args)-1].(wide)
	switch {
	case m == nil:
		v.op(op, args...)
	case v.hasMasks():
		ops := make([]Operand, len(args))
		for i, a := range args {
			ops[i] = v.part(a, 0)
		}
		v.Masked(op, m.k[0], ops...)
	case v.ISA.arm():
		tmp := v.wide("tmp")
		v.op("VMOVAPS", dst, tmp)
		args[len(args)-1] = tmp
		v.op(op, args...)
		w := v.neonMask(m)
		v.op("VBLENDVPS", w, tmp, dst, dst)
		v.release(tmp, w)
	default:
		tmp := v.wide("tmp")
		defer v.release(tmp)
		v.op("VMOVAPS", dst, tmp)
		args[len(args)-1] = tmp
		v.op(op, args...)
		v.op("VBLENDVPS", m.w, tmp, dst, dst)
	}
}

// load loads all lanes, those outside the mask as 0 and without touching their memory.
func (v *vec) load(m *mask, src Mem, dst wide) {
	switch {
	case v.ISA.arm():
		v.neonLoad(m, src, dst)
	case m == nil:
		v.op("VMOVUPS", src, dst)
	case v.hasMasks():
		v.Zeroed("VMOVUPS", m.k[0], src, dst[0])
	default:
		v.op("VMASKMOVPS", src, m.w, dst)
	}
}

// store stores the lanes of the mask.
func (v *vec) store(m *mask, src wide, dst Mem) {
	switch {
	case v.ISA.arm():
		v.neonStore(m, src, dst)
	case m == nil:
		v.op("VMOVUPS", src, dst)
	case v.hasMasks():
		v.Masked("VMOVUPS", m.k[0], src[0], dst)
	default:
		v.op("VMASKMOVPS", src, m.w, dst)
	}
}

// fold combines the lanes as the Go reference's fold does, op(lower, upper), and leaves the result in lane 0 of the
// first register. w and tmp are clobbered.
func (v *vec) fold(op string, w, tmp wide) {
	if v.ISA.arm() {
		v.neonFold(op, w, tmp)
		return
	}
	a, t := w[0].Y(), tmp[0].Y()
	if v.hasMasks() {
		v.Op("VEXTRACTF64X4", Imm(1), w[0], t)
		v.Op(op, t, a, a)
	} else {
		v.Op(op, w[1], a, a)
	}
	ax, tx := a.X(), t.X()
	v.Op("VEXTRACTF128", Imm(1), a, tx)
	v.Op(op, tx, ax, ax)
	v.Op("VPERMILPS", Imm(0x0e), ax, tx)
	v.Op(op, tx, ax, ax)
	v.Op("VPERMILPS", Imm(1), ax, tx)
	v.Op(op, tx, ax, ax)
}
